// A file of predictions, HDF5 or CSV, written in the order of the samples and there only when it is whole.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/range.hpp"
#include "model/predictions.hpp"

namespace lockstep {

/// What a file of predictions holds.
struct PredictionPlan {
  Task task = Task::regression;
  std::size_t samples = 0;
  std::size_t outputs = 0;                     ///< classes; else targets
  bool own_units = false;                      ///< regression: targets were normalised, so values are doubles
  std::vector<std::string> class_names = {};   ///< of labels; may be empty
  std::vector<std::string> target_names = {};  ///< of the columns of y; may be empty
  std::string class_target = {};               ///< of the target whose classes these are; set by make_prediction_file
  std::vector<std::string> kept_names = {};    ///< CSV: of the columns that Predictions::kept holds
  std::vector<std::pair<std::string, std::string>> notes = {};  ///< HDF5: attributes of the root
  std::int64_t step = 0;                                        ///< HDF5: attribute, of the checkpoint
  /// Regression: what is answered for each target, behind its name.
  std::vector<std::string> answers = {""};
  bool probabilities = true;  ///< else scores: what the net gives, without sigmoid or softmax
};

class PredictionFile {
 public:
  virtual ~PredictionFile() = default;

  /// Predictions as the bytes that add() takes, behind those in `bytes`. Any rank, any order.
  virtual void encode(const Predictions& predictions, std::vector<std::byte>& bytes) const = 0;

  // By one process only. Errors: io.
  /// `alive` is called whenever some more megabytes are on the disk.
  virtual void open(std::function<void()> alive) = 0;
  /// Encoded predictions of samples `rows`; in the order of the samples.
  virtual void add(Range rows, std::span<const std::byte> bytes) = 0;
  /// Makes the file appear under its name.
  virtual void commit() = 0;
};

/// By the end of `path`: .h5 or .hdf5, or .csv. Errors: usage (another end).
///
/// HDF5: classification gives /probabilities [n, classes] float32 and /label [n] int64; binary /probability and /label,
/// [n], or [n, k] where there are k outputs; regression /y [n, k] and the other answers, /y_std say, float64 in
/// own_units, otherwise float32. Without probabilities it is /scores, /score.
/// With names its attributes `classes` and `targets` hold them.
/// CSV: a header, then a row a sample with the same numbers, each in the shortest form that reads back the same. Values
/// are named by targets, probabilities by classes, or by targets where there are several binary ones; with class names
/// the class stands behind the label, in a column of the target's name, or `class`.
/// Of bad rows CSV has what was kept and empty fields, HDF5 NaN and the label -1.
[[nodiscard]] std::unique_ptr<PredictionFile> make_prediction_file(const std::string& path, PredictionPlan plan);

}  // namespace lockstep
