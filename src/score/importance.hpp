// How much each input matters to a net: how much worse it scores when that input is shuffled over the samples (Breiman,
// 2001; as scikit-learn's permutation_importance).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "core/column_names.hpp"
#include "data/dataset.hpp"
#include "data/normalization.hpp"
#include "data/split.hpp"
#include "score/evaluation.hpp"

namespace lockstep {

/// What is shuffled together: a column of x, or all that one categorical column of the table has become.
struct InputGroup {
  std::string name;
  std::vector<std::size_t> columns;  ///< of x, at least one, rising
};

/// The groups of all columns, by their first ones.
[[nodiscard]] std::vector<InputGroup> input_groups(const ColumnNames& columns, std::size_t inputs);

struct ImportanceOptions {
  std::string score = {};  ///< by Scores::named(), of which more or less is better
  std::uint64_t seed = 1;
  std::size_t repeats = 5;
  std::function<void(std::size_t done, std::size_t all)> done = {};  ///< called on rank 0, of its own share
};

struct InputImportance {
  InputGroup input;
  std::vector<double> drops;  ///< [repeats], by how much the score is worse
  double mean = 0;
  double deviation = 0;  ///< of the drops around it
};

/// From which sample each one takes the inputs of a group that begins with column `column`: a permutation, which
/// depends on nothing else.
void fill_shuffle(std::uint64_t seed, std::size_t column, std::size_t repeat, std::span<std::uint32_t> samples);

/// Of `rows` of `data`, which is in memory and whose score by `options.score` is `whole`: the most important first.
/// The ranks take groups and repeats in turn, each for itself over all samples; the same bits at any rank count.
/// Collective. Errors, agreed: config (memory).
[[nodiscard]] std::vector<InputImportance> permutation_importance(const Communicator& comm, const Net& net,
                                                                  const Dataset& data,
                                                                  const Normalization& normalization, RowList rows,
                                                                  std::span<const InputGroup> groups, double whole,
                                                                  const ImportanceOptions& options);

}  // namespace lockstep
