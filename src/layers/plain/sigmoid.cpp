#include "layers/plain/plain_activation.hpp"

#include <cmath>
#include <memory>

#include "lockstep/options.hpp"

namespace lockstep {

std::unique_ptr<PlainLayer> plain_sigmoid(const Options& /*options*/) {
  const auto value = [](double z) { return 1 / (1 + std::exp(-z)); };
  return std::make_unique<PlainActivation>(Formula{"a = 1 / (1 + exp(-z))", "da/dz = a (1 - a)"}, value,
                                           [value](double z) { return value(z) * (1 - value(z)); });
}

}  // namespace lockstep
