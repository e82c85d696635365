// elu (Clevert et al., 2015): y = x for x > 0, alpha (exp(x) - 1) otherwise; there dx = (y + alpha) dy.
#include "core/vector_clones.hpp"
#include "core/vector_math.hpp"
#include "layers/activation.hpp"

namespace lockstep {
namespace {

// exps[i] = exp(x[i])
LOCKSTEP_VECTOR_CLONES void bend(float alpha, std::span<const float> exps, std::span<const float> x,
                                 std::span<float> y) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < y.size(); ++i) {
    const float below = alpha * (exps[i] - 1.0F);
    y[i] = x[i] > 0.0F ? x[i] : below;
  }
}

LOCKSTEP_VECTOR_CLONES void slope(float alpha, std::span<const float> y, std::span<const float> dy,
                                  std::span<float> dx) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < dx.size(); ++i) {
    const float below = dy[i] * (y[i] + alpha);
    dx[i] = y[i] > 0.0F ? dy[i] : below;
  }
}

class Elu final : public Activation {
 public:
  explicit Elu(float alpha) : Activation(Reads::output), alpha_(alpha) {}

 private:
  void apply(std::span<const float> x, std::span<float> y) const override {
    in_chunks(y.size(), [&](std::size_t begin, std::span<float> exps) {
      const auto in = x.subspan(begin, exps.size());
      vector_exp(in, exps);
      bend(alpha_, exps, in, y.subspan(begin, exps.size()));
    });
  }
  void differentiate(std::span<const float> y, std::span<const float> dy, std::span<float> dx) const override {
    slope(alpha_, y, dy, dx);
  }

  float alpha_;
};

}  // namespace

std::unique_ptr<Layer> make_elu(const Options& options) {
  return std::make_unique<Elu>(static_cast<float>(options.number("alpha")));
}

}  // namespace lockstep
