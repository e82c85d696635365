#include "layers/plain/plain_activation.hpp"

#include <fmt/format.h>

#include <memory>

#include "lockstep/options.hpp"

namespace lockstep {

std::unique_ptr<PlainLayer> plain_leaky_relu(const Options& options) {
  const double slope = static_cast<float>(options.number("negative_slope"));
  return std::make_unique<PlainActivation>(
      Formula{fmt::format("a = z where z > 0, else {:.6g} z", slope),
              fmt::format("da/dz = 1 where z > 0, else {:.6g}", slope)},
      [slope](double z) { return z > 0 ? z : slope * z; }, [slope](double z) { return z > 0 ? 1.0 : slope; },
      std::vector<double>{0});
}

}  // namespace lockstep
