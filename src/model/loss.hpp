// Losses, fused with their gradient.
//
// Formulas and defaults are PyTorch's. A loss is the mean over the samples of the global batch, weighted where classes
// have weights; what is computed here is the SUM over the rows of one shard, and its gradient is that of the sum; the
// division by the samples of the global batch, or by the sum of their weights, is done once, at the update. Losses over
// several outputs take the mean over the outputs of a sample, as PyTorch's "mean" does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/run_config.hpp"

namespace lockstep {

/// The true answers of some rows: labels for classification, values otherwise.
struct Targets {
  std::span<const std::int32_t> labels = {};  ///< [n], each in [0, outputs)
  std::span<const float> values = {};         ///< [n, outputs]
};

enum class TargetKind { labels, values };

/// Which scores mean something for a loss.
enum class Task { regression, binary, classification };

class Loss {
 public:
  virtual ~Loss() = default;
  [[nodiscard]] virtual Task task() const = 0;
  [[nodiscard]] TargetKind targets() const {
    return task() == Task::classification ? TargetKind::labels : TargetKind::values;
  }

  /// The sum over the n rows, in double and in the order of the rows; writes its gradient to `doutputs`.
  /// Shapes: outputs, doutputs [n, width], targets as targets() says.
  [[nodiscard]] virtual double evaluate(std::size_t width, std::span<const float> outputs, const Targets& targets,
                                        std::span<float> doutputs) const = 0;

  /// How much a sample of each class counts, 0 or more; empty: all the same.
  [[nodiscard]] virtual std::span<const double> class_weights() const { return {}; }
  /// What a sum over these `rows` rows is to be divided by: their weights, added in their order, or their number.
  [[nodiscard]] double weight(std::size_t rows, const Targets& targets) const;
  /// Errors: config (a list of weights is not for a net of `outputs` outputs).
  virtual void check_outputs(std::size_t /*outputs*/) const {}
};

/// Loss types: mse, mae, huber (delta), binary_cross_entropy (on logits; pos_weight), softmax_cross_entropy
/// (label_smoothing, class_weights).
[[nodiscard]] std::vector<std::string_view> loss_names();

/// Errors: config (unknown type, listing the known ones; bad options).
[[nodiscard]] std::unique_ptr<Loss> make_loss(const Component& config);

}  // namespace lockstep
