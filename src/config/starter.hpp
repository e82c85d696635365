// A run file to begin with: what is known of data, and the choices that follow from it, each with its reason.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

struct DataFacts {
  std::string train;      ///< as data.train names it
  std::string test = {};  ///< likewise; empty: there is none
  std::size_t samples = 0;
  std::size_t inputs = 0;
  bool pixels = false;  ///< x holds bytes
  /// Of integer labels that count from 0: how many samples each class has; else y holds values.
  std::vector<std::size_t> class_samples = {};
  std::vector<std::string> classes = {};  ///< their names, where they have some
  std::size_t targets = 1;                ///< columns of y
  std::vector<std::string> target_names = {};
  bool missing_targets = false;
  bool weights = false;
  std::size_t cores = 1;
  std::vector<std::string> head = {};  ///< lines of the first comment, without #
};

/// Its train.shards: no more ranks may be started.
[[nodiscard]] std::size_t starter_shards(const DataFacts& facts);

/// The text of a run file that can be trained as it is.
[[nodiscard]] std::string starter_run(const std::string& name, const DataFacts& facts);

}  // namespace lockstep
