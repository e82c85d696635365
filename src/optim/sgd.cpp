// Stochastic gradient descent with momentum, as torch.optim.SGD.
//
// Source: Sutskever, Martens, Dahl and Hinton, On the importance of initialization and momentum (2013), with PyTorch's
// learning rate outside of the momentum buffer.
#include <fmt/format.h>

#include <array>

#include "lockstep/error.hpp"
#include "optim/elements.hpp"
#include "optim/optimizer.hpp"

namespace lockstep {
namespace {

struct Coefficients {
  float scale, decay, lr;
  float keep, take;              // buffer = keep * buffer + take * gradient
  float of_gradient, of_buffer;  // direction = of_gradient * gradient + of_buffer * buffer
};

LOCKSTEP_VECTOR_CLONES void plain_step(const Coefficients k, std::span<float> weights, const PairSum gradient) {
  for (std::size_t begin = 0; begin < weights.size(); begin += kFetchStrip) {
    const std::size_t end = end_of_strip(weights, gradient, begin);
#pragma GCC ivdep
    for (std::size_t i = begin; i < end; ++i) {
      const float g = gradient[i] * k.scale + k.decay * weights[i];
      weights[i] -= k.lr * g;
    }
  }
}

LOCKSTEP_VECTOR_CLONES void momentum_step(const Coefficients k, std::span<float> weights, const PairSum gradient,
                                          std::span<float> buffer) {
  for (std::size_t begin = 0; begin < weights.size(); begin += kFetchStrip) {
    const std::size_t end = end_of_strip(weights, gradient, begin);
#pragma GCC ivdep
    for (std::size_t i = begin; i < end; ++i) {
      const float g = gradient[i] * k.scale + k.decay * weights[i];
      buffer[i] = k.keep * buffer[i] + k.take * g;
      weights[i] -= k.lr * (k.of_gradient * g + k.of_buffer * buffer[i]);
    }
  }
}

constexpr std::array<std::string_view, 1> kSlots = {"momentum_buffer"};

class Sgd final : public Optimizer {
 public:
  explicit Sgd(const Options& options)
      : momentum_(options.number("momentum")),
        dampening_(options.number("dampening")),
        weight_decay_(options.number("weight_decay")),
        nesterov_(options.boolean("nesterov")) {
    if (nesterov_ && !(momentum_ > 0 && dampening_ == 0)) {
      throw Error(ErrorKind::config,
                  fmt::format("{}.nesterov: needs momentum above 0 and dampening 0, found momentum {} and dampening {}",
                              options.where(), momentum_, dampening_));
    }
  }

  [[nodiscard]] std::span<const std::string_view> slots() const override {
    return std::span(kSlots).first(momentum_ > 0 ? 1 : 0);
  }

  void update(const UpdateStep& step, bool decay, std::span<float> weights, const PairSum& gradient,
              std::span<const std::span<float>> slots) const override {
    check_update(weights, gradient, slots, this->slots().size());
    // The first step starts the buffer with the whole gradient, without dampening.
    const bool first = step.step == 1;
    const Coefficients c = {.scale = step.scale(),
                            .decay = decay ? static_cast<float>(weight_decay_) : 0.0F,
                            .lr = static_cast<float>(step.lr),
                            .keep = first ? 0.0F : static_cast<float>(momentum_),
                            .take = first ? 1.0F : static_cast<float>(1 - dampening_),
                            .of_gradient = nesterov_ ? 1.0F : 0.0F,
                            .of_buffer = nesterov_ ? static_cast<float>(momentum_) : 1.0F};
    if (momentum_ > 0) {
      momentum_step(c, weights, gradient, slots[0]);
    } else {
      plain_step(c, weights, gradient);
    }
  }

 private:
  double momentum_;
  double dampening_;
  double weight_decay_;
  bool nesterov_;
};

}  // namespace

std::unique_ptr<Optimizer> make_sgd(const Options& options) {
  return std::make_unique<Sgd>(options);
}

}  // namespace lockstep
