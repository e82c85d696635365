// A feed-forward net: a graph of layers over flat arenas.
//
// A layer reads layers that stand before it, so the order of the list is that of forward, and its reverse that of
// backward. The model holds configuration and offsets; weights, gradients and activations are handed in. It knows no
// MPI: when a layer's gradient is complete it says so through a callback, from the last layer to the first.
//
// Where a layer needs sums over the whole batch (batch_norm), the net falls into stages: the shards go through a stage
// one after the other, then what they bring is added up, then the next stage begins; see forward_stage().
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compute/compute.hpp"
#include "core/buffer.hpp"
#include "core/parameters.hpp"
#include "core/shape.hpp"
#include "layers/layer.hpp"
#include "lockstep/run_config.hpp"
#include "model/workspace_plan.hpp"

namespace lockstep {

/// Activations and their derivatives for up to `max_rows` rows. Made by Model::make_workspace.
class Workspace {
 public:
  /// Input rows to be filled before forward: [max_rows, inputs].
  [[nodiscard]] std::span<float> input(std::size_t rows) noexcept { return value(0, rows); }
  /// Where the loss writes dL/doutputs before backward: [rows, outputs].
  [[nodiscard]] std::span<float> doutputs(std::size_t rows) noexcept { return gradient(widths_.size() - 1, rows); }
  [[nodiscard]] std::size_t max_rows() const noexcept { return max_rows_; }
  /// Bytes held.
  [[nodiscard]] std::size_t bytes() const noexcept { return memory_.size() * sizeof(float); }

  /// The sums of the border in front of stage `border` + 1, see Model::forward_stage.
  [[nodiscard]] const BatchSums& sums(std::size_t border) const { return border_sums_[border]; }

 private:
  friend class Model;
  [[nodiscard]] std::span<float> part(std::size_t begin, std::size_t size) noexcept {
    return memory_.view().subspan(begin, size);
  }
  [[nodiscard]] std::span<float> value(std::size_t index, std::size_t rows) noexcept {
    return part(plan_.values[index], rows * widths_[index]);
  }
  [[nodiscard]] std::span<float> gradient(std::size_t index, std::size_t rows) noexcept {
    return part(plan_.gradients[index], rows * widths_[index]);
  }

  std::size_t max_rows_ = 0;
  WorkspaceUse use_;
  std::vector<std::size_t> widths_;  // [values]
  WorkspacePlan plan_;
  Buffer<float> memory_;
  Buffer<double> sums_;
  std::vector<BatchSums> border_sums_;  // [stages - 1], in sums_
  std::vector<Tensor<const float>> x_;  // [inputs] of the layer under way
  std::vector<Tensor<float>> dx_;
};

/// Seed, step and samples of a pass; see PassContext.
struct Pass {
  bool training = false;
  std::uint64_t seed = 0;
  std::uint32_t step = 0;
  std::span<const std::uint32_t> samples = {};
};

class Model {
 public:
  /// Plans all layers. Errors: config (unknown layer, bad options, names and inputs as layer_names() and layer_inputs()
  /// tell, inputs that a layer does not take, no layer; all layers, or none that there is, are to be frozen), naming
  /// the layer.
  /// `compute`: what its products run on, which loads nothing before the first.
  Model(const ModelConfig& config, const Shape& input, std::shared_ptr<const Compute> compute = make_compute());
  /// Of samples of `inputs` numbers.
  Model(const ModelConfig& config, std::size_t inputs, std::shared_ptr<const Compute> compute = make_compute())
      : Model(config, Shape{inputs}, std::move(compute)) {}

  [[nodiscard]] const Shape& input_shape() const noexcept { return shapes_.front(); }
  [[nodiscard]] std::size_t inputs() const noexcept { return shapes_.front().size(); }
  [[nodiscard]] std::size_t outputs() const noexcept { return shapes_.back().size(); }
  [[nodiscard]] const std::shared_ptr<const Compute>& compute() const noexcept { return compute_; }
  [[nodiscard]] const ParameterTable& parameters() const noexcept { return table_; }
  /// Whether each parameter is moved by the steps, and not frozen: [parameters].
  [[nodiscard]] const std::vector<bool>& trained() const noexcept { return trained_; }
  [[nodiscard]] bool has_frozen() const noexcept { return std::ranges::find(trained_, false) != trained_.end(); }
  /// Names of the layers in order ("dense1", "relu1", ...).
  [[nodiscard]] std::span<const std::string> layer_names() const noexcept { return names_; }
  /// What each layer reads: 0 the net's input, i + 1 the output of layer i.
  [[nodiscard]] std::span<const std::size_t> layer_inputs(std::size_t layer) const { return nodes_[layer].inputs; }
  /// Of the net's input (0) and of what the layers give (i + 1).
  [[nodiscard]] const Shape& shape(std::size_t value) const { return shapes_[value]; }
  /// Numbers that a layer gives for a sample.
  [[nodiscard]] std::size_t width(std::size_t layer) const { return shapes_[layer + 1].size(); }
  [[nodiscard]] const LayerPlan& plan(std::size_t layer) const { return nodes_[layer].plan; }
  /// The matrix products of a step, of all layers in their order: what of them it needs.
  [[nodiscard]] std::vector<Product> products() const;
  /// What a layer costs in a step: of its plan's cost what the step needs.
  [[nodiscard]] Cost cost(std::size_t layer) const;

  /// Fills `weights` [arena] with the starting weights: a pure function of the seed.
  void initialize(std::uint64_t seed, std::span<float> weights) const;

  [[nodiscard]] Workspace make_workspace(std::size_t max_rows, const WorkspaceUse& use) const;
  /// `training` false leaves out what only backward needs.
  [[nodiscard]] Workspace make_workspace(std::size_t max_rows, bool training) const {
    return make_workspace(max_rows, WorkspaceUse{.training = training});
  }
  /// Workspace::bytes() of it, before it is made; at most kMostBytes.
  [[nodiscard]] std::size_t workspace_bytes(std::size_t max_rows, bool training) const;
  static constexpr std::size_t kMostBytes = std::size_t{1} << 50U;  ///< a petabyte, for all that is more

  /// Called with a layer's index and its outputs [rows, width], before the next layer may take their place.
  using LayerDone = std::function<void(std::size_t layer, std::span<const float> outputs)>;

  /// Called with the arena range of a layer before its weights are read.
  using BeforeLayer = std::function<void(Range)>;

  /// Runs `rows` rows of workspace.input(), which are a whole batch where the net has stages; returns the outputs
  /// [rows, outputs], which lie in the workspace.
  std::span<const float> forward(const Pass& pass, std::span<const float> weights, std::size_t rows,
                                 Workspace& workspace, const LayerDone& done = {},
                                 const BeforeLayer& before = {}) const;

  /// The same from layer `first` on, where nothing before it has changed since a forward over the same rows.
  /// Errors: usage (the workspace was not made for that, see WorkspaceUse).
  std::span<const float> forward_from(std::size_t first, const Pass& pass, std::span<const float> weights,
                                      std::size_t rows, Workspace& workspace) const;

  /// Called with arena ranges whose gradient is complete: those of a layer, or parts of them, from the arena's end to
  /// its beginning.
  using GradientReady = std::function<void(Range)>;

  /// After forward over the same rows: sets `gradient` [arena] to the sum over the rows from workspace.doutputs().
  /// rows == 0 gives zeros. Padding and what belongs to frozen layers are left as they are.
  /// `before` is called with a layer's index and dL/d(its outputs) [rows, width], before the layer passes it on; not
  /// for layers that nothing to be trained stands before.
  void backward(const Pass& pass, std::span<const float> weights, std::size_t rows, Workspace& workspace,
                std::span<float> gradient, const GradientReady& ready, const LayerDone& before = {}) const;

  // ---- by stages, for a batch in several shards ----
  //
  // for each stage: for each shard: forward_stage(); then the shards' workspace.sums(stage).forward are added up over
  // all shards and written back. The loss. For each stage, the last first: for each shard: backward_stage(); then the
  // same with sums(stage - 1).backward.

  [[nodiscard]] std::size_t num_stages() const noexcept { return borders_.size() + 1; }
  /// Elements of the arena whose gradient is complete with stage `stage`: those that the next stage to come has not.
  [[nodiscard]] Range stage_elements(std::size_t stage) const;
  /// Numbers of the sums behind stage `stage`.
  [[nodiscard]] std::size_t num_sums(std::size_t stage) const { return nodes_[borders_[stage]].plan.shard_sums; }
  /// One stage of forward(); returns what its last layer gives.
  std::span<const float> forward_stage(std::size_t stage, const Pass& pass, std::span<const float> weights,
                                       std::size_t rows, Workspace& workspace, const LayerDone& done,
                                       const BeforeLayer& before) const;
  /// One stage of backward().
  void backward_stage(std::size_t stage, const Pass& pass, std::span<const float> weights, std::size_t rows,
                      Workspace& workspace, std::span<float> gradient, const GradientReady& ready,
                      const LayerDone& before = {}) const;

  /// Moves `values`, elements `elements` of the arena, all of one parameter of kind running, by the sums of a batch
  /// that lie in `workspace`.
  void update_running(std::size_t parameter, Range elements, const Workspace& workspace, std::span<float> values) const;

 private:
  struct Node {
    std::unique_ptr<Layer> layer;
    LayerPlan plan;
    std::vector<std::size_t> inputs;  // values
    std::vector<Range> tensors;       // arena ranges
    Range span;                       // arena range of all tensors; empty when there is none
    bool frozen = false;
    bool needs_gradient = false;  // whether backward comes to it
    [[nodiscard]] bool trains() const noexcept { return !tensors.empty() && !frozen; }
  };
  enum class Part { all, sums, inputs };  // of backward: the layers at the borders of stages come twice

  [[nodiscard]] PassContext context_of(const Pass& pass, std::size_t layer, const GradientDone* done = nullptr) const;
  void add_layer(std::size_t index, const LayerConfig& config, std::vector<std::size_t> inputs);
  void freeze(const std::vector<std::string>& names);
  [[nodiscard]] PlannedNet planned() const;
  [[nodiscard]] bool has_gradient(std::size_t value) const { return value > 0 && nodes_[value - 1].needs_gradient; }
  [[nodiscard]] Range stage_layers(std::size_t stage) const;
  // Of the border that the layer is behind, if any.
  [[nodiscard]] BatchSums sums_of(std::size_t layer, const Workspace& workspace) const;
  [[nodiscard]] std::span<const Tensor<const float>> inputs_of(const Node& node, std::size_t rows,
                                                               Workspace& workspace) const;
  [[nodiscard]] ForwardCall forward_call(std::size_t layer, std::span<const float> weights, std::size_t rows,
                                         Workspace& workspace) const;
  void run_layers(Range layers, const Pass& pass, std::span<const float> weights, std::size_t rows,
                  Workspace& workspace, const LayerDone& done, const BeforeLayer& before) const;
  void pass_back(std::size_t layer, Part part, const Pass& pass, std::span<const float> weights, std::size_t rows,
                 Workspace& workspace, std::span<float> gradient, const GradientDone* done) const;
  void check_forward(const Pass& pass, std::span<const float> weights, std::size_t rows,
                     const Workspace& workspace) const;

  std::shared_ptr<const Compute> compute_;
  std::vector<Node> nodes_;
  std::vector<std::string> names_;
  std::vector<Shape> shapes_;         // [layers + 1]
  std::vector<std::size_t> borders_;  // layers that a stage begins with, but for the first
  std::size_t most_inputs_ = 1;
  std::vector<ParameterSpec> specs_;   // one an entry of table_
  std::vector<std::size_t> layer_of_;  // one an entry of table_
  ParameterTable table_;
  std::vector<bool> trained_;  // one an entry of table_
};

}  // namespace lockstep
