// mish (Misra, 2019): y = x t, t = tanh(log(1 + exp(x))) = n / (n + 2) with e = exp(x), n = e (e + 2);
// dx = (t + x s (1 - t^2)) dy with s = e / (1 + e), 1 - t^2 = 4 (n + 1) / (n + 2)^2.
#include "core/vector_clones.hpp"
#include "core/vector_math.hpp"
#include "layers/activation.hpp"

namespace lockstep {
namespace {

constexpr float kStraight = 20.0F;  // from there on t is 1 in float, and n would overflow in the end

LOCKSTEP_VECTOR_CLONES void gate(std::span<const float> e, std::span<const float> x, std::span<float> y) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < y.size(); ++i) {
    const float n = e[i] * (e[i] + 2.0F);
    const float bent = x[i] * (n / (n + 2.0F));
    y[i] = x[i] > kStraight ? x[i] : bent;
  }
}

LOCKSTEP_VECTOR_CLONES void slope(std::span<const float> e, std::span<const float> x, std::span<const float> dy,
                                  std::span<float> dx) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < dx.size(); ++i) {
    const float n = e[i] * (e[i] + 2.0F);
    const float rest = 4.0F * (n + 1.0F) / ((n + 2.0F) * (n + 2.0F));
    const float bent = dy[i] * (n / (n + 2.0F) + x[i] * (e[i] / (1.0F + e[i])) * rest);
    dx[i] = x[i] > kStraight ? dy[i] : bent;
  }
}

class Mish final : public Activation {
 public:
  Mish() : Activation(Reads::input) {}

 private:
  void apply(std::span<const float> x, std::span<float> y) const override {
    in_chunks(y.size(), [&](std::size_t begin, std::span<float> e) {
      const auto in = x.subspan(begin, e.size());
      vector_exp(in, e);
      gate(e, in, y.subspan(begin, e.size()));
    });
  }
  void differentiate(std::span<const float> x, std::span<const float> dy, std::span<float> dx) const override {
    in_chunks(dx.size(), [&](std::size_t begin, std::span<float> e) {
      const auto in = x.subspan(begin, e.size());
      vector_exp(in, e);
      slope(e, in, dy.subspan(begin, e.size()), dx.subspan(begin, e.size()));
    });
  }
};

}  // namespace

std::unique_ptr<Layer> make_mish(const Options& /*options*/) {
  return std::make_unique<Mish>();
}

}  // namespace lockstep
