// Adam and AdamW, as torch.optim.Adam and AdamW without amsgrad.
//
// The two differ in weight_decay alone: Adam adds it to the gradient, AdamW shrinks the weights.
// Source: Kingma and Ba, Adam (2015), algorithm 1; Loshchilov and Hutter, Decoupled weight decay (2019), algorithm 2.
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "lockstep/error.hpp"
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
  Adam(const Options& options, Decay kind, double default_decay)
      : eps_(non_negative(options, "eps", 1e-8)),
        weight_decay_(non_negative(options, "weight_decay", default_decay)),
        kind_(kind) {
    options.expect_only({"betas", "eps", "weight_decay"});
    const std::vector<double> betas = options.numbers("betas", std::vector{0.9, 0.999});
    const auto fits = [](double beta) { return beta >= 0 && beta < 1; };
    if (betas.size() != 2 || !fits(betas[0]) || !fits(betas[1])) {
      std::string found;
      for (const double beta : betas) found += fmt::format("{}{}", found.empty() ? "" : ", ", beta);
      throw Error(ErrorKind::config,
                  fmt::format("{}.betas: expected two numbers from 0 to below 1, found [{}]", options.where(), found));
    }
    beta1_ = betas[0];
    beta2_ = betas[1];
  }

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
                            .beta1 = static_cast<float>(beta1_),
                            .beta2 = static_cast<float>(beta2_),
                            .rest1 = static_cast<float>(1 - beta1_),
                            .rest2 = static_cast<float>(1 - beta2_),
                            .root_correction2 = static_cast<float>(std::sqrt(1 - std::pow(beta2_, count))),
                            .eps = static_cast<float>(eps_),
                            .step_size = static_cast<float>(step.lr / (1 - std::pow(beta1_, count)))};
    adam_step(c, weights, gradient, slots[0], slots[1]);
  }

 private:
  double beta1_ = 0;
  double beta2_ = 0;
  double eps_;
  double weight_decay_;
  Decay kind_;
};

}  // namespace

std::unique_ptr<Optimizer> make_adam(const Options& options) {
  return std::make_unique<Adam>(options, Decay::of_gradient, 0.0);
}

std::unique_ptr<Optimizer> make_adamw(const Options& options) {
  return std::make_unique<Adam>(options, Decay::of_weights, 1e-2);
}

}  // namespace lockstep
