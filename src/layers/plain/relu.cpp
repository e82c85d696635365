#include "layers/plain/plain_activation.hpp"

#include <memory>

#include "lockstep/options.hpp"

namespace lockstep {

std::unique_ptr<PlainLayer> plain_relu(const Options& /*options*/) {
  return std::make_unique<PlainActivation>(
      Formula{"a = max(0, z)", "da/dz = 1 where z > 0, else 0"}, [](double z) { return z > 0 ? z : 0; },
      [](double z) { return z > 0 ? 1.0 : 0.0; }, std::vector<double>{0});
}

}  // namespace lockstep
