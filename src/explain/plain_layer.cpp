// The one list of plain layers.
#include "explain/plain_layer.hpp"

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <numbers>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

// z = W x + b.  W [out,in], b [out].
class PlainDense final : public PlainLayer {
 public:
  explicit PlainDense(bool bias) : bias_(bias) {}

  [[nodiscard]] Formula formula() const override {
    return {bias_ ? "z = W x + b" : "z = W x",
            bias_ ? "dz[i]/dW[i,j] = x[j], dz[i]/db[i] = 1" : "dz[i]/dW[i,j] = x[j]"};
  }

  void forward(const PlainPass& /*pass*/, PlainTensors tensors, std::span<const double> x,
               std::span<double> y) const override {
    for (std::size_t unit = 0; unit < y.size(); ++unit) y[unit] = output(tensors, x, unit);
  }

  [[nodiscard]] std::optional<std::size_t> output_of(std::size_t tensor, std::size_t element,
                                                     std::size_t inputs) const override {
    return tensor == 0 ? element / inputs : element;
  }

  [[nodiscard]] double output(PlainTensors tensors, std::span<const double> x, std::size_t unit) const override {
    double sum = bias_ ? tensors[1][unit] : 0;
    const auto row = tensors[0].subspan(unit * x.size(), x.size());
    for (std::size_t j = 0; j < x.size(); ++j) sum += row[j] * x[j];
    return sum;
  }

  [[nodiscard]] double weight_slope(std::size_t tensor, std::size_t element, std::span<const double> x) const override {
    return tensor == 0 ? x[element % x.size()] : 1;
  }
  [[nodiscard]] double input_slope(PlainTensors tensors, std::span<const double> x, std::size_t output,
                                   std::size_t input) const override {
    return tensors[0][output * x.size() + input];
  }

 private:
  bool bias_;
};

using Curve = std::function<double(double)>;

// a = f(z), number by number.
class PlainActivation final : public PlainLayer {
 public:
  PlainActivation(Formula formula, Curve value, Curve slope, bool kink = false)
      : formula_(std::move(formula)), value_(std::move(value)), slope_(std::move(slope)), kink_(kink) {}

  [[nodiscard]] Formula formula() const override { return formula_; }
  void forward(const PlainPass& /*pass*/, PlainTensors /*tensors*/, std::span<const double> x,
               std::span<double> y) const override {
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = value_(x[i]);
  }
  [[nodiscard]] bool number_by_number() const override { return true; }
  void slopes(const PlainPass& /*pass*/, std::span<const double> x, std::span<double> dydx) const override {
    for (std::size_t i = 0; i < x.size(); ++i) dydx[i] = slope_(x[i]);
  }
  void add_sides(std::span<const double> x, std::vector<bool>& sides) const override {
    if (!kink_) return;
    for (const double value : x) sides.push_back(value > 0);
  }

 private:
  Formula formula_;
  Curve value_;
  Curve slope_;
  bool kink_;  // at 0
};

// Each number is 0 with probability `rate`, else divided by 1 - rate. Which ones: see layers/dropout.cpp.
class PlainDropout final : public PlainLayer {
 public:
  explicit PlainDropout(double rate) : rate_(rate) {}

  [[nodiscard]] Formula formula() const override {
    return {fmt::format("a := m a, m = 0 for {:g} of them, else 1 / {:g}", rate_, 1 - rate_), "da/dz := m da/dz"};
  }
  void forward(const PlainPass& pass, PlainTensors /*tensors*/, std::span<const double> x,
               std::span<double> y) const override {
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

std::unique_ptr<PlainLayer> plain_dense(const Options& options) {
  return std::make_unique<PlainDense>(options.boolean("bias", true));
}

std::unique_ptr<PlainLayer> plain_relu(const Options& /*options*/) {
  return std::make_unique<PlainActivation>(
      Formula{"a = max(0, z)", "da/dz = 1 where z > 0, else 0"}, [](double z) { return z > 0 ? z : 0; },
      [](double z) { return z > 0 ? 1.0 : 0.0; }, true);
}

std::unique_ptr<PlainLayer> plain_leaky_relu(const Options& options) {
  const double slope = static_cast<float>(options.number("negative_slope", 0.01));
  return std::make_unique<PlainActivation>(
      Formula{fmt::format("a = z where z > 0, else {:.6g} z", slope),
              fmt::format("da/dz = 1 where z > 0, else {:.6g}", slope)},
      [slope](double z) { return z > 0 ? z : slope * z; }, [slope](double z) { return z > 0 ? 1.0 : slope; }, true);
}

// Hendrycks and Gimpel (2016).
std::unique_ptr<PlainLayer> plain_gelu(const Options& options) {
  constexpr double kInverseSqrt2 = 1 / std::numbers::sqrt2;
  constexpr double kInverseSqrt2Pi = kInverseSqrt2 * std::numbers::inv_sqrtpi;
  if (options.text("approximate", "none") == "none") {
    const auto phi = [](double z) { return 0.5 * (1 + std::erf(z * kInverseSqrt2)); };
    return std::make_unique<PlainActivation>(
        Formula{"a = z Phi(z), Phi the normal distribution", "da/dz = Phi(z) + z exp(-z^2 / 2) / sqrt(2 pi)"},
        [phi](double z) { return z * phi(z); },
        [phi](double z) { return phi(z) + z * std::exp(-z * z / 2) * kInverseSqrt2Pi; });
  }
  const auto tanh = [](double z) { return std::tanh(2 * kInverseSqrt2Pi * (z + 0.044715 * z * z * z)); };
  return std::make_unique<PlainActivation>(
      Formula{"a = z/2 (1 + tanh u), u = sqrt(2/pi) (z + 0.044715 z^3)",
              "da/dz = (1 + tanh u)/2 + z/2 (1 - tanh(u)^2) du/dz"},
      [tanh](double z) { return z / 2 * (1 + tanh(z)); },
      [tanh](double z) {
        const double t = tanh(z);
        return (1 + t) / 2 + z / 2 * (1 - t * t) * 2 * kInverseSqrt2Pi * (1 + 3 * 0.044715 * z * z);
      });
}

std::unique_ptr<PlainLayer> plain_tanh(const Options& /*options*/) {
  return std::make_unique<PlainActivation>(
      Formula{"a = tanh(z)", "da/dz = 1 - a^2"}, [](double z) { return std::tanh(z); },
      [](double z) { return 1 - std::tanh(z) * std::tanh(z); });
}

std::unique_ptr<PlainLayer> plain_sigmoid(const Options& /*options*/) {
  const auto value = [](double z) { return 1 / (1 + std::exp(-z)); };
  return std::make_unique<PlainActivation>(Formula{"a = 1 / (1 + exp(-z))", "da/dz = a (1 - a)"}, value,
                                           [value](double z) { return value(z) * (1 - value(z)); });
}

std::unique_ptr<PlainLayer> plain_dropout(const Options& options) {
  return std::make_unique<PlainDropout>(options.number("rate", 0.5));
}

constexpr PlainLayerType kPlainLayers[] = {
    {"dense", plain_dense}, {"relu", plain_relu},       {"leaky_relu", plain_leaky_relu}, {"gelu", plain_gelu},
    {"tanh", plain_tanh},   {"sigmoid", plain_sigmoid}, {"dropout", plain_dropout},
};

}  // namespace

std::span<const PlainLayerType> plain_layer_table() {
  return kPlainLayers;
}

std::unique_ptr<PlainLayer> make_plain_layer(std::string_view type, const Options& options) {
  for (const PlainLayerType& entry : kPlainLayers) {
    if (entry.name == type) return entry.make(options);
  }
  throw Error(ErrorKind::internal, fmt::format("explain knows no layer of type \"{}\"", type));
}

}  // namespace lockstep
