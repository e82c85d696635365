#include "layers/plain/plain_activation.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "lockstep/options.hpp"

namespace lockstep {

std::unique_ptr<PlainLayer> plain_hard_sigmoid(const Options& /*options*/) {
  return std::make_unique<PlainActivation>(
      Formula{"a = z/6 + 1/2, from 0 to 1", "da/dz = 1/6 where -3 < z < 3, else 0"},
      [](double z) { return std::clamp(z / 6 + 0.5, 0.0, 1.0); },
      [](double z) { return std::abs(z) < 3 ? 1.0 / 6 : 0.0; }, std::vector<double>{-3, 3});
}

}  // namespace lockstep
