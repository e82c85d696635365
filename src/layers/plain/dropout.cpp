#include "layers/plain_layer.hpp"

#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "lockstep/options.hpp"

namespace lockstep {
namespace {

// Each number is 0 with probability `rate`, else divided by 1 - rate. Which ones: see layers/dropout.cpp.
class PlainDropout final : public PlainLayer {
 public:
  explicit PlainDropout(double rate) : rate_(rate) {}

  [[nodiscard]] Formula formula() const override {
    return {fmt::format("a := m a, m = 0 for {:g} of them, else 1 / {:g}", rate_, 1 - rate_), "da/dz := m da/dz"};
  }
  void forward(const PlainPass& pass, PlainTensors /*tensors*/, PlainInputs inputs,
               std::span<double> y) const override {
    const std::span<const double> x = inputs[0];
    slopes(pass, x, y);
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = y[i] == 0 ? 0 : y[i] * x[i];
  }
  [[nodiscard]] bool number_by_number() const override { return true; }
  void slopes(const PlainPass& pass, std::span<const double> x, std::span<double> dydx) const override {
    const RandomKey key{pass.seed, RandomPurpose::dropout, pass.layer, pass.step, pass.sample};
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::uint32_t word = random_words(key, static_cast<std::uint32_t>(i / 4))[i % 4];
      dydx[i] = word < std::ceil(rate_ * 0x1p32) ? 0 : static_cast<float>(1 / (1 - rate_));
    }
  }

 private:
  double rate_;
};

}  // namespace

std::unique_ptr<PlainLayer> plain_dropout(const Options& options) {
  return std::make_unique<PlainDropout>(options.number("rate"));
}

}  // namespace lockstep
