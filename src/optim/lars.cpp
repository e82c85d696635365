// LARS: momentum with a learning rate of its own for every parameter, by the norms of weights and gradient.
//
// Source: You, Gitman and Ginsburg, Large batch training of convolutional networks (2017), algorithm 1, with the
// learning rate outside of the momentum buffer as in sgd. A parameter that starts at zero has the ratio 1.
#include <fmt/format.h>

#include <array>

#include "lockstep/error.hpp"
#include "optim/elements.hpp"
#include "optim/optimizer.hpp"

namespace lockstep {
namespace {

struct Coefficients {
  float scale, decay, ratio, lr;
  float momentum;
  float of_gradient, of_buffer;  // direction = of_gradient * gradient + of_buffer * buffer
};

LOCKSTEP_VECTOR_CLONES void lars_step(const Coefficients k, std::span<float> weights, const PairSum gradient,
                                      std::span<float> buffer) {
  for (std::size_t begin = 0; begin < weights.size(); begin += kFetchStrip) {
    const std::size_t end = end_of_strip(weights, gradient, begin);
#pragma GCC ivdep
    for (std::size_t i = begin; i < end; ++i) {
      const float g = k.ratio * (gradient[i] * k.scale + k.decay * weights[i]);
      buffer[i] = k.momentum * buffer[i] + g;
      weights[i] -= k.lr * (k.of_gradient * g + k.of_buffer * buffer[i]);
    }
  }
}

constexpr std::array<std::string_view, 1> kSlots = {"momentum_buffer"};

class Lars final : public Optimizer {
 public:
  explicit Lars(const Options& options)
      : momentum_(options.number("momentum")),
        weight_decay_(options.number("weight_decay")),
        trust_(options.number("trust_coefficient")),
        eps_(options.number("eps")),
        nesterov_(options.boolean("nesterov")) {
    if (nesterov_ && momentum_ == 0) {
      throw Error(ErrorKind::config, fmt::format("{}.nesterov: needs momentum above 0, found 0", options.where()));
    }
  }

  [[nodiscard]] std::span<const std::string_view> slots() const override { return kSlots; }
  [[nodiscard]] bool needs_norms() const override { return true; }

  [[nodiscard]] SquareSums measure(const UpdateStep& step, bool /*decay*/, std::span<const float> weights,
                                   const PairSum& gradient, std::span<const std::span<float>> slots) const override {
    check_update(weights, gradient, slots, kSlots.size());
    const double scale = step.scale();
    return {.weights = sum_squares(weights), .direction = scale * scale * sum_squares(gradient)};
  }

  void update(const UpdateStep& step, bool decay, std::span<float> weights, const PairSum& gradient,
              std::span<const std::span<float>> slots) const override {
    check_update(weights, gradient, slots, kSlots.size());
    const double weight_decay = decay ? weight_decay_ : 0;
    const bool known = step.weight_norm > 0 && step.direction_norm > 0;
    const double ratio =
        known ? trust_ * step.weight_norm / (step.direction_norm + weight_decay * step.weight_norm + eps_) : 1;
    lars_step({.scale = step.scale(),
               .decay = static_cast<float>(weight_decay),
               .ratio = static_cast<float>(ratio),
               .lr = static_cast<float>(step.lr),
               .momentum = static_cast<float>(momentum_),
               .of_gradient = nesterov_ ? 1.0F : 0.0F,
               .of_buffer = nesterov_ ? static_cast<float>(momentum_) : 1.0F},
              weights, gradient, slots[0]);
  }

 private:
  double momentum_;
  double weight_decay_;
  double trust_;
  double eps_;
  bool nesterov_;
};

}  // namespace

std::unique_ptr<Optimizer> make_lars(const Options& options) {
  return std::make_unique<Lars>(options);
}

}  // namespace lockstep
