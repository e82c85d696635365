// Adagrad, as torch.optim.Adagrad.
//
// Source: Duchi, Hazan and Singer, Adaptive subgradient methods (2011), with PyTorch's learning-rate decay.
#include <array>
#include <cmath>

#include "optim/elements.hpp"
#include "optim/optimizer.hpp"

namespace lockstep {
namespace {

struct Coefficients {
  float scale, decay, lr, eps;
};

LOCKSTEP_VECTOR_CLONES void adagrad_step(const Coefficients k, std::span<float> weights, const PairSum gradient,
                                         std::span<float> squares) {
  for (std::size_t begin = 0; begin < weights.size(); begin += kFetchStrip) {
    const std::size_t end = end_of_strip(weights, gradient, begin);
#pragma GCC ivdep
    for (std::size_t i = begin; i < end; ++i) {
      const float g = gradient[i] * k.scale + k.decay * weights[i];
      squares[i] += g * g;
      weights[i] -= k.lr * g / (std::sqrt(squares[i]) + k.eps);
    }
  }
}

constexpr std::array<std::string_view, 1> kSlots = {"sum"};

class Adagrad final : public Optimizer {
 public:
  explicit Adagrad(const Options& options)
      : lr_decay_(options.number("lr_decay")),
        eps_(options.number("eps")),
        start_(options.number("initial_accumulator_value")),
        weight_decay_(options.number("weight_decay")) {}

  [[nodiscard]] std::span<const std::string_view> slots() const override { return kSlots; }
  [[nodiscard]] float slot_start(std::size_t /*index*/) const override { return static_cast<float>(start_); }

  void update(const UpdateStep& step, bool decay, std::span<float> weights, const PairSum& gradient,
              std::span<const std::span<float>> slots) const override {
    check_update(weights, gradient, slots, kSlots.size());
    const auto steps_before = static_cast<double>(step.step - 1);
    const Coefficients c = {.scale = step.scale(),
                            .decay = decay ? static_cast<float>(weight_decay_) : 0.0F,
                            .lr = static_cast<float>(step.lr / (1 + steps_before * lr_decay_)),
                            .eps = static_cast<float>(eps_)};
    adagrad_step(c, weights, gradient, slots[0]);
  }

 private:
  double lr_decay_;
  double eps_;
  double start_;
  double weight_decay_;
};

}  // namespace

std::unique_ptr<Optimizer> make_adagrad(const Options& options) {
  return std::make_unique<Adagrad>(options);
}

}  // namespace lockstep
