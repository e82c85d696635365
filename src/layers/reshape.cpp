// reshape and flatten: the same numbers in the same order, as samples of another shape.
#include <algorithm>
#include <cmath>
#include <vector>

#include "layers/input_shapes.hpp"
#include "layers/layer.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr double kMostExtent = 0x1p31;

class Reshape final : public Layer {
 public:
  /// Extents, one of which may be -1: what is left for it.
  explicit Reshape(std::vector<double> extents) : extents_(std::move(extents)) {}

  [[nodiscard]] LayerPlan plan(std::span<const Shape> inputs) const override {
    return {.output = output_of(only_input(inputs)), .reads_input = false, .reads_output = false, .in_place = true};
  }

  void forward(const PassContext& /*pass*/, const ForwardCall& call) const override {
    move(call.x[0].values, call.y.values);
  }
  void backward(const PassContext& /*pass*/, const BackwardCall& call) const override {
    if (!call.dx[0].values.empty()) move(call.dy.values, call.dx[0].values);
  }

 private:
  static void move(std::span<const float> from, std::span<float> to) {
    if (from.data() != to.data()) std::ranges::copy(from, to.begin());
  }

  [[nodiscard]] Shape output_of(const Shape& input) const {
    std::vector<std::size_t> extents;
    std::size_t known = 1;
    for (const double extent : extents_) {
      extents.push_back(extent < 0 ? 0 : static_cast<std::size_t>(extent));
      if (extent > 0) known *= extents.back();
    }
    const auto open = std::ranges::find(extents, std::size_t{0});
    if (open != extents.end()) *open = input.size() / known;
    const Shape output(extents);
    if (output.size() == input.size() && output.size() > 0) return output;
    throw Error(ErrorKind::config,
                "expected a shape of " + std::to_string(input.size()) + " numbers, found " + output.text());
  }

  std::vector<double> extents_;
};

}  // namespace

std::unique_ptr<Layer> make_flatten(const Options& /*options*/) {
  return std::make_unique<Reshape>(std::vector<double>{-1});
}

std::unique_ptr<Layer> make_reshape(const Options& options) {
  std::vector<double> extents = options.numbers("shape");
  const auto is_extent = [](double e) { return e == -1 || (e >= 1 && e < kMostExtent && std::floor(e) == e); };
  if (extents.empty() || extents.size() > Shape::kMostExtents || !std::ranges::all_of(extents, is_extent) ||
      std::ranges::count(extents, -1.0) > 1) {
    throw Error(ErrorKind::config, options.where() +
                                       ".shape: expected 1 to 4 extents, integers from 1, one of which "
                                       "may be -1 for what is left");
  }
  return std::make_unique<Reshape>(std::move(extents));
}

}  // namespace lockstep
