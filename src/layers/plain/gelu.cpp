#include "layers/plain/plain_activation.hpp"

#include <cmath>
#include <memory>
#include <numbers>

#include "lockstep/options.hpp"

namespace lockstep {

// Hendrycks and Gimpel (2016).
std::unique_ptr<PlainLayer> plain_gelu(const Options& options) {
  constexpr double kInverseSqrt2 = 1 / std::numbers::sqrt2;
  constexpr double kInverseSqrt2Pi = kInverseSqrt2 * std::numbers::inv_sqrtpi;
  if (options.text("approximate") == "none") {
    const auto phi = [](double z) { return 0.5 * (1 + std::erf(z * kInverseSqrt2)); };
    return std::make_unique<PlainActivation>(
        Formula{"a = z Phi(z), Phi the normal distribution", "da/dz = Phi(z) + z exp(-z^2 / 2) / sqrt(2 pi)"},
        [phi](double z) { return z * phi(z); },
        [phi](double z) { return phi(z) + z * std::exp(-z * z / 2) * kInverseSqrt2Pi; });
  }
  const auto tanh = [](double z) { return std::tanh(2 * kInverseSqrt2Pi * (z + 0.044715 * z * z * z)); };
  return std::make_unique<PlainActivation>(
      Formula{"a = z/2 (1 + tanh u), u = sqrt(2/pi) (z + 0.044715 z^3)",
              "da/dz = (1 + tanh u)/2 + z/2 (1 - tanh(u)^2) du/dz"},
      [tanh](double z) { return z / 2 * (1 + tanh(z)); },
      [tanh](double z) {
        const double t = tanh(z);
        return (1 + t) / 2 + z / 2 * (1 - t * t) * 2 * kInverseSqrt2Pi * (1 + 3 * 0.044715 * z * z);
      });
}

}  // namespace lockstep
