// LAMB: Adam's direction, its length set by the norm of the weights, parameter by parameter.
//
// Source: You et al., Large batch optimization for deep learning: training BERT in 76 minutes (2020), algorithm 2 with
// phi(x) = x. A parameter that starts at zero has the ratio 1.
#include <array>
#include <cmath>

#include "lockstep/error.hpp"
#include "optim/elements.hpp"
#include "optim/optimizer.hpp"

namespace lockstep {
namespace {

struct Coefficients {
  float scale, decay;
  float beta1, beta2;
  float rest1, rest2;           // 1 - beta
  float correction1;            // 1 - beta1^step
  float root_correction2, eps;  // sqrt(1 - beta2^step)
};

// Moments first, then the direction r = m^ / (sqrt(v^) + eps) + decay w.  All [n].
LOCKSTEP_VECTOR_CLONES void advance_moments(const Coefficients k, std::span<const float> weights,
                                            const PairSum gradient, std::span<float> exp_avg,
                                            std::span<float> exp_avg_sq) {
  for (std::size_t begin = 0; begin < weights.size(); begin += kFetchStrip) {
    const std::size_t end = end_of_strip(weights, gradient, begin);
#pragma GCC ivdep
    for (std::size_t i = begin; i < end; ++i) {
      const float g = gradient[i] * k.scale;
      exp_avg[i] = k.beta1 * exp_avg[i] + k.rest1 * g;
      exp_avg_sq[i] = k.beta2 * exp_avg_sq[i] + k.rest2 * g * g;
    }
  }
}

LOCKSTEP_VECTOR_CLONES void direction_of(const Coefficients k, std::span<const float> weights,
                                         std::span<const float> exp_avg, std::span<const float> exp_avg_sq,
                                         std::span<float> direction) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < direction.size(); ++i) {
    direction[i] =
        exp_avg[i] / k.correction1 / (std::sqrt(exp_avg_sq[i]) / k.root_correction2 + k.eps) + k.decay * weights[i];
  }
}

std::span<float> part_of_buffer(std::span<float> buffer, std::size_t size) {
  if (size > buffer.size()) throw Error(ErrorKind::usage, "lamb: more elements at once than a block has");
  return buffer.first(size);
}

LOCKSTEP_VECTOR_CLONES void move(float amount, std::span<const float> direction, std::span<float> weights) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] -= amount * direction[i];
}

constexpr std::array<std::string_view, 2> kSlots = {"exp_avg", "exp_avg_sq"};

class Lamb final : public Optimizer {
 public:
  explicit Lamb(const Options& options)
      : betas_(betas_of(options)), eps_(options.number("eps")), weight_decay_(options.number("weight_decay")) {}

  [[nodiscard]] std::span<const std::string_view> slots() const override { return kSlots; }
  [[nodiscard]] bool needs_norms() const override { return true; }

  [[nodiscard]] SquareSums measure(const UpdateStep& step, bool decay, std::span<const float> weights,
                                   const PairSum& gradient, std::span<const std::span<float>> slots) const override {
    check_update(weights, gradient, slots, kSlots.size());
    std::array<float, PairSum::kMostAlone> buffer;
    const auto direction = part_of_buffer(buffer, weights.size());
    const Coefficients c = coefficients(step, decay);
    advance_moments(c, weights, gradient, slots[0], slots[1]);
    direction_of(c, weights, slots[0], slots[1], direction);
    return {.weights = sum_squares(weights), .direction = sum_squares(std::span<const float>(direction))};
  }

  // The moments are those that measure() left; the direction is made again, for it was not kept.
  void update(const UpdateStep& step, bool decay, std::span<float> weights, const PairSum& gradient,
              std::span<const std::span<float>> slots) const override {
    check_update(weights, gradient, slots, kSlots.size());
    std::array<float, PairSum::kMostAlone> buffer;
    const auto direction = part_of_buffer(buffer, weights.size());
    direction_of(coefficients(step, decay), weights, slots[0], slots[1], direction);
    const bool known = step.weight_norm > 0 && step.direction_norm > 0;
    const double ratio = known ? step.weight_norm / step.direction_norm : 1;
    move(static_cast<float>(step.lr * ratio), direction, weights);
  }

 private:
  [[nodiscard]] Coefficients coefficients(const UpdateStep& step, bool decay) const {
    const auto count = static_cast<double>(step.step);
    return {.scale = step.scale(),
            .decay = decay ? static_cast<float>(weight_decay_) : 0.0F,
            .beta1 = static_cast<float>(betas_[0]),
            .beta2 = static_cast<float>(betas_[1]),
            .rest1 = static_cast<float>(1 - betas_[0]),
            .rest2 = static_cast<float>(1 - betas_[1]),
            .correction1 = static_cast<float>(1 - std::pow(betas_[0], count)),
            .root_correction2 = static_cast<float>(std::sqrt(1 - std::pow(betas_[1], count))),
            .eps = static_cast<float>(eps_)};
  }

  std::array<double, 2> betas_;
  double eps_;
  double weight_decay_;
};

}  // namespace

std::unique_ptr<Optimizer> make_lamb(const Options& options) {
  return std::make_unique<Lamb>(options);
}

}  // namespace lockstep
