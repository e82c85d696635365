#include "layers/plain_layer.hpp"

#include <memory>

#include "lockstep/options.hpp"

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

  void forward(const PlainPass& pass, PlainTensors tensors, PlainInputs x, std::span<double> y) const override {
    const std::size_t in = pass.shapes.empty() ? x[0].size() : pass.shapes[0].back();
    const std::size_t positions = x[0].size() / in;
    const std::size_t units = y.size() / positions;
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = output(tensors, x[0].subspan(i / units * in, in), i % units);
  }

  [[nodiscard]] std::optional<std::size_t> output_of(std::size_t tensor, std::size_t element,
                                                     const Shape& input) const override {
    if (input.dims() > 1) return std::nullopt;  // each position's
    return tensor == 0 ? element / input.size() : element;
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

}  // namespace

std::unique_ptr<PlainLayer> plain_dense(const Options& options) {
  return std::make_unique<PlainDense>(options.boolean("bias"));
}

}  // namespace lockstep
