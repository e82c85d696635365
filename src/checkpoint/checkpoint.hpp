// What a checkpoint holds, schema v2, and its digest.
//
// A checkpoint is a plain HDF5 file followed by a trailer that proves it whole. It sees named arrays, not layers. The
// digest is over what steers the training on (weights, optimizer state, position), so it is equal wherever the bits
// are.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/column_names.hpp"
#include "core/parameters.hpp"
#include "io/hdf5.hpp"

namespace lockstep {

/// That is written; the ones before it are read too. 2: input_shape, nets that are graphs, parameters that run.
inline constexpr std::int64_t kCheckpointVersion = 2;

/// How far a run is. The order of an epoch is a function of (seed, epoch), so these are all that is needed to go on.
struct Position {
  std::uint64_t step = 0;      ///< updates done
  std::uint64_t epoch = 0;     ///< epochs done
  std::uint64_t position = 0;  ///< samples done of the epoch under way
  bool operator==(const Position&) const = default;
};

/// What the epoch under way has added up so far, so that a resumed epoch reports the same loss.
struct EpochSums {
  double loss_sum = 0;
  std::uint64_t samples = 0;
  double weight = 0;         ///< of these samples, by which the loss is divided
  double seconds = 0;        ///< of steps, in this epoch
  double total_seconds = 0;  ///< of steps, in the whole run
};

/// One row an epoch; NaN where a score is not there.
struct History {
  std::vector<std::string> columns;
  std::vector<double> rows;  ///< [epochs, columns]
  [[nodiscard]] std::size_t num_rows() const noexcept { return columns.empty() ? 0 : rows.size() / columns.size(); }
};

/// Whose state a checkpoint holds where a run has ended with that of its best checkpoint.
struct Restored {
  std::uint64_t step = 0;
  std::uint64_t epoch = 0;
};

/// The best checkpoint so far by the monitored score.
struct Best {
  std::string monitor;
  double value = 0;
  std::uint64_t step = 0;
  std::uint64_t epoch = 0;
};

/// Above which probability a binary net of one output answers 1, where a run has chosen that.
struct Decision {
  double threshold = 0.5;
  std::string rule;  ///< f1 | youden: what it is the best by, on the validation data
  double score = 0;  ///< by that rule
};

/// Everything but the arrays.
struct CheckpointInfo {
  Position position;
  std::int64_t seed = 0;
  std::int64_t shards = 0;
  std::int64_t version = kCheckpointVersion;  ///< of the schema, as it was read
  std::int64_t inputs = 0;                    ///< numbers of a sample
  std::vector<std::size_t> input_shape;       ///< of a sample, as the net takes it
  std::int64_t outputs = 0;                   ///< width of the net's output
  std::string digest;                         ///< set by the writer
  std::string run;                            ///< the resolved run, TOML
  std::string train_fingerprint;
  std::string test_fingerprint;
  std::string exchange;
  std::map<std::string, std::string> versions;  ///< lockstep, hdf5, blas, mpi
  std::string blas_kernel;
  std::int64_t blas_threads = 1;
  std::string simd_target;
  /// Kernel -> 16 hex digits, see compute/probe.hpp; empty: of an older program.
  std::map<std::string, std::string> probe;
  std::vector<std::string> class_names;
  ColumnNames columns;  ///< of the training data
  /// "ROWS PRINT NAME" of each file where the data is many files, see data/file_prints.hpp; else empty.
  std::vector<std::string> train_files, test_files;
  // For information only.
  std::int64_t ranks = 0;
  std::string hosts;
  std::string time;

  EpochSums sums;
  History history;
  std::optional<Best> best;
  std::optional<Restored> restored;  ///< where the arrays are not those of `position`
  std::optional<Decision> decision;  ///< once the run has ended
  std::map<std::string, std::vector<double>>
      normalization;  ///< x_shift, x_scale, y_shift, y_scale; absent when not used
};

/// Arrays to be written, in the layout of `table`.
struct CheckpointArrays {
  const ParameterTable& table;
  std::span<const float> weights;  ///< [arena]
  std::span<const std::string_view> slot_names;
  std::vector<std::span<const float>> slots;  ///< [slots][arena]
  std::span<const float> ema = {};            ///< [arena] moving average of the weights; empty: none is kept
};

/// A checkpoint read back.
struct Checkpoint {
  CheckpointInfo info;
  ParameterTable table;
  std::vector<float> weights;  ///< [arena]
  std::vector<std::string> slot_names;
  std::vector<std::vector<float>> slots;  ///< [slots][arena]
  std::vector<float> ema;                 ///< [arena] moving average of the weights; empty: none is kept

  /// The weights of the net that the run is scored with: their average where one is kept. [arena]
  [[nodiscard]] std::span<const float> net() const noexcept { return ema.empty() ? weights : ema; }
};

/// XXH3-128 over names, shapes and bytes of parameters, optimizer state and average, and over step, epoch, position and
/// seed.
[[nodiscard]] std::string digest_of(const CheckpointArrays& arrays, const Position& position, std::int64_t seed);

/// Builds the file in memory: the one step that needs the arrays to stand still, at the cost of a copy. `name` is for
/// messages. Local. Errors: io.
[[nodiscard]] h5::FileImage build_checkpoint(const std::string& name, CheckpointInfo info,
                                             const CheckpointArrays& arrays);
/// Writes a built file, atomically, with its trailer; does not call HDF5. `alive` is called from time to time while it
/// grows. Local. Errors: io.
void write_checkpoint(const std::string& path, const h5::FileImage& image, const std::function<void()>& alive = {});

/// Reads a checkpoint and checks it whole, whoever made it: trailer, hash, that the file holds what the schema has and
/// nothing of another kind, that all of it agrees with its run (see check_info), every array, the digest. Takes memory
/// for what the file has, not for what it says. `alive` is called from time to time. Local. Errors: data, with file,
/// object and reason (missing, empty, cut short, changed bytes, foreign, another version); config (more than there is
/// memory for).
[[nodiscard]] Checkpoint read_checkpoint(const std::string& path, const std::function<void()>& alive = {});

/// The information alone, to be sent to other ranks.
[[nodiscard]] std::vector<std::byte> encode_info(const CheckpointInfo& info);
[[nodiscard]] CheckpointInfo decode_info(std::span<const std::byte> bytes, const std::string& name);

/// Errors: data, naming the first parameter that is missing, unknown or of another shape.
void check_same_parameters(const ParameterTable& expected, const ParameterTable& found, const std::string& file);

}  // namespace lockstep
