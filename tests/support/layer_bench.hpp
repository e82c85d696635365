// Layers by themselves, and nets around one of each, for tests.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "compute/compute.hpp"
#include "layers/layer_table.hpp"
#include "lockstep/run_config.hpp"

namespace lockstep::test {

/// A layer with its numbers, all of them 0 at first.
class LayerBench {
 public:
  LayerBench(std::string_view type, const Options& options, std::vector<Shape> inputs, std::size_t rows_of_x)
      : shapes(std::move(inputs)),
        rows(rows_of_x),
        layer(make_layer(type, options)),
        plan(layer->plan(shapes)),
        sums_(2 * plan.shard_sums) {
    ParameterTable table;
    for (const ParameterSpec& spec : plan.parameters) {
      const std::size_t entry = table.add("layer", spec.name, spec.shape, spec.kind);
      ranges.push_back(table.entries()[entry].range);
    }
    weights.resize(table.arena_size());
    for (const Shape& shape : shapes) x.emplace_back(rows * shape.size());
    dy.resize(rows * plan.output.size());
    saved_.resize(rows * plan.saved);
    for (std::size_t row = 0; row < rows; ++row) samples_.push_back(static_cast<std::uint32_t>(row * 41 % 29));
    pass = {.training = true, .seed = 11, .step = 4, .layer = 2, .samples = samples_, .compute = compute_.get()};
  }
  LayerBench(const LayerBench&) = delete;
  LayerBench& operator=(const LayerBench&) = delete;

  /// y, in memory that held `old_contents`.
  std::vector<float> forward(float old_contents = 0) {
    std::vector<float> y(dy.size(), old_contents);
    forward_to(y, inputs());
    return y;
  }
  void forward_to(std::span<float> y, std::span<const Tensor<const float>> from) {
    const ForwardCall call{
        .parameters = {weights, ranges}, .x = from, .y = {y, rows, plan.output}, .saved = saved_, .sums = sums()};
    if (plan.shard_sums > 0 && pass.training) layer->forward_sums(pass, call);
    layer->forward(pass, call);
  }

  struct Gradients {
    std::vector<std::vector<float>> dx;  // [inputs]
    std::vector<float> weights;
    bool operator==(const Gradients&) const = default;
  };
  /// After forward; all memory held `old_contents`.
  Gradients backward(bool with_dx = true, float old_contents = 0) {
    const std::vector<float> y = forward();
    return backward_of(inputs(), y, with_dx, old_contents);
  }
  Gradients backward_of(std::span<const Tensor<const float>> from, std::span<const float> y, bool with_dx = true,
                        float old_contents = 0) {
    Gradients gradients{{}, std::vector<float>(weights.size(), 0)};
    for (const Range range : ranges) {
      std::fill_n(gradients.weights.begin() + static_cast<std::ptrdiff_t>(range.begin), range.size(), old_contents);
    }
    std::vector<Tensor<float>> dx;
    for (std::size_t i = 0; i < x.size(); ++i) {
      gradients.dx.emplace_back(with_dx ? x[i].size() : 0, old_contents);
    }
    for (std::size_t i = 0; i < x.size(); ++i) dx.push_back({gradients.dx[i], rows, shapes[i]});
    backward_to(from, y, dy, dx, gradients.weights);
    return gradients;
  }
  void backward_to(std::span<const Tensor<const float>> from, std::span<const float> y, std::span<const float> of_y,
                   std::span<const Tensor<float>> dx, std::span<float> gradient) {
    const BackwardCall call{.parameters = {weights, ranges},
                            .x = from,
                            .y = {y, rows, plan.output},
                            .dy = {of_y, rows, plan.output},
                            .saved = saved_,
                            .dx = dx,
                            .gradients = {gradient, ranges},
                            .sums = sums()};
    if (plan.shard_sums > 0 && pass.training) layer->backward_sums(pass, call);
    layer->backward(pass, call);
  }

  [[nodiscard]] std::vector<Tensor<const float>> inputs() const {
    std::vector<Tensor<const float>> tensors;
    for (std::size_t i = 0; i < x.size(); ++i) tensors.push_back({x[i], rows, shapes[i]});
    return tensors;
  }
  [[nodiscard]] BatchSums sums() {
    const std::span<double> all(sums_);
    return {.forward = all.first(plan.shard_sums), .backward = all.subspan(plan.shard_sums)};
  }

  std::vector<Shape> shapes;
  std::size_t rows;
  std::unique_ptr<Layer> layer;
  LayerPlan plan;
  PassContext pass;
  std::vector<Range> ranges;
  std::vector<float> weights, dy;
  std::vector<std::vector<float>> x;  // [inputs]

 private:
  std::shared_ptr<const Compute> compute_ = make_compute();
  std::vector<double> sums_;
  std::vector<float> saved_;
  std::vector<std::uint32_t> samples_;
};

/// A net that ends in a layer as an example of the table has it. What it reads is made from the net's input by dense
/// layers, unless that will do.
inline std::vector<LayerConfig> net_of(const LayerType& type, const LayerExample& example) {
  const std::string name(type.info.name);
  if (example.inputs.size() == 1 && example.inputs.front().dims() == 1) return {{name, example.options}};
  std::vector<LayerConfig> layers;
  LayerConfig last{name, example.options};
  for (std::size_t i = 0; i < example.inputs.size(); ++i) {
    const Shape& shape = example.inputs[i];
    const auto extents = shape.extents();
    layers.push_back(
        {.type = "dense", .options = {{"units", static_cast<std::int64_t>(shape.size())}}, .inputs = {"input"}});
    layers.push_back({.type = "reshape",
                      .options = {{"shape", std::vector<double>(extents.begin(), extents.end())}},
                      .name = fmt::format("x{}", i)});
    last.inputs.push_back(layers.back().name);
  }
  layers.push_back(std::move(last));
  return layers;
}

/// Such a net for each example of the table.
inline std::vector<std::vector<LayerConfig>> nets_of_all_layers() {
  std::vector<std::vector<LayerConfig>> nets;
  for (const LayerType& type : layer_table()) {
    for (const LayerExample& example : type.examples) nets.push_back(net_of(type, example));
  }
  return nets;
}

}  // namespace lockstep::test
