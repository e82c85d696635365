// The training's gradients against central differences of the plain net.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/buffer.hpp"
#include "core/range.hpp"
#include "explain/plain_net.hpp"
#include "model/loss.hpp"
#include "model/model.hpp"

namespace lockstep {

/// The gradient of the mean loss over some samples, as training computes it, and what it is to be compared with.
class GradientCheck {
 public:
  /// One pass of training over `rows`, each a row of its own kind of place: samples for which training, in float, and
  /// the plain net, in double, lie on two sides of a kink are left out. `weights` [arena]. `alive` is called now and
  /// then. Errors: config (no sample is left, or only such of weight 0).
  GradientCheck(const ModelConfig& config, const Model& model, const Loss& loss, std::span<const float> weights,
                const SampleRows& rows, const Pass& pass, const std::function<void()>& alive = {});

  GradientCheck(const GradientCheck&) = delete;  // it holds views of itself
  GradientCheck& operator=(const GradientCheck&) = delete;

  [[nodiscard]] std::size_t samples() const noexcept { return samples_.size(); }
  [[nodiscard]] std::size_t left_out() const noexcept { return left_out_; }
  /// The mean loss: training's, and the plain net's.
  [[nodiscard]] double loss() const noexcept { return loss_; }
  [[nodiscard]] double plain_loss() const noexcept { return central_->loss(); }
  /// What the slopes of the loss are as exact as in float: 1 on logits, where they are differences of probabilities and
  /// truth; of a regression the largest output or target.
  [[nodiscard]] double slope_scale() const noexcept { return slope_scale_; }
  [[nodiscard]] double gradient(const WeightPlace& place) const { return gradient_.view()[place.element]; }
  [[nodiscard]] CentralDifference central(const WeightPlace& place) { return central_->at(place); }

 private:
  void keep(const SampleRows& rows, std::size_t inputs, std::size_t row);
  [[nodiscard]] SampleRows kept() const;

  PlainNet net_;
  std::vector<float> x_, values_, weights_;
  bool may_miss_ = false;
  std::vector<std::int32_t> labels_;
  std::vector<std::uint32_t> samples_;
  std::size_t left_out_ = 0;
  Buffer<float> gradient_;
  double loss_ = 0;
  double slope_scale_ = 1;
  std::optional<CentralDifferences> central_;
};

/// The trained weights of a net, or of each parameter at most `most`, drawn by `seed`; in the order of the arena.
[[nodiscard]] std::vector<WeightPlace> weights_to_check(const Model& model, std::size_t most, std::uint64_t seed);

/// What came of one parameter.
struct ParameterCheck {
  std::size_t parameter = 0;  ///< index into the table
  std::size_t checked = 0;
  std::size_t at_kinks = 0;  ///< of them, where there is nothing to compare with
  double largest = 0;        ///< difference between gradient and central difference, relative, see check_parameters
  WeightPlace place;         ///< where
  double gradient = 0, central = 0;  ///< there
};

/// A gradient and its central difference.
struct ComparedWeight {
  WeightPlace place;
  double gradient = 0;
  CentralDifference central;
};

/// By parameter. A difference is relative to the largest of: gradient, central difference, the root of the mean square
/// of the parameter's central differences (rounding in float goes by them where terms cancel), and 1e-3 of
/// `slope_scale` (a net that is sure of itself has slopes that are nothing but rounding).
[[nodiscard]] std::vector<ParameterCheck> check_parameters(std::span<const ComparedWeight> weights, double slope_scale);

}  // namespace lockstep
