#include "explain/plain_net.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "layers/layer_table.hpp"

namespace lockstep {

PlainNet::PlainNet(const ModelConfig& config, const Model& model) : loss_(make_plain_loss(config.loss)) {
  const auto entries = model.parameters().entries();
  std::size_t width = model.inputs();
  std::size_t parameter = 0;
  for (std::size_t index = 0; index < config.layers.size(); ++index) {
    Node node;
    node.layer = make_plain_layer(config.layers[index].type, config.layers[index].options);
    node.inputs = width;
    node.outputs = model.width(index);
    node.tensors.begin = parameter;
    for (; parameter < entries.size() && entries[parameter].layer == model.layer_names()[index]; ++parameter) {
      node.elements.push_back(entries[parameter].range);
    }
    node.tensors.end = parameter;
    width = node.outputs;
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
  const std::size_t inputs = net_.layers_.front().inputs;
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    if (alive) alive();
    Values& values = values_.emplace_back();
    const auto x = rows_.x.subspan(row * inputs, inputs);
    values.emplace_back(x.begin(), x.end());
    for (const auto& node : net_.layers_) values.emplace_back(node.outputs);
    for (std::size_t layer = 0; layer < net_.layers_.size(); ++layer) forward(row, layer, values);
    loss_ += net_.cost(values.back(), net_.target(rows_, row)) / weight_;
    const std::vector<bool> of_row = sides(row);
    sides_.insert(sides_.end(), of_row.begin(), of_row.end());
  }
  if (!values_.empty()) changed_ = values_.front();
}

PlainPass CentralDifferences::pass_of(std::size_t row, std::size_t layer) const {
  PlainPass pass = pass_;
  pass.sample = rows_.samples[row];
  pass.layer = static_cast<std::uint32_t>(layer);
  return pass;
}

void CentralDifferences::forward(std::size_t row, std::size_t layer, Values& values) const {
  net_.layers_[layer].layer->forward(pass_of(row, layer), layer_tensors_[layer], values[layer], values[layer + 1]);
}

std::vector<bool> CentralDifferences::sides(std::size_t row) const {
  std::vector<bool> sides;
  for (std::size_t layer = 0; layer < net_.layers_.size(); ++layer) {
    net_.layer(layer).add_sides(values_[row][layer], sides);
  }
  net_.loss().add_sides(values_[row].back(), net_.target(rows_, row), sides);
  return sides;
}

double CentralDifferences::loss_from(std::size_t first, const WeightPlace& place, std::vector<bool>& sides) {
  const auto& node = net_.layers_[first];
  const std::size_t tensor = place.parameter - node.tensors.begin;
  const auto output = node.layer->output_of(tensor, place.element - node.elements[tensor].begin, node.inputs);
  sides.clear();
  double sum = 0;
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    for (std::size_t layer = 0; layer < first; ++layer) net_.layer(layer).add_sides(values_[row][layer], sides);
    changed_[first] = values_[row][first];
    if (output) {
      changed_[first + 1] = values_[row][first + 1];
      changed_[first + 1][*output] = node.layer->output(layer_tensors_[first], changed_[first], *output);
    } else {
      forward(row, first, changed_);
    }
    net_.layer(first).add_sides(changed_[first], sides);
    for (std::size_t layer = first + 1; layer < net_.layers_.size(); ++layer) {
      net_.layer(layer).add_sides(changed_[layer], sides);
      forward(row, layer, changed_);
    }
    const PlainTarget target = net_.target(rows_, row);
    net_.loss().add_sides(changed_.back(), target, sides);
    sum += net_.cost(changed_.back(), target);
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
