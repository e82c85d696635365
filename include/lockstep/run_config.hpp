// A run: what a run file says, as plain structs with their defaults.
// The keys of a run file are the members' names; src/config/keys.hpp lists them all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/options.hpp"

namespace lockstep {

/// A type with its options: a layer, a loss, an optimizer or a schedule.
struct Component {
  std::string type;
  Options options = {};
  bool operator==(const Component&) const = default;
};

/// A layer; an empty name becomes type and count ("dense1").
struct LayerConfig {
  std::string type;
  Options options = {};
  std::string name = {};
  std::vector<std::string> inputs = {};  ///< names of layers before it, or "input"; empty: the layer before it
  bool operator==(const LayerConfig&) const = default;
};

/// Where samples lie: groups "FILE.h5:/group", or x and y each for themselves. Names of files may be patterns
/// ("runs/*.h5:/group") or folders, which mean many files that are read as one. Empty x: no such data.
struct DataSource {
  std::string x;                         ///< "FILE.h5:/group"; or samples: "FILE.h5:/x", or an IDX or .npy file
  std::string y = {};                    ///< labels or values, as samples; empty where x is a group
  std::vector<std::string> more = {};    ///< further groups, of which the rows follow those of x
  std::vector<std::string> more_x = {};  ///< further samples, of which the columns stand beside those of x
  std::vector<std::string> more_y = {};  ///< likewise beside y
  [[nodiscard]] bool empty() const noexcept { return x.empty(); }
  bool operator==(const DataSource&) const = default;
};

struct DataConfig {
  DataSource train = {};
  DataSource test = {};
  std::string normalize = "none";       ///< none | standard | minmax, fitted on train
  std::optional<std::int64_t> classes;  ///< unset: the file's class list, or the largest label + 1
  double validation = 0;                ///< share of the training samples that is held out and scored; 0: none
  std::string load = "auto";            ///< auto | memory | stream: held in memory, or read while training
  std::string memory_limit = "4GiB";    ///< auto: the most that is held in memory
  std::string window = "32MiB";         ///< stream: memory for a shard's samples
  std::optional<std::int64_t> block;    ///< stream: samples that are read in one go; unset: by window and file
  std::int64_t window_rows = 1;         ///< consecutive rows that make a sample
  std::int64_t window_stride = 1;       ///< rows from the begin of one such window to that of the next
  std::int64_t window_horizon = 0;      ///< rows from the last row of a window to that of its y
  std::string series = "";              ///< a feature or data set; no window goes on where its value changes
  bool series_input = false;            ///< whether that feature stays an input
};

struct ModelConfig {
  Component loss = {"mse"};
  std::vector<LayerConfig> layers = {};
  std::vector<std::string> freeze = {};     ///< names of layers whose parameters stay as they are
  std::optional<std::string> initial = {};  ///< a checkpoint or run folder, to take starting weights from
};

/// When a run ends before its epochs are over, and with what.
struct EarlyStop {
  std::string monitor = "auto";  ///< the score that has to improve; auto: that of checkpoint.monitor
  std::int64_t patience = 10;    ///< epochs without an improvement that end the run
  double min_delta = 0;          ///< an improvement is more than that
  bool restore_best = true;      ///< whether the run ends with the state of its best checkpoint
  bool operator==(const EarlyStop&) const = default;
};

struct TrainConfig {
  std::int64_t batch = 32;             ///< global batch [samples]
  std::optional<std::int64_t> shards;  ///< unset: the rank count of the first start
  std::int64_t epochs = 1;
  std::string exchange = "node";      ///< node | tree | allreduce
  std::string wire = "float32";       ///< float32 | bfloat16: gradients between hosts
  bool overlap = true;                ///< whether hosts exchange while they compute
  std::int64_t threads = 1;           ///< BLAS threads a rank
  std::string on_nonfinite = "stop";  ///< stop | skip: what to do with a step whose loss or gradient is not finite
  std::string time_limit = "auto";    ///< auto (the end of the batch job) | none | a time: "1h55m"
  /// [s] without a sign of life before the program ends the job, or a Trainer's ranks wait no more; 0: never
  double stall_timeout = 300;
  std::int64_t audit_every = 0;              ///< steps between comparisons of all copies of the weights; 0: none
  std::optional<EarlyStop> early_stop = {};  ///< unset: all epochs
  double ema = 0;                            ///< decay of the average of the weights; 0: none is kept
};

struct OptimizerConfig {
  std::string type = "sgd";
  std::optional<double> lr;  ///< base learning rate; unset: the type's own default
  Component schedule = {"constant"};
  double clip_norm = 0;                         ///< 0: no clipping
  std::vector<std::string> decay_exclude = {};  ///< kinds of parameters without weight decay: "bias"
  Options options = {};                         ///< the type's own keys
};

struct CheckpointConfig {
  std::int64_t every_epochs = 1;  ///< 0: not by epochs
  std::int64_t every_steps = 0;   ///< 0: not by steps
  double every_seconds = 0;       ///< 0: not by time
  std::int64_t keep = 3;          ///< newest ones kept; the best is kept beside them
  /// validation.loss, test.accuracy, train.loss, ...; auto: accuracy or loss of validation or test data
  std::string monitor = "auto";
};

/// Above which probability a binary net of one output answers 1.
struct ThresholdConfig {
  double value = 0.5;     ///< from 0 to below 1, where no rule chooses it
  std::string rule = {};  ///< f1 | youden: the best by that on the validation data, when the run ends; empty: value
  bool operator==(const ThresholdConfig&) const = default;
};

struct DecisionConfig {
  ThresholdConfig threshold = {};
};

struct LogConfig {
  std::int64_t every_steps = 0;  ///< a row of steps.csv every so many steps; 0: about ten an epoch
  bool tensorboard = false;      ///< event files for TensorBoard beside the CSV files
  bool trace = false;            ///< a timeline of all ranks, trace.json
  bool report = true;            ///< whether report.html is drawn when the run ends or stops
  bool gradient_norm = false;    ///< whether the gradient's norm is measured also where the update has no need of it
  bool train_scores = false;     ///< whether the training samples are scored too after every epoch
};

struct RunConfig {
  std::string name = "run";
  std::int64_t seed = 1;
  DataConfig data = {};
  ModelConfig model = {};
  TrainConfig train = {};
  OptimizerConfig optimizer = {};
  DecisionConfig decision = {};
  CheckpointConfig checkpoint = {};
  LogConfig log = {};
};

}  // namespace lockstep
