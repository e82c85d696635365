// concat: its inputs one behind the other along a dimension. `dim` counts as in PyTorch, where the rows are 0.
#include <algorithm>
#include <string>
#include <vector>

#include "layers/input_shapes.hpp"
#include "layers/layer.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

class Concat final : public Layer {
 public:
  explicit Concat(std::size_t dim) : dim_(dim) {}

  [[nodiscard]] LayerPlan plan(std::span<const Shape> inputs) const override {
    expect_several(inputs);
    const Shape& first = inputs.front();
    if (dim_ >= first.dims()) {
      throw Error(ErrorKind::config,
                  "dim: expected 1 to " + std::to_string(first.dims()) + ", found " + std::to_string(dim_ + 1));
    }
    std::vector<std::size_t> extents(first.extents().begin(), first.extents().end());
    extents[dim_] = 0;
    for (const Shape& input : inputs) {
      for (std::size_t dim = 0; dim < first.dims(); ++dim) {
        if (input.dims() == first.dims() && (dim == dim_ || input[dim] == first[dim])) continue;
        throw Error(ErrorKind::config,
                    "expected inputs whose shapes differ in dim " + std::to_string(dim_ + 1) + " alone");
      }
      extents[dim_] += input[dim_];
    }
    return {.output = Shape(extents), .reads_input = false, .reads_output = false};
  }

  void forward(const PassContext& /*pass*/, const ForwardCall& call) const override {
    std::size_t offset = 0;
    for (const Tensor<const float>& x : call.x) {
      const std::size_t run = run_of(x.shape);
      const std::size_t stride = run_of(call.y.shape);
      for (std::size_t i = 0; i * run < x.values.size(); ++i) {
        std::ranges::copy(x.values.subspan(i * run, run), call.y.values.subspan(i * stride + offset).begin());
      }
      offset += run;
    }
  }

  void backward(const PassContext& /*pass*/, const BackwardCall& call) const override {
    std::size_t offset = 0;
    const std::size_t stride = run_of(call.dy.shape);
    for (const Tensor<float>& dx : call.dx) {
      const std::size_t run = run_of(dx.shape);
      for (std::size_t i = 0; i * run < dx.values.size(); ++i) {
        std::ranges::copy(call.dy.values.subspan(i * stride + offset, run), dx.values.subspan(i * run, run).begin());
      }
      offset += run;
    }
  }

 private:
  // Numbers that lie together in an input: those of the dimension and all behind it.
  [[nodiscard]] std::size_t run_of(const Shape& shape) const {
    std::size_t run = 1;
    for (const std::size_t extent : shape.extents().subspan(dim_)) run *= extent;
    return run;
  }

  std::size_t dim_;  // of the sample
};

}  // namespace

std::unique_ptr<Layer> make_concat(const Options& options) {
  return std::make_unique<Concat>(static_cast<std::size_t>(options.integer("dim")) - 1);
}

}  // namespace lockstep
