#include "layers/plain/plain_activation.hpp"

#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "lockstep/options.hpp"

namespace lockstep {

// At 0 its slope jumps from alpha to 1.
std::unique_ptr<PlainLayer> plain_elu(const Options& options) {
  const double alpha = static_cast<float>(options.number("alpha"));
  return std::make_unique<PlainActivation>(
      Formula{fmt::format("a = z where z > 0, else {:.6g} (exp(z) - 1)", alpha),
              fmt::format("da/dz = 1 where z > 0, else {:.6g} exp(z)", alpha)},
      [alpha](double z) { return z > 0 ? z : alpha * std::expm1(z); },
      [alpha](double z) { return z > 0 ? 1.0 : alpha * std::exp(z); }, std::vector<double>{0});
}

}  // namespace lockstep
