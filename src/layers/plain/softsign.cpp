#include "layers/plain/plain_activation.hpp"

#include <cmath>
#include <memory>

#include "lockstep/options.hpp"

namespace lockstep {

std::unique_ptr<PlainLayer> plain_softsign(const Options& /*options*/) {
  return std::make_unique<PlainActivation>(
      Formula{"a = z / (1 + |z|)", "da/dz = 1 / (1 + |z|)^2"}, [](double z) { return z / (1 + std::abs(z)); },
      [](double z) { return 1 / ((1 + std::abs(z)) * (1 + std::abs(z))); });
}

}  // namespace lockstep
