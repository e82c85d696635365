#include "layers/plain/plain_activation.hpp"

#include <cmath>
#include <memory>

#include "lockstep/options.hpp"

namespace lockstep {

std::unique_ptr<PlainLayer> plain_mish(const Options& /*options*/) {
  const auto t = [](double z) { return std::tanh(z > 30 ? z : std::log1p(std::exp(z))); };
  return std::make_unique<PlainActivation>(
      Formula{"a = z t, t = tanh(log(1 + exp(z)))", "da/dz = t + z (1 - t^2) / (1 + exp(-z))"},
      [t](double z) { return z * t(z); }, [t](double z) { return t(z) + z * (1 - t(z) * t(z)) / (1 + std::exp(-z)); });
}

}  // namespace lockstep
