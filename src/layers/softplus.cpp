// softplus: y = log(1 + exp(beta x)) / beta, and x itself where beta x > threshold; dx = dy / (1 + exp(-beta x)), or
// dy.
#include <algorithm>
#include <cmath>

#include "core/vector_math.hpp"
#include "layers/activation.hpp"

namespace lockstep {
namespace {

class Softplus final : public Activation {
 public:
  Softplus(float beta, float threshold) : Activation(Reads::input), beta_(beta), threshold_(threshold) {}

 private:
  void apply(std::span<const float> x, std::span<float> y) const override {
    in_chunks(y.size(), [&](std::size_t begin, std::span<float> exps) {
      // exp(-|beta x|), which does not overflow.
      for (std::size_t i = 0; i < exps.size(); ++i) exps[i] = -std::abs(beta_ * x[begin + i]);
      vector_exp(exps, exps);
      for (std::size_t i = 0; i < exps.size(); ++i) {
        const float z = beta_ * x[begin + i];
        const float bent = (std::max(z, 0.0F) + std::log1p(exps[i])) / beta_;
        y[begin + i] = z > threshold_ ? x[begin + i] : bent;
      }
    });
  }
  void differentiate(std::span<const float> x, std::span<const float> dy, std::span<float> dx) const override {
    in_chunks(dx.size(), [&](std::size_t begin, std::span<float> s) {
      for (std::size_t i = 0; i < s.size(); ++i) s[i] = beta_ * x[begin + i];
      vector_sigmoid(s, s);
      for (std::size_t i = 0; i < s.size(); ++i) {
        const float bent = dy[begin + i] * s[i];
        dx[begin + i] = beta_ * x[begin + i] > threshold_ ? dy[begin + i] : bent;
      }
    });
  }

  float beta_;
  float threshold_;
};

}  // namespace

std::unique_ptr<Layer> make_softplus(const Options& options) {
  return std::make_unique<Softplus>(static_cast<float>(options.number("beta")),
                                    static_cast<float>(options.number("threshold")));
}

}  // namespace lockstep
