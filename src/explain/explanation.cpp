#include "explain/explanation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>

#include "core/buffer.hpp"
#include "explain/chain.hpp"
#include "layers/layer_table.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostUnits = 16;    // of a layer that is shown whole
constexpr std::size_t kMostWeights = 64;  // of a stage
constexpr std::size_t kLargest = 8;       // what is shown of more

// What training computes for the sample, layer by layer.
struct TrainingPass {
  std::vector<std::vector<float>> outputs;   // [layers]
  std::vector<std::vector<float>> doutputs;  // [layers] dC/d(outputs); empty where training needs none
  std::vector<float> loss_slopes;            // [outputs]
  Buffer<float> gradient;                    // [arena], zero where it is not computed
  double cost = 0;
};

TrainingPass run_training_pass(const ExplainInput& input) {
  const Model& model = input.model;
  const std::size_t layers = model.layer_names().size();
  TrainingPass pass{std::vector<std::vector<float>>(layers),
                    std::vector<std::vector<float>>(layers),
                    {},
                    Buffer<float>(model.parameters().arena_size()),
                    0};
  Workspace workspace = model.make_workspace(1, true);
  std::ranges::copy(input.rows.x, workspace.input(1).begin());
  const auto keep_in = [](std::vector<std::vector<float>>& kept) {
    return
        [&kept](std::size_t layer, std::span<const float> values) { kept[layer].assign(values.begin(), values.end()); };
  };
  const auto outputs = model.forward(input.pass, input.before, 1, workspace, keep_in(pass.outputs));
  const double weight = input.loss.weigh(1, input.rows.targets).size;
  const auto slopes = workspace.doutputs(1);
  pass.cost = input.loss.evaluate(model.outputs(), outputs, input.rows.targets, slopes) / weight;
  // Training divides at the update; dividing here keeps the products of the chain whole.
  for (float& slope : slopes) slope = static_cast<float>(slope / weight);
  pass.loss_slopes.assign(slopes.begin(), slopes.end());
  model.backward(input.pass, input.before, 1, workspace, pass.gradient.view(), {}, keep_in(pass.doutputs));
  return pass;
}

std::vector<double> doubles(std::span<const float> values) {
  return {values.begin(), values.end()};
}

// Of each output the target that it is for.
std::vector<double> by_output(std::span<const double> targets, std::size_t each) {
  std::vector<double> values;
  for (const double target : targets) values.insert(values.end(), each, target);
  return values;
}

double norm(std::span<const float> values) {
  double squares = 0;
  for (const float value : values) squares += double{value} * value;
  return std::sqrt(squares);
}

// All of them, or the largest and `also`; ascending.
std::vector<std::size_t> shown_of(std::span<const double> sizes, std::optional<std::size_t> also) {
  std::vector<std::size_t> shown(sizes.size());
  std::iota(shown.begin(), shown.end(), std::size_t{0});
  if (shown.size() <= kMostUnits) return shown;
  std::ranges::stable_sort(shown,
                           [&](std::size_t a, std::size_t b) { return std::abs(sizes[a]) > std::abs(sizes[b]); });
  shown.resize(kLargest);
  if (also && std::ranges::find(shown, *also) == shown.end()) shown.back() = *also;
  std::ranges::sort(shown);
  return shown;
}

class Explainer {
 public:
  explicit Explainer(const ExplainInput& input)
      : input_(input),
        entries_(input.model.parameters().entries()),
        net_(input.config, input.model),
        pass_(run_training_pass(input)),
        plain_pass_{input.pass.seed, input.pass.step, input.rows.samples[0], 0},
        central_(net_, input.before, input.rows, plain_pass_, input.loss.weigh(1, input.rows.targets).size,
                 input.alive) {}

  Explanation explain() {
    Explanation e;
    e.sample = input_.rows.samples[0];
    e.step = input_.pass.step;
    e.cost = pass_.cost;
    e.outputs = doubles(pass_.outputs.back());
    e.loss_slopes = doubles(pass_.loss_slopes);
    e.loss_type = input_.config.loss.type;
    e.loss_formula = net_.loss().formula(input_.model.outputs());
    e.target = net_.target(input_.rows, 0);
    e.target.values = by_output(e.target.values, input_.loss.outputs_per_target());
    e.has_label = !input_.rows.targets.labels.empty();
    e.num_weights = input_.model.parameters().count();
    e.is_whole = true;
    make_stages(e.stages);
    for (std::size_t index = 0; index < e.stages.size(); ++index) {
      choose(e.stages, index);
    }
    for (std::size_t index = 0; index < e.stages.size(); ++index) {  // what is shown is settled
      choose_edges(e.stages[index], index);
      e.is_whole = e.is_whole && e.stages[index].shown_units.size() == e.stages[index].a.size() &&
                   e.stages[index].shown_inputs.size() == e.stages[index].x.size() &&
                   e.stages[index].weights.size() == e.stages[index].num_weights;
    }
    if (input_.weight) {
      const auto slope = [&](std::size_t stage, std::size_t unit, std::size_t input) {
        return input_slope(e.stages[stage], stage, unit, input);
      };
      e.chain = make_chain(e.stages, chosen_stage_, with_difference(e.stages[chosen_stage_], *input_.weight), slope);
    }
    return e;
  }

 private:
  void make_stages(std::vector<Stage>& stages) {
    std::vector<double> x = doubles(input_.rows.x);
    for (std::size_t layer = 0; layer < net_.num_layers(); ++layer) {
      const bool begins = !net_.layer(layer).number_by_number();
      if (begins || stages.empty()) {
        Stage& stage = stages.emplace_back();
        first_layers_.push_back(layer);
        stage.x = x;
        stage.has_weights = !net_.tensors(layer).empty();
        stage.is_trained = stage.has_weights && input_.model.trained()[net_.tensors(layer).begin];
        stage.z = begins ? doubles(pass_.outputs[layer]) : x;
        stage.slopes.assign(stage.z.size(), 1);
        if (begins) stage.dz = doubles(pass_.doutputs[layer]);
      }
      Stage& stage = stages.back();
      const LayerConfig& config = input_.config.layers[layer];
      stage.layers.push_back({input_.model.layer_names()[layer], config.type, net_.layer(layer).formula()});
      if (!begins) multiply_slopes(layer, x, stage.slopes);
      x = doubles(pass_.outputs[layer]);
      stage.a = x;
      stage.da = doubles(pass_.doutputs[layer]);
    }
    for (std::size_t index = 0; index < stages.size(); ++index) {
      Stage& stage = stages[index];
      for (const std::size_t parameter : tensors_of(index)) {
        const Range range = entries_[parameter].range;
        stage.num_weights += range.size();
        stage.weight_norm = std::hypot(stage.weight_norm, norm(input_.before.subspan(range.begin, range.size())));
        stage.gradient_norm =
            std::hypot(stage.gradient_norm, norm(pass_.gradient.view().subspan(range.begin, range.size())));
        if (input_.weight && input_.weight->parameter == parameter) chosen_stage_ = index;
      }
    }
  }

  void multiply_slopes(std::size_t layer, std::span<const double> x, std::span<double> slopes) const {
    PlainPass pass = plain_pass_;
    pass.layer = static_cast<std::uint32_t>(layer);
    std::vector<double> of_layer(x.size());
    net_.layer(layer).slopes(pass, x, of_layer);
    for (std::size_t i = 0; i < slopes.size(); ++i) slopes[i] *= of_layer[i];
  }

  [[nodiscard]] std::vector<std::size_t> tensors_of(std::size_t stage) const {
    const Range tensors = net_.tensors(first_layers_[stage]);
    std::vector<std::size_t> indices(tensors.size());
    std::iota(indices.begin(), indices.end(), tensors.begin);
    return indices;
  }

  // What of a stage is shown; those before it are chosen already.
  void choose(std::vector<Stage>& stages, std::size_t index) {
    Stage& stage = stages[index];
    std::optional<ExplainedWeight> chosen;
    if (input_.weight && index == chosen_stage_) chosen = weight_of(stage, *input_.weight);
    if (index == 0) {
      stage.shown_inputs = shown_of(stage.x, chosen ? chosen->input : std::nullopt);
    } else {
      Stage& before = stages[index - 1];
      if (chosen && chosen->input &&
          std::ranges::find(before.shown_units, *chosen->input) == before.shown_units.end()) {
        const std::vector<double>& sizes = before.dz.empty() ? before.a : before.dz;
        const auto least =
            std::ranges::min_element(before.shown_units, {}, [&](std::size_t unit) { return std::abs(sizes[unit]); });
        *least = *chosen->input;
        std::ranges::sort(before.shown_units);
      }
      stage.shown_inputs = before.shown_units;
    }
    stage.shown_units =
        shown_of(stage.dz.empty() ? stage.a : stage.dz, chosen ? std::optional(chosen->unit) : std::nullopt);
    if (stage.num_weights == 0) return;
    for (const WeightPlace& place : shown_weights(stage, index)) stage.weights.push_back(with_difference(stage, place));
  }

  template <class Use>
  void for_each_weight(std::size_t stage, Use use) const {
    for (const std::size_t parameter : tensors_of(stage)) {
      const Range range = entries_[parameter].range;
      for (std::size_t element = range.begin; element < range.end; ++element)
        use(WeightPlace{.parameter = parameter, .element = element});
    }
  }

  // All weights of a stage, or those of the largest gradients and the chosen one; in the order of the arena.
  [[nodiscard]] std::vector<WeightPlace> shown_weights(const Stage& stage, std::size_t index) const {
    std::vector<WeightPlace> places;
    const bool whole = stage.num_weights <= kMostWeights;
    const std::span<const float> sizes = stage.is_trained ? pass_.gradient.view() : input_.before;
    const auto larger = [&](const WeightPlace& a, const WeightPlace& b) {
      return std::abs(sizes[a.element]) > std::abs(sizes[b.element]);
    };
    for_each_weight(index, [&](const WeightPlace& place) {
      if (!whole && places.size() == kLargest) {
        if (!larger(place, places.back())) return;
        places.pop_back();
      }
      places.insert(whole ? places.end() : std::ranges::upper_bound(places, place, larger), place);
    });
    const auto is_chosen = [&](const WeightPlace& place) { return place.element == input_.weight->element; };
    if (input_.weight && index == chosen_stage_ && std::ranges::none_of(places, is_chosen))
      places.back() = *input_.weight;
    std::ranges::sort(places, {}, &WeightPlace::element);
    return places;
  }

  void choose_edges(Stage& stage, std::size_t index) const {
    const auto is_shown = [](const std::vector<std::size_t>& shown, std::size_t i) {
      return std::ranges::binary_search(shown, i);
    };
    for_each_weight(index, [&](const WeightPlace& place) {
      const auto [unit, input] = ends_of(stage, place);
      if (!is_shown(stage.shown_units, unit) || (input && !is_shown(stage.shown_inputs, *input))) return;
      stage.edges.push_back(weight_of(stage, place));
    });
  }

  // The unit that a weight belongs to, and the input that it weighs, unless it is a bias.
  [[nodiscard]] std::pair<std::size_t, std::optional<std::size_t>> ends_of(const Stage& stage,
                                                                           const WeightPlace& place) const {
    const Parameter& parameter = entries_[place.parameter];
    const std::size_t layer = net_.layer_of(place.parameter);
    const std::size_t offset = place.element - parameter.range.begin;
    const std::size_t tensor = place.parameter - net_.tensors(layer).begin;
    const std::size_t unit = net_.layer(layer).output_of(tensor, offset, Shape{stage.x.size()}).value_or(0);
    if (parameter.kind == ParameterKind::bias) return {unit, std::nullopt};
    return {unit, offset % stage.x.size()};
  }

  [[nodiscard]] ExplainedWeight weight_of(const Stage& stage, const WeightPlace& place) const {
    const std::size_t layer = net_.layer_of(place.parameter);
    const std::size_t tensor = place.parameter - net_.tensors(layer).begin;
    const Parameter& parameter = entries_[place.parameter];
    const std::size_t offset = place.element - parameter.range.begin;
    ExplainedWeight weight;
    weight.place = place;
    weight.name = weight_name(input_.model.parameters(), place);
    std::tie(weight.unit, weight.input) = ends_of(stage, place);
    weight.value = input_.before[place.element];
    weight.after = input_.after[place.element];
    weight.gradient = pass_.gradient.view()[place.element];
    weight.of_weight = net_.layer(layer).weight_slope(tensor, offset, stage.x);
    weight.of_activation = stage.slopes[weight.unit];
    weight.of_unit = stage.da.empty() ? 0 : stage.da[weight.unit];
    return weight;
  }

  [[nodiscard]] double input_slope(const Stage& stage, std::size_t index, std::size_t unit, std::size_t input) const {
    const std::size_t layer = first_layers_[index];
    return net_.layer(layer).input_slope(central_.tensors(layer), stage.x, unit, input);
  }

  [[nodiscard]] ExplainedWeight with_difference(const Stage& stage, const WeightPlace& place) {
    ExplainedWeight weight = weight_of(stage, place);
    if (stage.is_trained) weight.central = central_.at(place);
    if (input_.alive) input_.alive();
    return weight;
  }

  const ExplainInput& input_;
  std::span<const Parameter> entries_;
  PlainNet net_;
  TrainingPass pass_;
  PlainPass plain_pass_;
  CentralDifferences central_;
  std::vector<std::size_t> first_layers_;  // [stages]
  std::size_t chosen_stage_ = 0;
};

// Path by path the chain rule is told of layers behind each other.
void check_told(const ModelConfig& config, const Model& model) {
  for (std::size_t layer = 0; layer < config.layers.size(); ++layer) {
    const LayerConfig& of_layer = config.layers[layer];
    const auto inputs = model.layer_inputs(layer);
    const bool follows = inputs.size() == 1 && inputs.front() == layer;
    const bool flat = follows && model.shape(layer).dims() == 1 && model.shape(layer + 1).dims() == 1;
    if (flat && make_plain_layer(of_layer.type, of_layer.options)->has_slopes()) continue;
    const std::string& name = model.layer_names()[layer];
    const std::string why = follows ? fmt::format("{} is not so ({})", name, of_layer.type)
                                    : fmt::format("{} reads others than the layer before it", name);
    throw Error(ErrorKind::config,
                fmt::format("explain: the chain rule is told path by path for layers behind each other of one extent: "
                            "dense, activations, dropout, softmax; {}. explain --check compares the gradients of any "
                            "net with central differences, explain --ranks shows how they are added up",
                            why));
  }
}

}  // namespace

double relative_difference(double gradient, double central) {
  const double larger = std::max(std::abs(gradient), std::abs(central));
  return larger == 0 ? 0 : std::abs(gradient - central) / larger;
}

double ExplainedWeight::relative_difference() const {
  return lockstep::relative_difference(gradient, central.value);
}

std::string Stage::name() const {
  std::string text;
  for (const ExplainedLayer& layer : layers) text += (text.empty() ? "" : ", ") + layer.name;
  return text;
}

void check_trained(const Model& model, const WeightPlace& weight) {
  if (model.parameters().entries()[weight.parameter].kind == ParameterKind::running) {
    throw Error(ErrorKind::config,
                fmt::format("--weight: {} is no weight: its layer moves it by what it sees, and it has no gradient",
                            weight_name(model.parameters(), weight)));
  }
  if (model.trained()[weight.parameter]) return;
  throw Error(ErrorKind::config,
              fmt::format("--weight: {} is frozen, and no step looks at its gradient; choose a weight "
                          "of a layer that is not in model.freeze",
                          weight_name(model.parameters(), weight)));
}

void check_explainable(const ModelConfig& config, const Model& model, const Loss& loss, const SampleRows& rows,
                       const std::optional<WeightPlace>& weight) {
  check_told(config, model);
  if (!(loss.weigh(1, rows.targets).size > 0)) {
    const bool of_class = rows.targets.weights.empty() && !rows.targets.may_miss;
    throw Error(ErrorKind::config,
                fmt::format("sample {}: {} has weight 0{}, so there is nothing to pass back; take another one with "
                            "--sample",
                            rows.samples[0], of_class ? "its class" : "it",
                            rows.targets.may_miss ? ", or all its targets are missing" : ""));
  }
  if (weight) check_trained(model, *weight);
}

Explanation explain_sample(const ExplainInput& input) {
  check_explainable(input.config, input.model, input.loss, input.rows, input.weight);
  return Explainer(input).explain();
}

}  // namespace lockstep
