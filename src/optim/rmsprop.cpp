// RMSprop, plain and centered, with or without momentum, as torch.optim.RMSprop.
//
// Source: Tieleman and Hinton, Coursera lecture 6.5 (2012); centered: Graves, Generating sequences (2013), eq. 38-45.
// Limit, as in PyTorch: centered on a gradient that never changes, the variance may round to below 0, which gives NaN.
#include <array>
#include <cmath>

#include "optim/elements.hpp"
#include "optim/optimizer.hpp"

namespace lockstep {
namespace {

struct Coefficients {
  float scale, decay, lr;
  float alpha, rest, eps;  // rest: 1 - alpha
  float momentum;
};

struct Slots {
  std::span<float> square_avg, buffer, grad_avg;  // [n], or empty where not in use
};

template <bool momentum, bool centered>
LOCKSTEP_VECTOR_CLONES void rmsprop_step(const Coefficients k, std::span<float> weights, const PairSum gradient,
                                         const Slots& slots) {
  const std::span<float> square = slots.square_avg;
  const std::span<float> buffer = slots.buffer;
  const std::span<float> mean = slots.grad_avg;
  for (std::size_t begin = 0; begin < weights.size(); begin += kFetchStrip) {
    const std::size_t end = end_of_strip(weights, gradient, begin);
#pragma GCC ivdep
    for (std::size_t i = begin; i < end; ++i) {
      const float g = gradient[i] * k.scale + k.decay * weights[i];
      square[i] = k.alpha * square[i] + k.rest * g * g;
      float variance = square[i];
      if constexpr (centered) {
        mean[i] = k.alpha * mean[i] + k.rest * g;
        variance -= mean[i] * mean[i];
      }
      float direction = g / (std::sqrt(variance) + k.eps);
      if constexpr (momentum) {
        buffer[i] = k.momentum * buffer[i] + direction;
        direction = buffer[i];
      }
      weights[i] -= k.lr * direction;
    }
  }
}

class RmsProp final : public Optimizer {
 public:
  explicit RmsProp(const Options& options)
      : alpha_(options.number("alpha")),
        eps_(options.number("eps")),
        momentum_(options.number("momentum")),
        weight_decay_(options.number("weight_decay")),
        centered_(options.boolean("centered")) {
    names_[num_slots_++] = "square_avg";
    if (momentum_ > 0) names_[num_slots_++] = "momentum_buffer";
    if (centered_) names_[num_slots_++] = "grad_avg";
  }

  [[nodiscard]] std::span<const std::string_view> slots() const override { return std::span(names_).first(num_slots_); }

  void update(const UpdateStep& step, bool decay, std::span<float> weights, const PairSum& gradient,
              std::span<const std::span<float>> slots) const override {
    check_update(weights, gradient, slots, num_slots_);
    const Coefficients c = {.scale = step.scale(),
                            .decay = decay ? static_cast<float>(weight_decay_) : 0.0F,
                            .lr = static_cast<float>(step.lr),
                            .alpha = static_cast<float>(alpha_),
                            .rest = static_cast<float>(1 - alpha_),
                            .eps = static_cast<float>(eps_),
                            .momentum = static_cast<float>(momentum_)};
    const bool momentum = momentum_ > 0;
    const Slots views = {.square_avg = slots[0],
                         .buffer = momentum ? slots[1] : std::span<float>(),
                         .grad_avg = centered_ ? slots.back() : std::span<float>()};
    if (momentum && centered_) return rmsprop_step<true, true>(c, weights, gradient, views);
    if (momentum) return rmsprop_step<true, false>(c, weights, gradient, views);
    if (centered_) return rmsprop_step<false, true>(c, weights, gradient, views);
    rmsprop_step<false, false>(c, weights, gradient, views);
  }

 private:
  double alpha_;
  double eps_;
  double momentum_;
  double weight_decay_;
  bool centered_;
  std::array<std::string_view, 3> names_ = {};
  std::size_t num_slots_ = 0;
};

}  // namespace

std::unique_ptr<Optimizer> make_rmsprop(const Options& options) {
  return std::make_unique<RmsProp>(options);
}

}  // namespace lockstep
