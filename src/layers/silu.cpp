// silu (Elfwing et al., 2017; Swish): y = x s, s = 1 / (1 + exp(-x)); dx = s (1 + x (1 - s)) dy.
#include "core/vector_clones.hpp"
#include "core/vector_math.hpp"
#include "layers/activation.hpp"

namespace lockstep {
namespace {

LOCKSTEP_VECTOR_CLONES void gate(std::span<const float> s, std::span<const float> x, std::span<float> y) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[i] * s[i];
}

LOCKSTEP_VECTOR_CLONES void slope(std::span<const float> s, std::span<const float> x, std::span<const float> dy,
                                  std::span<float> dx) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < dx.size(); ++i) dx[i] = dy[i] * (s[i] * (1.0F + x[i] * (1.0F - s[i])));
}

class Silu final : public Activation {
 public:
  Silu() : Activation(Reads::input) {}

 private:
  void apply(std::span<const float> x, std::span<float> y) const override {
    in_chunks(y.size(), [&](std::size_t begin, std::span<float> s) {
      const auto in = x.subspan(begin, s.size());
      vector_sigmoid(in, s);
      gate(s, in, y.subspan(begin, s.size()));
    });
  }
  void differentiate(std::span<const float> x, std::span<const float> dy, std::span<float> dx) const override {
    in_chunks(dx.size(), [&](std::size_t begin, std::span<float> s) {
      const auto in = x.subspan(begin, s.size());
      vector_sigmoid(in, s);
      slope(s, in, dy.subspan(begin, s.size()), dx.subspan(begin, s.size()));
    });
  }
};

}  // namespace

std::unique_ptr<Layer> make_silu(const Options& /*options*/) {
  return std::make_unique<Silu>();
}

}  // namespace lockstep
