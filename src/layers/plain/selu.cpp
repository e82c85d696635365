#include "layers/plain/plain_activation.hpp"

#include <cmath>
#include <memory>

#include "lockstep/options.hpp"

namespace lockstep {

std::unique_ptr<PlainLayer> plain_selu(const Options& /*options*/) {
  constexpr double kAlpha = 1.6732632423543772848170429916717;
  constexpr double kScale = 1.0507009873554804934193349852946;
  return std::make_unique<PlainActivation>(
      Formula{"a = 1.0507 z where z > 0, else 1.0507 * 1.6733 (exp(z) - 1)",
              "da/dz = 1.0507 where z > 0, else 1.0507 * 1.6733 exp(z)"},
      [](double z) { return kScale * (z > 0 ? z : kAlpha * std::expm1(z)); },
      [](double z) { return kScale * (z > 0 ? 1.0 : kAlpha * std::exp(z)); }, std::vector<double>{0});
}

}  // namespace lockstep
