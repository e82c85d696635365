#include "layers/plain/plain_activation.hpp"

#include <cmath>
#include <memory>

#include "lockstep/options.hpp"

namespace lockstep {

std::unique_ptr<PlainLayer> plain_silu(const Options& /*options*/) {
  const auto s = [](double z) { return 1 / (1 + std::exp(-z)); };
  return std::make_unique<PlainActivation>(
      Formula{"a = z s, s = 1 / (1 + exp(-z))", "da/dz = s (1 + z (1 - s))"}, [s](double z) { return z * s(z); },
      [s](double z) { return s(z) * (1 + z * (1 - s(z))); });
}

}  // namespace lockstep
