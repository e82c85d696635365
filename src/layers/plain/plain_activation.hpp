// Plain layers that map each number by itself.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "layers/plain_layer.hpp"

namespace lockstep {

using Curve = std::function<double(double)>;

// a = f(z), number by number.
class PlainActivation final : public PlainLayer {
 public:
  PlainActivation(Formula formula, Curve value, Curve slope, std::vector<double> kinks = {})
      : formula_(std::move(formula)), value_(std::move(value)), slope_(std::move(slope)), kinks_(std::move(kinks)) {}

  [[nodiscard]] Formula formula() const override { return formula_; }
  void forward(const PlainPass& /*pass*/, PlainTensors /*tensors*/, PlainInputs inputs,
               std::span<double> y) const override {
    const std::span<const double> x = inputs[0];
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = value_(x[i]);
  }
  [[nodiscard]] bool number_by_number() const override { return true; }
  void slopes(const PlainPass& /*pass*/, std::span<const double> x, std::span<double> dydx) const override {
    for (std::size_t i = 0; i < x.size(); ++i) dydx[i] = slope_(x[i]);
  }
  void add_sides(std::span<const double> x, std::vector<bool>& sides) const override {
    for (const double kink : kinks_) {
      for (const double value : x) sides.push_back(value > kink);
    }
  }

 private:
  Formula formula_;
  Curve value_;
  Curve slope_;
  std::vector<double> kinks_;  // where f has one
};

}  // namespace lockstep
