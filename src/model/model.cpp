// Model: everything is planned once; forward and backward walk the layers over views.
#include "model/model.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "config/layer_names.hpp"
#include "core/sums.hpp"
#include "layers/layer_table.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::unique_ptr<Layer> make_layer_at(std::size_t index, const LayerConfig& config) {
  Options options = config.options;
  if (options.where().empty()) options.set_where(layer_place(index, config));
  return make_layer(config.type, options);
}

void expect_size(std::size_t found, std::size_t expected, const char* what) {
  if (found == expected) return;
  throw Error(ErrorKind::usage, fmt::format("model: expected {} of size {}, found {}", what, expected, found));
}

void expect_rows(const Pass& pass, std::size_t rows, const Workspace& workspace) {
  if (rows > workspace.max_rows()) {
    throw Error(ErrorKind::usage,
                fmt::format("model: expected at most {} rows, as the workspace was made for, found {}",
                            workspace.max_rows(), rows));
  }
  if (!pass.samples.empty()) expect_size(pass.samples.size(), rows, "sample indices");
}

}  // namespace

Model::Model(const ModelConfig& config, const Shape& input, std::shared_ptr<const Compute> compute)
    : compute_(std::move(compute)), names_(lockstep::layer_names(config.layers)) {
  if (config.layers.empty()) throw Error(ErrorKind::config, "model.layers: expected at least one layer, found none");
  if (input.size() == 0) throw Error(ErrorKind::config, "model: expected samples of at least 1 number, found 0");
  shapes_.push_back(input);
  auto inputs = lockstep::layer_inputs(config.layers, names_);
  for (std::size_t index = 0; index < config.layers.size(); ++index) {
    add_layer(index, config.layers[index], std::move(inputs[index]));
  }
  freeze(config.freeze);
  for (std::size_t index = 0; index < nodes_.size(); ++index) {
    Node& node = nodes_[index];
    node.needs_gradient = node.trains() || std::ranges::any_of(node.inputs, [&](auto v) { return has_gradient(v); });
    if (node.plan.shard_sums > 0 && !node.frozen) borders_.push_back(index);
  }
}

void Model::add_layer(std::size_t index, const LayerConfig& config, std::vector<std::size_t> inputs) {
  Node node{.layer = make_layer_at(index, config), .plan = {}, .inputs = std::move(inputs), .tensors = {}, .span = {}};
  std::vector<Shape> shapes;
  for (const std::size_t value : node.inputs) shapes.push_back(shapes_[value]);
  try {
    node.plan = node.layer->plan(shapes);
  } catch (const Error& error) {
    std::vector<std::string> told;
    for (const std::size_t value : node.inputs) {
      const std::string_view name = value == 0 ? kNetInput : std::string_view(names_[value - 1]);
      told.push_back(fmt::format("{} {}", name, shapes_[value].text()));
    }
    throw Error(error.kind(),
                fmt::format("{} of {}: {}", layer_place(index, config), fmt::join(told, ", "), error.what()));
  }
  for (ParameterSpec& spec : node.plan.parameters) {
    const std::size_t entry = table_.add(names_[index], spec.name, spec.shape, spec.kind);
    node.tensors.push_back(table_.entries()[entry].range);
    specs_.push_back(spec);
    layer_of_.push_back(index);
  }
  if (!node.tensors.empty()) node.span = {node.tensors.front().begin, node.tensors.back().end};
  shapes_.push_back(node.plan.output);
  most_inputs_ = std::max(most_inputs_, node.inputs.size());
  nodes_.push_back(std::move(node));
}

void Model::freeze(const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (std::size_t index = 0; index < nodes_.size(); ++index) {
    if (!nodes_[index].tensors.empty()) known.push_back(names_[index]);
  }
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw Error(ErrorKind::config,
                  fmt::format("model.freeze: expected names of layers with parameters ({}), found \"{}\"",
                              known.empty() ? "there are none" : fmt::format("{}", fmt::join(known, ", ")), name));
    }
    nodes_[static_cast<std::size_t>(std::find(names_.begin(), names_.end(), name) - names_.begin())].frozen = true;
  }
  if (!names.empty() && std::none_of(nodes_.begin(), nodes_.end(), [](const Node& node) { return node.trains(); })) {
    throw Error(ErrorKind::config, fmt::format("model.freeze: all layers with parameters ({}) are frozen; leave at "
                                               "least one to be trained",
                                               fmt::join(known, ", ")));
  }
  for (const Node& node : nodes_) trained_.insert(trained_.end(), node.tensors.size(), !node.frozen);
}

std::vector<Product> Model::products() const {
  std::vector<Product> products;
  for (const Node& node : nodes_) {
    for (Product product : node.plan.products) {
      product.needs_dw = node.trains();
      product.needs_dx = std::ranges::any_of(node.inputs, [&](std::size_t value) { return has_gradient(value); });
      products.push_back(product);
    }
  }
  return products;
}

Cost Model::cost(std::size_t layer) const {
  const Node& node = nodes_[layer];
  Cost cost = node.plan.cost;
  if (!node.trains()) cost.by_weights = 0;
  if (std::ranges::none_of(node.inputs, [&](std::size_t value) { return has_gradient(value); })) cost.by_inputs = 0;
  return cost;
}

void Model::initialize(std::uint64_t seed, std::span<float> weights) const {
  expect_size(weights.size(), table_.arena_size(), "a weight arena");
  std::fill(weights.begin(), weights.end(), 0.0F);  // the padding too
  for (std::size_t index = 0; index < specs_.size(); ++index) {
    const Range range = table_.entries()[index].range;
    const auto tensor = weights.subspan(range.begin, range.size());
    const auto scale = static_cast<float>(specs_[index].scale);
    const RandomKey key{seed, RandomPurpose::initialize, static_cast<std::uint32_t>(index)};
    switch (specs_[index].start) {
      case ParameterSpec::Start::constant:
        std::fill(tensor.begin(), tensor.end(), scale);
        break;
      case ParameterSpec::Start::uniform:
        fill_uniform(key, -scale, scale, tensor);
        break;
      case ParameterSpec::Start::normal:
        fill_normal(key, scale, tensor);
        break;
    }
  }
}

PlannedNet Model::planned() const {
  PlannedNet net{.width = inputs(), .layers = {}};
  for (const Node& node : nodes_) {
    net.layers.push_back({.inputs = node.inputs,
                          .width = node.plan.output.size(),
                          .saved = node.plan.saved,
                          .reads_input = node.plan.reads_input,
                          .reads_output = node.plan.reads_output,
                          .in_place = node.plan.in_place,
                          .needs_gradient = node.needs_gradient});
  }
  return net;
}

std::size_t Model::workspace_bytes(std::size_t max_rows, bool training) const {
  const WorkspacePlan plan(planned(), max_rows, {.training = training});
  return std::min(plan.floats, kMostBytes / sizeof(float)) * sizeof(float);
}

Workspace Model::make_workspace(std::size_t max_rows, const WorkspaceUse& use) const {
  Workspace workspace;
  workspace.max_rows_ = max_rows;
  workspace.use_ = use;
  workspace.plan_ = WorkspacePlan(planned(), max_rows, use);
  for (const Shape& shape : shapes_) workspace.widths_.push_back(shape.size());
  workspace.memory_ = Buffer<float>(workspace.plan_.floats);
  workspace.x_.resize(most_inputs_);
  workspace.dx_.resize(most_inputs_);
  std::size_t sums = 0;
  for (std::size_t border = 0; border < borders_.size(); ++border) sums += 2 * num_sums(border);
  workspace.sums_ = Buffer<double>(sums);
  std::span<double> rest = workspace.sums_.view();
  for (std::size_t border = 0; border < borders_.size(); ++border) {
    const std::size_t size = num_sums(border);
    workspace.border_sums_.push_back({.forward = rest.first(size), .backward = rest.subspan(size, size)});
    rest = rest.subspan(2 * size);
  }
  return workspace;
}

PassContext Model::context_of(const Pass& pass, std::size_t layer, const GradientDone* done) const {
  return {.training = pass.training,
          .seed = pass.seed,
          .step = pass.step,
          .layer = static_cast<std::uint32_t>(layer),
          .samples = pass.samples,
          .gradient_done = done,
          .frozen = nodes_[layer].frozen,
          .compute = compute_.get()};
}

// ---- forward ----

void Model::check_forward(const Pass& pass, std::span<const float> weights, std::size_t rows,
                          const Workspace& workspace) const {
  expect_size(weights.size(), table_.arena_size(), "a weight arena");
  expect_rows(pass, rows, workspace);
}

std::span<const float> Model::forward(const Pass& pass, std::span<const float> weights, std::size_t rows,
                                      Workspace& workspace, const LayerDone& done, const BeforeLayer& before) const {
  if (pass.training) {
    for (std::size_t stage = 0; stage + 1 < num_stages(); ++stage) {
      forward_stage(stage, pass, weights, rows, workspace, done, before);
    }
    return forward_stage(num_stages() - 1, pass, weights, rows, workspace, done, before);
  }
  check_forward(pass, weights, rows, workspace);
  run_layers({0, nodes_.size()}, pass, weights, rows, workspace, done, before);
  return workspace.value(nodes_.size(), rows);
}

std::span<const float> Model::forward_from(std::size_t first, const Pass& pass, std::span<const float> weights,
                                           std::size_t rows, Workspace& workspace) const {
  if (pass.training || first >= nodes_.size() || workspace.use_.again != first) {
    throw Error(ErrorKind::usage, fmt::format("model: expected a workspace that keeps what layer {} reads", first));
  }
  check_forward(pass, weights, rows, workspace);
  run_layers({first, nodes_.size()}, pass, weights, rows, workspace, {}, {});
  return workspace.value(nodes_.size(), rows);
}

std::span<const float> Model::forward_stage(std::size_t stage, const Pass& pass, std::span<const float> weights,
                                            std::size_t rows, Workspace& workspace, const LayerDone& done,
                                            const BeforeLayer& before) const {
  check_forward(pass, weights, rows, workspace);
  const Range layers = stage_layers(stage);
  run_layers(layers, pass, weights, rows, workspace, done, before);
  if (stage < borders_.size()) {
    const Node& next = nodes_[layers.end];
    next.layer->forward_sums(context_of(pass, layers.end), forward_call(layers.end, weights, rows, workspace));
  }
  return workspace.value(layers.end, rows);
}

Range Model::stage_layers(std::size_t stage) const {
  return {stage == 0 ? 0 : borders_[stage - 1], stage < borders_.size() ? borders_[stage] : nodes_.size()};
}

void Model::run_layers(Range layers, const Pass& pass, std::span<const float> weights, std::size_t rows,
                       Workspace& workspace, const LayerDone& done, const BeforeLayer& before) const {
  for (std::size_t index = layers.begin; index < layers.end; ++index) {
    const Node& node = nodes_[index];
    if (before && !node.span.empty()) before(node.span);
    const ForwardCall call = forward_call(index, weights, rows, workspace);
    node.layer->forward(context_of(pass, index), call);
    if (done) done(index, call.y.values);
  }
}

BatchSums Model::sums_of(std::size_t layer, const Workspace& workspace) const {
  const auto border = std::ranges::lower_bound(borders_, layer);
  if (border == borders_.end() || *border != layer) return {};
  return workspace.border_sums_[static_cast<std::size_t>(border - borders_.begin())];
}

std::span<const Tensor<const float>> Model::inputs_of(const Node& node, std::size_t rows, Workspace& workspace) const {
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    workspace.x_[i] = {workspace.value(node.inputs[i], rows), rows, shapes_[node.inputs[i]]};
  }
  return std::span(workspace.x_).first(node.inputs.size());
}

ForwardCall Model::forward_call(std::size_t layer, std::span<const float> weights, std::size_t rows,
                                Workspace& workspace) const {
  const Node& node = nodes_[layer];
  const std::size_t saved = workspace.plan_.saved[layer];
  return {.parameters = {weights, node.tensors},
          .x = inputs_of(node, rows, workspace),
          .y = {workspace.value(layer + 1, rows), rows, node.plan.output},
          .saved = saved == WorkspacePlan::kNone ? std::span<float>() : workspace.part(saved, rows * node.plan.saved),
          .sums = sums_of(layer, workspace)};
}

// ---- backward ----

void Model::backward(const Pass& pass, std::span<const float> weights, std::size_t rows, Workspace& workspace,
                     std::span<float> gradient, const GradientReady& ready, const LayerDone& before) const {
  const std::size_t stages = pass.training ? num_stages() : 1;
  for (std::size_t stage = stages; stage-- > 0;) {
    backward_stage(stage, pass, weights, rows, workspace, gradient, ready, before);
  }
}

Range Model::stage_elements(std::size_t stage) const {
  const auto begin_of = [&](std::size_t layer) {
    for (; layer < nodes_.size(); ++layer) {
      if (!nodes_[layer].tensors.empty()) return nodes_[layer].span.begin;
    }
    return table_.arena_size();
  };
  return {stage == 0 ? 0 : begin_of(borders_[stage - 1]),
          stage < borders_.size() ? begin_of(borders_[stage]) : table_.arena_size()};
}

// A stage begins, in backward, with what the layer behind its end does with the sums, and ends with those of its own
// first layer. Without training all layers are one stage, in which nothing is added up.
void Model::backward_stage(std::size_t stage, const Pass& pass, std::span<const float> weights, std::size_t rows,
                           Workspace& workspace, std::span<float> gradient, const GradientReady& ready,
                           const LayerDone& before) const {
  check_forward(pass, weights, rows, workspace);
  expect_size(gradient.size(), table_.arena_size(), "a gradient arena");
  if (!workspace.use_.training) {
    throw Error(ErrorKind::usage, "model: expected a workspace made for training, found one made for forward alone");
  }
  const Range layers = pass.training ? stage_layers(stage) : Range{0, nodes_.size()};
  const Range elements = pass.training ? stage_elements(stage) : Range{0, table_.arena_size()};
  if (layers.end < nodes_.size()) pass_back(layers.end, Part::inputs, pass, weights, rows, workspace, gradient, {});
  std::size_t untold = elements.end;
  for (std::size_t index = layers.end; index-- > layers.begin;) {
    const Node& node = nodes_[index];
    if (!node.needs_gradient) continue;
    if (before) before(index, workspace.gradient(index + 1, rows));
    std::size_t end = node.span.end;  // of what is not told of yet
    const auto tell = [&](std::size_t begin) {
      if (ready && begin < end) ready({begin, end});
      end = begin;
      if (!node.tensors.empty()) untold = begin;
    };
    const auto tell_from = [&](std::size_t tensor, std::size_t from) { tell(node.tensors[tensor].begin + from); };
    const GradientDone done(tell_from);
    const bool is_border = pass.training && stage > 0 && index == layers.begin;
    pass_back(index, is_border ? Part::sums : Part::all, pass, weights, rows, workspace, gradient, &done);
    tell(node.span.begin);
  }
  if (ready && untold > elements.begin) ready({elements.begin, untold});  // of frozen layers
}

void Model::pass_back(std::size_t layer, Part part, const Pass& pass, std::span<const float> weights, std::size_t rows,
                      Workspace& workspace, std::span<float> gradient, const GradientDone* done) const {
  const Node& node = nodes_[layer];
  if (!node.needs_gradient) return;
  const std::vector<std::size_t>& summands = workspace.plan_.summands[layer];
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const std::size_t value = node.inputs[i];
    std::span<float> dx;
    if (has_gradient(value)) {
      dx = summands[i] == WorkspacePlan::kNone ? workspace.gradient(value, rows)
                                               : workspace.part(summands[i], rows * workspace.widths_[value]);
    }
    workspace.dx_[i] = {dx, rows, shapes_[value]};
  }
  const std::size_t saved = workspace.plan_.saved[layer];
  const BackwardCall call{
      .parameters = {weights, node.tensors},
      .x = inputs_of(node, rows, workspace),
      .y = {workspace.value(layer + 1, rows), rows, node.plan.output},
      .dy = {workspace.gradient(layer + 1, rows), rows, node.plan.output},
      .saved = saved == WorkspacePlan::kNone ? std::span<float>() : workspace.part(saved, rows * node.plan.saved),
      .dx = std::span(workspace.dx_).first(node.inputs.size()),
      .gradients = {gradient, node.tensors},
      .sums = sums_of(layer, workspace)};
  const PassContext context = context_of(pass, layer, done);
  if (part == Part::sums) {
    node.layer->backward_sums(context, call);
    return;
  }
  node.layer->backward(context, call);
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (summands[i] != WorkspacePlan::kNone) add_to(workspace.gradient(node.inputs[i], rows), workspace.dx_[i].values);
  }
}

void Model::update_running(std::size_t parameter, Range elements, const Workspace& workspace,
                           std::span<float> values) const {
  const std::size_t layer = layer_of_[parameter];
  const Node& node = nodes_[layer];
  const Range whole = table_.entries()[parameter].range;
  const auto tensor = static_cast<std::size_t>(std::ranges::find(node.tensors, whole) - node.tensors.begin());
  node.layer->update_running(tensor, sums_of(layer, workspace).forward,
                             {elements.begin - whole.begin, elements.end - whole.begin}, values);
}

}  // namespace lockstep
