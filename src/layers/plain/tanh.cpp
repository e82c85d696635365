#include "layers/plain/plain_activation.hpp"

#include <cmath>
#include <memory>

#include "lockstep/options.hpp"

namespace lockstep {

std::unique_ptr<PlainLayer> plain_tanh(const Options& /*options*/) {
  return std::make_unique<PlainActivation>(
      Formula{"a = tanh(z)", "da/dz = 1 - a^2"}, [](double z) { return std::tanh(z); },
      [](double z) { return 1 - std::tanh(z) * std::tanh(z); });
}

}  // namespace lockstep
