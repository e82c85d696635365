#include "explain/json.hpp"

#include <cmath>

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Formula& formula) {
  return {{"value", formula.value}, {"slope", formula.slope}};
}

// The weight alone, or also what it takes to tell its gradient.
Json json_of(const ExplainedWeight& weight, bool whole) {
  Json json{{"name", weight.name}, {"unit", weight.unit}, {"input", nullptr}, {"w", weight.value}};
  if (weight.input) json["input"] = *weight.input;
  json["dC_dw"] = weight.gradient;
  json["after"] = weight.after;
  if (!whole) return json;
  json["factors"] = {{"dC_da", weight.of_unit}, {"da_dz", weight.of_activation}, {"dz_dw", weight.of_weight}};
  json["central_difference"] = nullptr;  // at a kink
  json["relative_difference"] = nullptr;
  if (!weight.central.at_kink) {
    json["central_difference"] = weight.central.value;
    json["relative_difference"] = weight.relative_difference();
  }
  return json;
}

Json json_of(const std::vector<ExplainedWeight>& weights, bool whole) {
  Json json = Json::array();
  for (const ExplainedWeight& weight : weights) json.push_back(json_of(weight, whole));
  return json;
}

Json json_of(const Stage& stage) {
  Json layers = Json::array();
  for (const ExplainedLayer& layer : stage.layers) {
    layers.push_back({{"name", layer.name}, {"type", layer.type}, {"formula", json_of(layer.formula)}});
  }
  Json json{{"name", stage.name()},
            {"layers", std::move(layers)},
            {"has_weights", stage.has_weights},
            {"is_trained", stage.is_trained},
            {"inputs", stage.x.size()},
            {"units", stage.a.size()},
            {"shown_inputs", stage.shown_inputs},
            {"shown_units", stage.shown_units},
            {"x", stage.x},
            {"z", stage.z},
            {"a", stage.a},
            {"da_dz", stage.slopes},
            {"dC_da", stage.da},
            {"dC_dz", stage.dz},
            {"num_weights", stage.num_weights},
            {"norm_w", stage.weight_norm},
            {"norm_dC_dw", stage.gradient_norm},
            {"weights", json_of(stage.weights, true)},
            {"edges", json_of(stage.edges, false)}};
  return json;
}

Json json_of(const Chain& chain) {
  Json paths = Json::array();
  for (const ChainPath& path : chain.paths) {
    Json factors = Json::array();
    for (const ChainFactor& factor : path.factors) {
      Json of_path{{"what", factor.what},   {"where", factor.where}, {"value", factor.value},
                   {"stage", factor.stage}, {"unit", factor.unit},   {"input", nullptr}};
      if (factor.input) of_path["input"] = *factor.input;
      factors.push_back(std::move(of_path));
    }
    paths.push_back({{"factors", std::move(factors)}, {"product", path.product()}});
  }
  return {{"stage", chain.stage},
          {"weight", json_of(chain.weight, true)},
          {"num_paths", chain.num_paths},
          {"paths", std::move(paths)},
          {"others", chain.others}};
}

}  // namespace

Json explanation_json(const Explanation& e) {
  Json stages = Json::array();
  for (const Stage& stage : e.stages) stages.push_back(json_of(stage));
  Json loss{{"type", e.loss_type},    {"formula", json_of(e.loss_formula)},
            {"cost", e.cost},         {"outputs", e.outputs},
            {"dC_da", e.loss_slopes}, {"label", nullptr},
            {"targets", nullptr},     {"classes", e.class_names}};
  if (e.has_label) {
    loss["label"] = e.target.label;
  } else {
    loss["targets"] = e.target.values;
  }
  Json step{{"optimizer", e.optimizer},
            {"rule", e.update_rule},
            {"learning_rate", e.learning_rate},
            {"clip", e.clip},
            {"gradient_norm", nullptr}};
  if (e.gradient_norm) step["gradient_norm"] = *e.gradient_norm;
  return {{"subject", e.subject},
          {"run", e.run},
          {"data", e.data},
          {"step", e.step},
          {"sample", e.sample},
          {"num_weights", e.num_weights},
          {"is_whole", e.is_whole},
          {"stages", std::move(stages)},
          {"loss", std::move(loss)},
          {"update", std::move(step)},
          {"chain", e.chain ? json_of(*e.chain) : Json()}};
}

}  // namespace lockstep
