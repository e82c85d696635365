// Backpropagation of one sample, as numbers that can be told and drawn: every value that training computes on the way
// from the sample to the cost and back to each weight's gradient, with the factors of the chain rule beside them.
//
// Values, errors and gradients are those of the training's own forward and backward pass, in float. Derivatives of
// activations and central differences are those of the plain net, in double.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/range.hpp"
#include "core/weight_name.hpp"
#include "explain/plain_net.hpp"
#include "model/loss.hpp"
#include "model/model.hpp"

namespace lockstep {

/// A weight in the sample's backward pass: dC/dW = dC/dA * dA/dZ * dZ/dW.
struct ExplainedWeight {
  WeightPlace place;
  std::string name;                       ///< "dense2[3,0]"
  std::size_t unit = 0;                   ///< of the stage
  std::optional<std::size_t> input = {};  ///< that it weighs; unset: a bias
  double value = 0;
  double after = 0;          ///< one step
  double of_unit = 0;        ///< dC/dA of the unit
  double of_activation = 0;  ///< dA/dZ of the unit
  double of_weight = 0;      ///< dZ/dW
  double gradient = 0;       ///< dC/dW as training computes it
  CentralDifference central;
  [[nodiscard]] double relative_difference() const;
};

struct ExplainedLayer {
  std::string name;  ///< "sigmoid1"
  std::string type;
  Formula formula;
};

/// A layer with weights and the activations behind it: Z = W x + b, A = f(Z). Without such a layer in front (dropout of
/// the inputs): A = f(x).
struct Stage {
  std::vector<ExplainedLayer> layers;
  bool has_weights = false;
  bool is_trained = false;      ///< false: it has no weights, or they are frozen
  std::vector<double> x, z, a;  ///< [inputs], [units], [units]
  std::vector<double> slopes;   ///< [units] dA/dZ
  std::vector<double> da, dz;   ///< [units] dC/dA, dC/dZ (the error); empty where training needs none
  std::vector<std::size_t> shown_inputs, shown_units;  ///< ascending; all of them where they are few
  std::vector<ExplainedWeight> weights;                ///< that are shown: all where they are few
  std::size_t num_weights = 0;
  std::vector<ExplainedWeight> edges;  ///< between what is shown, without central differences and factors
  double weight_norm = 0, gradient_norm = 0;
  [[nodiscard]] std::string name() const;
};

/// One way from the cost to a weight: the factors whose product it adds to the gradient.
struct ChainFactor {
  std::string what;   ///< "dC/da", "dC/dz", "da/dz", "dz/da", "dz/dw"
  std::string where;  ///< "sigmoid2[0]", "dense2[0,3]"
  double value = 0;
  std::size_t stage = 0, unit = 0;        ///< whose it is
  std::optional<std::size_t> input = {};  ///< of the unit: of dz/da, and of dz/dw but for a bias
};
struct ChainPath {
  std::vector<ChainFactor> factors;
  [[nodiscard]] double product() const;
};

/// The chain rule for one weight: the products of all paths and `others` add up to its gradient.
struct Chain {
  std::size_t stage = 0;
  ExplainedWeight weight;
  double num_paths = 0;
  std::vector<ChainPath> paths;  ///< all, or the largest
  double others = 0;             ///< the sum over those that are left out
};

struct Explanation {
  std::string subject;  ///< run file or checkpoint
  std::string run, data;
  std::uint64_t step = 0;  ///< updates done before
  std::uint32_t sample = 0;
  std::vector<Stage> stages;
  std::string loss_type;
  Formula loss_formula;
  double cost = 0;
  std::vector<double> outputs, loss_slopes;  ///< [outputs] of the net, dC/da
  PlainTarget target;
  bool has_label = false;
  std::vector<std::string> class_names;
  std::size_t num_weights = 0;
  bool is_whole = false;  ///< everything is shown
  std::optional<Chain> chain;
  std::string optimizer;
  std::string update_rule;  ///< how the weights move, as text
  double learning_rate = 0;
  double clip = 1;  ///< what the gradient is multiplied by for clip_norm
  std::optional<double> gradient_norm = {};
};

/// What is to be explained.
struct ExplainInput {
  const ModelConfig& config;
  const Model& model;
  const Loss& loss;
  std::span<const float> before, after;    ///< [arena] weights before and after a step on the sample alone
  SampleRows rows;                         ///< one sample
  Pass pass;                               ///< that of the step
  std::optional<WeightPlace> weight = {};  ///< to be followed
  std::function<void()> alive = {};        ///< called from time to time
};

/// Errors: config (the weight is frozen), naming it.
void check_trained(const Model& model, const WeightPlace& weight);

/// Errors: config (the sample's class has weight 0; the weight is frozen).
void check_explainable(const ModelConfig& config, const Model& model, const Loss& loss, const SampleRows& rows,
                       const std::optional<WeightPlace>& weight);

/// Sets stages, cost, outputs and chain. Local; takes some copies of all weights. Errors: as check_explainable.
[[nodiscard]] Explanation explain_sample(const ExplainInput& input);

/// |gradient - central| over the larger of them; 0 where both are.
[[nodiscard]] double relative_difference(double gradient, double central);

}  // namespace lockstep
