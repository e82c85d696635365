// The layers of several inputs.
#include <memory>

#include "layers/plain_layer.hpp"
#include "lockstep/options.hpp"

namespace lockstep {
namespace {

class PlainAdd final : public PlainLayer {
 public:
  [[nodiscard]] Formula formula() const override { return {"y = x1 + x2 + ...", "dy/dx1 = 1"}; }
  [[nodiscard]] bool has_slopes() const override { return false; }
  void forward(const PlainPass& /*pass*/, PlainTensors /*tensors*/, PlainInputs x, std::span<double> y) const override {
    for (std::size_t i = 0; i < y.size(); ++i) {
      y[i] = 0;
      for (const auto input : x) y[i] += input[i];
    }
  }
};

class PlainMultiply final : public PlainLayer {
 public:
  [[nodiscard]] Formula formula() const override { return {"y = x1 x2 ...", "dy/dx1 = x2 ..."}; }
  [[nodiscard]] bool has_slopes() const override { return false; }
  void forward(const PlainPass& /*pass*/, PlainTensors /*tensors*/, PlainInputs x, std::span<double> y) const override {
    for (std::size_t i = 0; i < y.size(); ++i) {
      y[i] = 1;
      for (const auto input : x) y[i] *= input[i];
    }
  }
};

class PlainConcat final : public PlainLayer {
 public:
  explicit PlainConcat(std::size_t dim) : dim_(dim) {}
  [[nodiscard]] Formula formula() const override { return {"y = (x1, x2, ...)", "dy/dx1 = 1 in its place"}; }
  [[nodiscard]] bool has_slopes() const override { return false; }
  // Number by number, by its indices before, in and behind the dimension.
  void forward(const PlainPass& pass, PlainTensors /*tensors*/, PlainInputs x, std::span<double> y) const override {
    std::size_t extent = 0;
    for (const Shape& shape : pass.shapes) extent += shape[dim_];
    std::size_t inner = 1;
    for (std::size_t dim = dim_ + 1; dim < pass.shapes[0].dims(); ++dim) inner *= pass.shapes[0][dim];
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::size_t outer = i / (extent * inner);
      std::size_t along = i / inner % extent;
      std::size_t input = 0;
      while (along >= pass.shapes[input][dim_]) along -= pass.shapes[input++][dim_];
      y[i] = x[input][(outer * pass.shapes[input][dim_] + along) * inner + i % inner];
    }
  }

 private:
  std::size_t dim_;  // of the sample
};

class PlainReshape final : public PlainLayer {
 public:
  [[nodiscard]] Formula formula() const override { return {"a = z, in another shape", "da/dz = 1"}; }
  [[nodiscard]] bool number_by_number() const override { return true; }
  void forward(const PlainPass& /*pass*/, PlainTensors /*tensors*/, PlainInputs x, std::span<double> y) const override {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[0][i];
  }
  void slopes(const PlainPass& /*pass*/, std::span<const double> /*x*/, std::span<double> dydx) const override {
    for (double& slope : dydx) slope = 1;
  }
};

}  // namespace

std::unique_ptr<PlainLayer> plain_add(const Options& /*options*/) {
  return std::make_unique<PlainAdd>();
}

std::unique_ptr<PlainLayer> plain_multiply(const Options& /*options*/) {
  return std::make_unique<PlainMultiply>();
}

std::unique_ptr<PlainLayer> plain_concat(const Options& options) {
  return std::make_unique<PlainConcat>(static_cast<std::size_t>(options.integer("dim")) - 1);
}

std::unique_ptr<PlainLayer> plain_reshape(const Options& /*options*/) {
  return std::make_unique<PlainReshape>();
}

}  // namespace lockstep
