// A net in plain arithmetic, in double, and its derivatives by central differences: what gradients are checked by.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/parameters.hpp"
#include "core/weight_name.hpp"
#include "explain/plain_loss.hpp"
#include "layers/plain_layer.hpp"
#include "lockstep/run_config.hpp"
#include "model/loss.hpp"
#include "model/model.hpp"

namespace lockstep {

/// Samples as training gets them: x [n, inputs], targets as the loss needs them.
struct SampleRows {
  std::span<const float> x;
  Targets targets;
  std::span<const std::uint32_t> samples;  ///< [n] global indices
  [[nodiscard]] std::size_t size() const noexcept { return samples.size(); }
};

class PlainNet {
 public:
  /// The net of `config`, which `model` was made of. Errors: internal (a layer or loss without a plain form).
  PlainNet(const ModelConfig& config, const Model& model);

  [[nodiscard]] std::size_t num_layers() const noexcept { return layers_.size(); }
  [[nodiscard]] const PlainLayer& layer(std::size_t index) const { return *layers_[index].layer; }
  [[nodiscard]] const PlainLoss& loss() const noexcept { return *loss_; }
  /// Indices into the parameter table of a layer's tensors.
  [[nodiscard]] Range tensors(std::size_t layer) const { return layers_[layer].tensors; }
  [[nodiscard]] std::size_t layer_of(std::size_t parameter) const;

  /// The answer of sample `row` of `rows`.
  [[nodiscard]] PlainTarget target(const SampleRows& rows, std::size_t row) const;
  /// The loss of one sample, by its weight.
  [[nodiscard]] double cost(std::span<const double> outputs, const PlainTarget& target) const;

 private:
  friend class CentralDifferences;
  struct Node {
    std::unique_ptr<PlainLayer> layer;
    std::vector<std::size_t> inputs;  // values
    std::vector<Shape> shapes;        // of these
    std::size_t outputs = 0;
    Range tensors;                // in the parameter table
    std::vector<Range> elements;  // of the arena
  };

  std::vector<Node> layers_;
  std::unique_ptr<PlainLoss> loss_;
};

/// A derivative of the mean loss by one weight.
struct CentralDifference {
  double value = 0;
  bool at_kink = false;  ///< the loss has no derivative there, or one that no difference shows: `value` means nothing
};

/// The loss over some samples with one weight a little larger and a little smaller. Local; use from one thread.
class CentralDifferences {
 public:
  /// `pass` gives seed and step of what is random. The loss is the sum over the samples / `weight`. What is given must
  /// outlive it but for `weights` [arena]. `alive` is called now and then while it is made.
  CentralDifferences(const PlainNet& net, std::span<const float> weights, const SampleRows& rows, const PlainPass& pass,
                     double weight, const std::function<void()>& alive = {});

  CentralDifferences(const CentralDifferences&) = delete;  // it holds views of itself
  CentralDifferences& operator=(const CentralDifferences&) = delete;

  /// The loss as it is.
  [[nodiscard]] double loss() const noexcept { return loss_; }
  /// The tensors of layer `layer`.
  [[nodiscard]] PlainTensors tensors(std::size_t layer) const { return layer_tensors_[layer]; }
  /// Outputs of layer `layer` for sample `row`: [outputs].
  [[nodiscard]] std::span<const double> outputs(std::size_t row, std::size_t layer) const {
    return values_[layer + 1][row];
  }
  /// On which sides of all kinks sample `row` lies, from the first layer to the loss.
  [[nodiscard]] std::vector<bool> sides(std::size_t row) const;

  /// The difference quotient; h is about the cube root of the precision, where its two errors, of order h^2 and
  /// precision / h, are least.
  [[nodiscard]] CentralDifference at(const WeightPlace& place);

 private:
  using Values = std::vector<PlainRows>;  // [layers + 1][rows]: inputs, then the outputs of each layer

  [[nodiscard]] PlainPass pass_of(std::size_t row, std::size_t layer) const;
  // The inputs of a layer for a row: `values`, or values_ where they are not `changed` [values].
  [[nodiscard]] std::vector<std::span<const double>> inputs_of(std::size_t row, std::size_t layer) const;
  // Sets changed_[layer + 1] of all rows.
  void forward(std::size_t layer);
  [[nodiscard]] const PlainRows& value(std::size_t index) const {
    return is_changed_[index] ? changed_[index] : values_[index];
  }
  // The loss with weights_ as they are now, and the sides; only what depends on `layer` is computed again.
  [[nodiscard]] double loss_from(std::size_t layer, const WeightPlace& place, std::vector<bool>& sides);
  // Sides and loss of a row by value().
  void add_sides(std::size_t row, std::vector<bool>& sides) const;

  const PlainNet& net_;
  const SampleRows rows_;
  PlainPass pass_;
  double weight_;
  std::vector<double> weights_;                                      // [arena]
  std::vector<std::vector<std::span<const double>>> layer_tensors_;  // [layers][tensors] views of weights_
  Values values_;
  Values changed_;                // with one weight changed, where
  std::vector<bool> is_changed_;  // [layers + 1] it makes a difference
  double loss_ = 0;
  std::vector<bool> sides_;
};

}  // namespace lockstep
