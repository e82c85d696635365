// Losses, fused with their gradient.
//
// Formulas and defaults are PyTorch's. A loss is the mean over the samples of the global batch, weighted where classes
// have weights; what is computed here is the SUM over the rows of one shard, and its gradient is that of the sum; the
// division by the samples of the global batch, or by the sum of their weights, is done once, at the update. Losses over
// several outputs take the mean over the outputs of a sample, as PyTorch's "mean" does.
//
// A sample may have a weight w, and of its T targets some may be missing. Its loss is then w times the sum over the
// targets that are there, / T, and what it weighs is w times (those that are there) / T, so that a sum of losses over
// the sum of what they weigh is the weighted mean over what is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/run_config.hpp"

namespace lockstep {

/// The true answers of some rows: labels for classification, values otherwise.
struct Targets {
  std::span<const std::int32_t> labels = {};  ///< [n], each in [0, outputs)
  std::span<const float> values = {};         ///< [n, targets]
  std::span<const float> weights = {};        ///< [n]; empty: all are 1
  bool may_miss = false;                      ///< a NaN in values is a target that is missing
};

/// What rows weigh: class weight * sample's weight * share of targets that are there.
struct RowWeights {
  double sum = 0;
  double size = 0;  ///< sum of the absolute values
};

enum class TargetKind { labels, values };

/// gaussian_nll: the least variance, unless its eps says otherwise.
inline constexpr double kVarianceEps = 1e-6;

/// Which scores mean something for a loss.
enum class Task { regression, binary, classification };

/// A number that a net answers for each target, made of its outputs for it.
struct AnswerColumn {
  std::string suffix = {};  ///< behind the target's name: "_std"
  bool shifts = true;       ///< in the targets' own units: value * scale + shift; else value * scale
};

/// A score that only one loss has: a mean over the targets.
struct OwnScore {
  std::string name;
  std::optional<bool> smaller_is_better = true;  ///< nullopt: neither is, so that it is no monitor
};

/// What targets may be.
enum class TargetRange { any, unit_interval, from_zero };

class Loss {
 public:
  virtual ~Loss() = default;
  [[nodiscard]] virtual Task task() const = 0;
  [[nodiscard]] TargetKind targets() const {
    return task() == Task::classification ? TargetKind::labels : TargetKind::values;
  }

  /// Outputs of the net for one target; those of a target stand side by side. Of labels 1, whatever their number.
  [[nodiscard]] virtual std::size_t outputs_per_target() const { return 1; }
  /// Targets of a sample, for a net of `outputs` outputs.
  [[nodiscard]] std::size_t num_targets(std::size_t outputs) const {
    return targets() == TargetKind::labels ? 1 : outputs / outputs_per_target();
  }

  /// The sum over the n rows, in double and in the order of the rows; writes its gradient to `doutputs`.
  /// Shapes: outputs, doutputs [n, width], targets as targets() says.
  [[nodiscard]] double evaluate(std::size_t width, std::span<const float> outputs, const Targets& targets,
                                std::span<float> doutputs) const;

  /// Whether it is the log loss of labels and probabilities, but for the weights of samples.
  [[nodiscard]] virtual bool is_log_loss() const { return false; }
  /// How much a sample of each class counts, 0 or more; empty: all the same.
  [[nodiscard]] virtual std::span<const double> class_weights() const { return {}; }
  /// What these `rows` rows weigh, added in their order: their number, where nothing has a weight.
  [[nodiscard]] RowWeights weigh(std::size_t rows, const Targets& targets) const;
  /// What a sum over these rows is to be divided by for a mean.
  [[nodiscard]] double weight(std::size_t rows, const Targets& targets) const { return weigh(rows, targets).sum; }
  /// Errors: config (a list of weights is not for a net of `outputs` outputs; outputs that make no whole targets).
  virtual void check_outputs(std::size_t /*outputs*/) const {}

  [[nodiscard]] virtual TargetRange target_range() const {
    return task() == Task::binary ? TargetRange::unit_interval : TargetRange::any;
  }
  /// Whether data.normalize goes for the targets too.
  [[nodiscard]] virtual bool normalizes_targets() const { return task() == Task::regression; }
  /// Whether sigmoid or softmax of the outputs are probabilities.
  [[nodiscard]] virtual bool gives_probabilities() const { return true; }

  // Of regressions: what the outputs say. As many answers as outputs a target.
  [[nodiscard]] virtual std::vector<AnswerColumn> answers() const { return {{}}; }
  /// The answers for one target, in the units that the net is trained in.
  /// Shapes: outputs, answers [outputs_per_target()].
  virtual void answer(std::span<const float> outputs, std::span<double> answers) const;
  /// Which answer r2, rmse and mae compare with the target.
  [[nodiscard]] virtual std::size_t point() const { return 0; }
  [[nodiscard]] virtual std::vector<OwnScore> own_scores() const { return {}; }
  /// Of one target: `answers` and target in the target's own units, into `scores` [own_scores()].
  virtual void score(std::span<const double> /*answers*/, double /*target*/, std::span<double> /*scores*/) const {}

 private:
  // evaluate() of rows that have no weights and miss no targets.
  [[nodiscard]] virtual double evaluate_rows(std::size_t width, std::span<const float> outputs, const Targets& targets,
                                             std::span<float> doutputs) const = 0;
  // Of losses of values: the loss of target `index` of a sample and its slopes, before the mean over the targets.
  // Shapes: outputs, doutputs [outputs_per_target()].
  [[nodiscard]] virtual double evaluate_target(std::size_t index, std::span<const float> outputs, float target,
                                               std::span<float> doutputs) const;
  // evaluate() of one row without its weight.
  [[nodiscard]] double evaluate_row(std::span<const float> outputs, const Targets& targets,
                                    std::span<float> doutputs) const;
};

/// All types, in the order of the documentation; what is known of each stands in model/loss_table.hpp.
[[nodiscard]] std::vector<std::string_view> loss_names();

/// Errors: config (unknown type, listing the known ones; bad options).
[[nodiscard]] std::unique_ptr<Loss> make_loss(const Component& config);

}  // namespace lockstep
