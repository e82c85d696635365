// Adam and AdamW, as torch.optim.Adam and AdamW without amsgrad.
//
// The two differ in weight_decay alone: Adam adds it to the gradient, AdamW shrinks the weights.
// Source: Kingma and Ba, Adam (2015), algorithm 1; Loshchilov and Hutter, Decoupled weight decay (2019), algorithm 2.
#include <array>
#include <cmath>

#include "optim/elements.hpp"
#include "optim/optimizer.hpp"

namespace lockstep {
namespace {

struct Coefficients {
  float scale;          // of the gradient: clip / divisor
  float decay, shrink;  // of the gradient, of the weights
  float beta1, beta2;
  float rest1, rest2;           // 1 - beta
  float root_correction2, eps;  // sqrt(1 - beta2^step)
  float step_size;              // lr / (1 - beta1^step)
};

LOCKSTEP_VECTOR_CLONES void adam_step(const Coefficients k, std::span<float> weights, const PairSum gradient,
                                      std::span<float> exp_avg, std::span<float> exp_avg_sq) {
  for (std::size_t begin = 0; begin < weights.size(); begin += kFetchStrip) {
    const std::size_t end = end_of_strip(weights, gradient, begin);
#pragma GCC ivdep
    for (std::size_t i = begin; i < end; ++i) {
      const float g = gradient[i] * k.scale + k.decay * weights[i];
      exp_avg[i] = k.beta1 * exp_avg[i] + k.rest1 * g;
      exp_avg_sq[i] = k.beta2 * exp_avg_sq[i] + k.rest2 * g * g;
      weights[i] =
          k.shrink * weights[i] - k.step_size * exp_avg[i] / (std::sqrt(exp_avg_sq[i]) / k.root_correction2 + k.eps);
    }
  }
}

constexpr std::array<std::string_view, 2> kSlots = {"exp_avg", "exp_avg_sq"};

enum class Decay { of_gradient, of_weights };

class Adam final : public Optimizer {
 public:
  Adam(const Options& options, Decay kind)
      : betas_(betas_of(options)),
        eps_(options.number("eps")),
        weight_decay_(options.number("weight_decay")),
        kind_(kind) {}

  [[nodiscard]] std::span<const std::string_view> slots() const override { return kSlots; }

  void update(const UpdateStep& step, bool decay, std::span<float> weights, const PairSum& gradient,
              std::span<const std::span<float>> slots) const override {
    check_update(weights, gradient, slots, kSlots.size());
    const auto count = static_cast<double>(step.step);
    const double weight_decay = decay ? weight_decay_ : 0;
    const bool of_gradient = kind_ == Decay::of_gradient;
    const Coefficients c = {.scale = step.scale(),
                            .decay = of_gradient ? static_cast<float>(weight_decay) : 0.0F,
                            .shrink = of_gradient ? 1.0F : static_cast<float>(1 - step.lr * weight_decay),
                            .beta1 = static_cast<float>(betas_[0]),
                            .beta2 = static_cast<float>(betas_[1]),
                            .rest1 = static_cast<float>(1 - betas_[0]),
                            .rest2 = static_cast<float>(1 - betas_[1]),
                            .root_correction2 = static_cast<float>(std::sqrt(1 - std::pow(betas_[1], count))),
                            .eps = static_cast<float>(eps_),
                            .step_size = static_cast<float>(step.lr / (1 - std::pow(betas_[0], count)))};
    adam_step(c, weights, gradient, slots[0], slots[1]);
  }

 private:
  std::array<double, 2> betas_;
  double eps_;
  double weight_decay_;
  Decay kind_;
};

}  // namespace

std::unique_ptr<Optimizer> make_adam(const Options& options) {
  return std::make_unique<Adam>(options, Decay::of_gradient);
}

std::unique_ptr<Optimizer> make_adamw(const Options& options) {
  return std::make_unique<Adam>(options, Decay::of_weights);
}

}  // namespace lockstep
