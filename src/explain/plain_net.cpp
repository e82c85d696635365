#include "explain/plain_net.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "layers/layer_table.hpp"

namespace lockstep {

PlainNet::PlainNet(const ModelConfig& config, const Model& model) : loss_(make_plain_loss(config.loss)) {
  const auto entries = model.parameters().entries();
  std::size_t parameter = 0;
  for (std::size_t index = 0; index < config.layers.size(); ++index) {
    Node node;
    node.layer = make_plain_layer(config.layers[index].type, config.layers[index].options);
    const auto inputs = model.layer_inputs(index);
    node.inputs.assign(inputs.begin(), inputs.end());
    for (const std::size_t value : inputs) node.shapes.push_back(model.shape(value));
    node.outputs = model.width(index);
    node.tensors.begin = parameter;
    for (; parameter < entries.size() && entries[parameter].layer == model.layer_names()[index]; ++parameter) {
      node.elements.push_back(entries[parameter].range);
    }
    node.tensors.end = parameter;
    layers_.push_back(std::move(node));
  }
}

std::size_t PlainNet::layer_of(std::size_t parameter) const {
  const auto found = std::ranges::find_if(layers_, [&](const Node& node) { return node.tensors.contains(parameter); });
  return static_cast<std::size_t>(found - layers_.begin());
}

PlainTarget PlainNet::target(const SampleRows& rows, std::size_t row) const {
  const double weight = rows.targets.weights.empty() ? 1.0 : rows.targets.weights[row];
  if (!rows.targets.labels.empty()) return {.label = rows.targets.labels[row], .weight = weight};
  const std::size_t width = rows.targets.values.size() / rows.size();
  const auto values = rows.targets.values.subspan(row * width, width);
  return {.values = {values.begin(), values.end()}, .weight = weight};
}

double PlainNet::cost(std::span<const double> outputs, const PlainTarget& target) const {
  return target.weight == 0 ? 0 : target.weight * loss_->value(outputs, target);
}

CentralDifferences::CentralDifferences(const PlainNet& net, std::span<const float> weights, const SampleRows& rows,
                                       const PlainPass& pass, double weight, const std::function<void()>& alive)
    : net_(net), rows_(rows), pass_(pass), weight_(weight), weights_(weights.begin(), weights.end()) {
  for (const auto& node : net_.layers_) {
    auto& tensors = layer_tensors_.emplace_back();
    for (const Range range : node.elements) tensors.push_back(std::span(weights_).subspan(range.begin, range.size()));
  }
  const std::size_t width = rows_.size() == 0 ? 0 : rows_.x.size() / rows_.size();
  changed_.emplace_back();
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    const auto x = rows_.x.subspan(row * width, width);
    changed_.front().emplace_back(x.begin(), x.end());
  }
  for (const auto& node : net_.layers_) changed_.emplace_back(rows_.size(), std::vector<double>(node.outputs));
  is_changed_.assign(changed_.size(), true);
  for (std::size_t layer = 0; layer < net_.layers_.size(); ++layer) {
    if (alive) alive();
    forward(layer);
  }
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    loss_ += net_.cost(changed_.back()[row], net_.target(rows_, row)) / weight_;
    add_sides(row, sides_);
  }
  values_ = changed_;
}

PlainPass CentralDifferences::pass_of(std::size_t row, std::size_t layer) const {
  PlainPass pass = pass_;
  pass.sample = rows_.samples[row];
  pass.layer = static_cast<std::uint32_t>(layer);
  pass.shapes = net_.layers_[layer].shapes;
  return pass;
}

std::vector<std::span<const double>> CentralDifferences::inputs_of(std::size_t row, std::size_t layer) const {
  std::vector<std::span<const double>> inputs;
  for (const std::size_t index : net_.layers_[layer].inputs) inputs.emplace_back(value(index)[row]);
  return inputs;
}

void CentralDifferences::forward(std::size_t layer) {
  const auto& node = net_.layers_[layer];
  if (rows_.size() == 0) return;
  if (node.layer->mixes_samples()) {
    node.layer->forward_batch(pass_of(0, layer), layer_tensors_[layer], value(node.inputs[0]), changed_[layer + 1]);
    return;
  }
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    node.layer->forward(pass_of(row, layer), layer_tensors_[layer], inputs_of(row, layer), changed_[layer + 1][row]);
  }
}

void CentralDifferences::add_sides(std::size_t row, std::vector<bool>& sides) const {
  for (std::size_t layer = 0; layer < net_.layers_.size(); ++layer) {
    net_.layer(layer).add_sides(value(net_.layers_[layer].inputs[0])[row], sides);
  }
  net_.loss().add_sides(value(net_.layers_.size())[row], net_.target(rows_, row), sides);
}

std::vector<bool> CentralDifferences::sides(std::size_t row) const {
  std::vector<bool> sides;
  for (std::size_t layer = 0; layer < net_.layers_.size(); ++layer) {
    net_.layer(layer).add_sides(values_[net_.layers_[layer].inputs[0]][row], sides);
  }
  net_.loss().add_sides(values_.back()[row], net_.target(rows_, row), sides);
  return sides;
}

double CentralDifferences::loss_from(std::size_t first, const WeightPlace& place, std::vector<bool>& sides) {
  const auto& node = net_.layers_[first];
  const std::size_t tensor = place.parameter - node.tensors.begin;
  const auto output = node.layer->output_of(tensor, place.element - node.elements[tensor].begin, node.shapes[0]);
  is_changed_.assign(values_.size(), false);
  if (output) {
    changed_[first + 1] = values_[first + 1];
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      changed_[first + 1][row][*output] =
          node.layer->output(layer_tensors_[first], values_[node.inputs[0]][row], *output);
    }
  } else {
    forward(first);
  }
  is_changed_[first + 1] = true;
  for (std::size_t layer = first + 1; layer < net_.layers_.size(); ++layer) {
    const auto& inputs = net_.layers_[layer].inputs;
    if (std::ranges::none_of(inputs, [&](std::size_t index) { return is_changed_[index]; })) continue;
    forward(layer);
    is_changed_[layer + 1] = true;
  }
  sides.clear();
  double sum = 0;
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    add_sides(row, sides);
    sum += net_.cost(value(net_.layers_.size())[row], net_.target(rows_, row));
  }
  return sum / weight_;
}

CentralDifference CentralDifferences::at(const WeightPlace& place) {
  constexpr double kFirst = 6e-6;  // cbrt(2^-52)
  constexpr int kTries = 4;        // each ten times closer
  const std::size_t layer = net_.layer_of(place.parameter);
  double& weight = weights_[place.element];
  const double before = weight;
  CentralDifference found;
  std::vector<bool> sides;
  double h = kFirst * std::max(1.0, std::abs(before));
  for (int i = 0; i < kTries; ++i, h /= 10) {
    weight = before + h;
    const double above = weight;
    const double more = loss_from(layer, place, sides);
    found.at_kink = sides != sides_;
    weight = before - h;
    const double less = loss_from(layer, place, sides);
    found.at_kink = found.at_kink || sides != sides_;
    found.value = (more - less) / (above - weight);
    weight = before;
    if (!found.at_kink) break;
  }
  return found;
}

}  // namespace lockstep
