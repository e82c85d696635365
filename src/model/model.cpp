// Model: widths and names are inferred once; forward and backward walk the layers over views.
#include "model/model.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "layers/layer_table.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::string_view kNameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

std::string place_of(std::size_t index, const LayerConfig& layer) {
  return fmt::format("model.layers[{}] ({})", index, layer.type);
}

// Each layer's own name, or its type and how many of that type there are up to it.
std::vector<std::string> name_layers(const std::vector<LayerConfig>& layers) {
  std::vector<std::string> names;
  std::map<std::string, std::size_t> type_counts;
  std::map<std::string, std::size_t> owners;
  for (std::size_t index = 0; index < layers.size(); ++index) {
    const LayerConfig& layer = layers[index];
    const std::size_t count = ++type_counts[layer.type];
    std::string name = layer.name.empty() ? fmt::format("{}{}", layer.type, count) : layer.name;
    if (name.find_first_not_of(kNameCharacters) != std::string::npos) {
      throw Error(ErrorKind::config, fmt::format("{}: expected a name of letters, digits, '_' and '-', found \"{}\"",
                                                 place_of(index, layer), name));
    }
    const auto [owner, is_new] = owners.emplace(name, index);
    if (!is_new) {
      throw Error(ErrorKind::config,
                  fmt::format("{}: the name \"{}\" is taken by {}; give one of them another name",
                              place_of(index, layer), name, place_of(owner->second, layers[owner->second])));
    }
    names.push_back(std::move(name));
  }
  return names;
}

std::unique_ptr<Layer> make_layer_at(std::size_t index, const LayerConfig& config) {
  Options options = config.options;
  if (options.where().empty()) options.set_where(place_of(index, config));
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

PassContext context_of(const Pass& pass, const Compute& compute, std::size_t rows, std::size_t layer,
                       const GradientDone* done = nullptr, bool frozen = false) {
  return {.training = pass.training,
          .seed = pass.seed,
          .step = pass.step,
          .layer = static_cast<std::uint32_t>(layer),
          .samples = pass.samples,
          .gradient_done = done,
          .frozen = frozen,
          .rows = rows,
          .compute = &compute};
}

}  // namespace

std::span<float> Workspace::input(std::size_t rows) noexcept {
  return activations_.front().view().first(rows * widths_.front());
}

std::span<float> Workspace::doutputs(std::size_t rows) noexcept {
  return gradients_.front().view().first(rows * widths_.back());
}

std::size_t Workspace::bytes() const noexcept {
  std::size_t floats = 0;
  for (const auto& buffer : activations_) floats += buffer.size();
  for (const auto& buffer : gradients_) floats += buffer.size();
  return floats * sizeof(float);
}

Model::Model(const ModelConfig& config, std::size_t inputs, std::shared_ptr<const Compute> compute)
    : inputs_(inputs), compute_(std::move(compute)), names_(name_layers(config.layers)) {
  if (config.layers.empty()) throw Error(ErrorKind::config, "model.layers: expected at least one layer, found none");
  if (inputs == 0) throw Error(ErrorKind::config, "model: expected samples of at least 1 number, found 0");
  std::size_t width = inputs;
  for (std::size_t index = 0; index < config.layers.size(); ++index) {
    Node node{make_layer_at(index, config.layers[index]), width, 0, false, {}, {}, false};
    const LayerTraits traits = node.layer->traits();
    node.in_place =
        traits.number_by_number && !traits.reads_input && index > 0 && !nodes_.back().layer->traits().reads_output;
    node.out = node.layer->outputs(width);
    for (ParameterSpec& spec : node.layer->parameters(width)) {
      const std::size_t entry = table_.add(names_[index], spec.name, spec.shape, spec.kind);
      node.tensors.push_back(table_.entries()[entry].range);
      specs_.push_back(std::move(spec));
    }
    if (!node.tensors.empty()) node.span = {node.tensors.front().begin, node.tensors.back().end};
    width = node.out;
    nodes_.push_back(std::move(node));
  }
  outputs_ = width;
  freeze(config.freeze);
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

Model::BufferWidths Model::buffer_widths(bool training) const {
  BufferWidths widths{.activations = {inputs_}, .gradients = {}};
  std::size_t widest = 0;
  for (const Node& node : nodes_) {
    if (!node.in_place) widths.activations.push_back(node.out);
    widest = std::max(widest, node.out);
  }
  // Nobody asks for the derivative by the inputs; without backward, for none but that by the outputs.
  widths.gradients.push_back(training ? widest : outputs_);
  if (training) widths.gradients.push_back(widest);
  return widths;
}

std::size_t Model::workspace_bytes(std::size_t max_rows, bool training) const {
  const BufferWidths widths = buffer_widths(training);
  double floats = 0;
  for (const auto* buffers : {&widths.activations, &widths.gradients}) {
    for (const std::size_t width : *buffers) floats += static_cast<double>(width) * static_cast<double>(max_rows);
  }
  return static_cast<std::size_t>(std::min(floats * sizeof(float), static_cast<double>(kMostBytes)));
}

Workspace Model::make_workspace(std::size_t max_rows, bool training) const {
  Workspace workspace;
  workspace.max_rows_ = max_rows;
  workspace.widths_.push_back(inputs_);
  workspace.buffer_of_.push_back(0);
  for (const Node& node : nodes_) {
    workspace.widths_.push_back(node.out);
    workspace.buffer_of_.push_back(workspace.buffer_of_.back() + (node.in_place ? 0 : 1));
  }
  const BufferWidths widths = buffer_widths(training);
  for (const std::size_t width : widths.activations) workspace.activations_.emplace_back(max_rows * width);
  for (const std::size_t width : widths.gradients) workspace.gradients_.emplace_back(max_rows * width);
  return workspace;
}

std::span<const float> Model::forward(const Pass& pass, std::span<const float> weights, std::size_t rows,
                                      Workspace& workspace, const LayerDone& done, const BeforeLayer& before) const {
  return run_layers(0, pass, weights, rows, workspace, done, before);
}

std::span<const float> Model::forward_from(std::size_t first, const Pass& pass, std::span<const float> weights,
                                           std::size_t rows, Workspace& workspace) const {
  if (first >= nodes_.size() || nodes_[first].in_place) {
    throw Error(ErrorKind::usage, fmt::format("model: expected a layer whose input is kept, found layer {}", first));
  }
  return run_layers(first, pass, weights, rows, workspace, {}, {});
}

std::span<const float> Model::run_layers(std::size_t first, const Pass& pass, std::span<const float> weights,
                                         std::size_t rows, Workspace& workspace, const LayerDone& done,
                                         const BeforeLayer& before) const {
  expect_size(weights.size(), table_.arena_size(), "a weight arena");
  expect_rows(pass, rows, workspace);
  std::span<const float> x =
      workspace.activations_[workspace.buffer_of_[first]].view().first(rows * workspace.widths_[first]);
  for (std::size_t index = first; index < nodes_.size(); ++index) {
    const Node& node = nodes_[index];
    const auto y = workspace.activations_[workspace.buffer_of_[index + 1]].view().first(rows * node.out);
    if (before && !node.span.empty()) before(node.span);
    node.layer->forward(context_of(pass, *compute_, rows, index), {weights, node.tensors}, x, y);
    if (done) done(index, y);
    x = y;
  }
  return x;
}

void Model::backward(const Pass& pass, std::span<const float> weights, std::size_t rows, Workspace& workspace,
                     std::span<float> gradient, const GradientReady& ready, const LayerDone& before) const {
  expect_size(weights.size(), table_.arena_size(), "a weight arena");
  expect_size(gradient.size(), table_.arena_size(), "a gradient arena");
  expect_rows(pass, rows, workspace);
  if (workspace.gradients_.size() < 2) {
    throw Error(ErrorKind::usage, "model: expected a workspace made for training, found one made for forward alone");
  }
  // Nothing before the first layer with parameters to train needs a derivative.
  const auto trains = [](const Node& node) { return node.trains(); };
  const auto first = static_cast<std::size_t>(std::find_if(nodes_.begin(), nodes_.end(), trains) - nodes_.begin());
  std::size_t current = 0;  // which of the two buffers holds dy; the other takes dx
  for (std::size_t index = nodes_.size(); index-- > first;) {
    const Node& node = nodes_[index];
    const std::span<const float> x = workspace.activations_[workspace.buffer_of_[index]].view().first(rows * node.in);
    const std::span<const float> y =
        workspace.activations_[workspace.buffer_of_[index + 1]].view().first(rows * node.out);
    const std::span<const float> dy = workspace.gradients_[current].view().first(rows * node.out);
    if (before) before(index, dy);
    const std::size_t next = node.layer->traits().number_by_number ? current : 1 - current;
    const auto dx = index == first ? std::span<float>() : workspace.gradients_[next].view().first(rows * node.in);
    std::size_t end = node.span.end;  // of what is not told of yet
    const auto tell = [&](std::size_t begin) {
      if (ready && begin < end) ready({begin, end});
      end = begin;
    };
    const auto tell_from = [&](std::size_t tensor, std::size_t from) { tell(node.tensors[tensor].begin + from); };
    const GradientDone done(tell_from);
    node.layer->backward(context_of(pass, *compute_, rows, index, &done, node.frozen), {weights, node.tensors}, x, y,
                         dy, dx, {gradient, node.tensors});
    tell(node.span.begin);
    current = next;
  }
  const std::size_t untold = first < nodes_.size() ? nodes_[first].span.begin : 0;
  if (ready && untold > 0) ready({0, untold});  // of frozen layers
}

}  // namespace lockstep
