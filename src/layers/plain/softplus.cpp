#include "layers/plain/plain_activation.hpp"

#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "lockstep/options.hpp"

namespace lockstep {

std::unique_ptr<PlainLayer> plain_softplus(const Options& options) {
  const double beta = static_cast<float>(options.number("beta"));
  const double threshold = static_cast<float>(options.number("threshold"));
  return std::make_unique<PlainActivation>(
      Formula{fmt::format("a = log(1 + exp({0:.6g} z)) / {0:.6g}, z where {0:.6g} z > {1:.6g}", beta, threshold),
              fmt::format("da/dz = 1 / (1 + exp(-{0:.6g} z)), 1 where {0:.6g} z > {1:.6g}", beta, threshold)},
      [=](double z) { return beta * z > threshold ? z : std::log1p(std::exp(beta * z)) / beta; },
      [=](double z) { return beta * z > threshold ? 1.0 : 1 / (1 + std::exp(-beta * z)); },
      std::vector<double>{threshold / beta});
}

}  // namespace lockstep
