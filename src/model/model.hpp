// A feed-forward net: layers in a row, over flat arenas.
//
// The model holds configuration and offsets; weights, gradients and activations are handed in. It knows no MPI: when a
// layer's gradient is complete it says so through a callback, from the last layer to the first.
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
#include "layers/layer.hpp"
#include "lockstep/run_config.hpp"

namespace lockstep {

/// Activations and their derivatives for up to `max_rows` rows. Made by Model::make_workspace.
class Workspace {
 public:
  /// Input rows to be filled before forward: [max_rows, inputs].
  [[nodiscard]] std::span<float> input(std::size_t rows) noexcept;
  /// Where the loss writes dL/doutputs before backward: [rows, outputs].
  [[nodiscard]] std::span<float> doutputs(std::size_t rows) noexcept;
  [[nodiscard]] std::size_t max_rows() const noexcept { return max_rows_; }
  /// Bytes held.
  [[nodiscard]] std::size_t bytes() const noexcept;

 private:
  friend class Model;
  std::size_t max_rows_ = 0;
  std::vector<std::size_t> widths_;         // [layers + 1]
  std::vector<Buffer<float>> activations_;  // each [max_rows, width]
  std::vector<std::size_t> buffer_of_;      // [layers + 1] index of a layer's input or output in activations_
  std::vector<Buffer<float>> gradients_;    // two of [max_rows, widest], used in turn
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
  /// Infers all widths. Errors: config (unknown layer, bad options, two layers of one name, no layer; all layers, or
  /// none that there is, are to be frozen), naming the layer.
  /// `compute`: what its products run on, which loads nothing before the first.
  Model(const ModelConfig& config, std::size_t inputs, std::shared_ptr<const Compute> compute = make_compute());

  [[nodiscard]] std::size_t inputs() const noexcept { return inputs_; }
  [[nodiscard]] std::size_t outputs() const noexcept { return outputs_; }
  [[nodiscard]] const std::shared_ptr<const Compute>& compute() const noexcept { return compute_; }
  [[nodiscard]] const ParameterTable& parameters() const noexcept { return table_; }
  /// Whether each parameter is trained, and not frozen: [parameters].
  [[nodiscard]] const std::vector<bool>& trained() const noexcept { return trained_; }
  [[nodiscard]] bool has_frozen() const noexcept { return std::ranges::find(trained_, false) != trained_.end(); }
  /// Names of the layers in order ("dense1", "relu1", ...).
  [[nodiscard]] std::span<const std::string> layer_names() const noexcept { return names_; }
  /// Numbers that a layer gives for a sample.
  [[nodiscard]] std::size_t width(std::size_t layer) const { return nodes_[layer].out; }

  /// Fills `weights` [arena] with the starting weights: a pure function of the seed.
  void initialize(std::uint64_t seed, std::span<float> weights) const;

  /// `training` false leaves out what only backward needs.
  [[nodiscard]] Workspace make_workspace(std::size_t max_rows, bool training) const;
  /// Workspace::bytes() of it, before it is made; at most kMostBytes.
  [[nodiscard]] std::size_t workspace_bytes(std::size_t max_rows, bool training) const;
  static constexpr std::size_t kMostBytes = std::size_t{1} << 50U;  ///< a petabyte, for all that is more

  /// Called with a layer's index and its outputs [rows, width], before the next layer may take their place.
  using LayerDone = std::function<void(std::size_t layer, std::span<const float> outputs)>;

  /// Called with the arena range of a layer before its weights are read.
  using BeforeLayer = std::function<void(Range)>;

  /// Runs `rows` rows of workspace.input(); returns the outputs [rows, outputs], which lie in the workspace.
  std::span<const float> forward(const Pass& pass, std::span<const float> weights, std::size_t rows,
                                 Workspace& workspace, const LayerDone& done = {},
                                 const BeforeLayer& before = {}) const;

  /// The same from layer `first` on, where nothing before it has changed since a forward over the same rows.
  /// Errors: usage (the layer works in place, so its input is gone).
  std::span<const float> forward_from(std::size_t first, const Pass& pass, std::span<const float> weights,
                                      std::size_t rows, Workspace& workspace) const;

  /// Called with arena ranges whose gradient is complete: those of a layer, or parts of them, from the arena's end to
  /// its beginning.
  using GradientReady = std::function<void(Range)>;

  /// After forward over the same rows: sets `gradient` [arena] to the sum over the rows from workspace.doutputs().
  /// rows == 0 gives zeros. Padding and what belongs to frozen layers are left as they are.
  /// `before` is called with a layer's index and dL/d(its outputs) [rows, width], before the layer passes it on; not
  /// for layers in front of the first that is trained.
  void backward(const Pass& pass, std::span<const float> weights, std::size_t rows, Workspace& workspace,
                std::span<float> gradient, const GradientReady& ready, const LayerDone& before = {}) const;

 private:
  struct Node {
    std::unique_ptr<Layer> layer;
    std::size_t in = 0;
    std::size_t out = 0;
    bool in_place = false;       // y takes the place of x
    std::vector<Range> tensors;  // arena ranges
    Range span;                  // arena range of all tensors; empty when there is none
    bool frozen = false;
    [[nodiscard]] bool trains() const noexcept { return !tensors.empty() && !frozen; }
  };

  // Floats a row of the buffers of a workspace.
  struct BufferWidths {
    std::vector<std::size_t> activations, gradients;
  };
  [[nodiscard]] BufferWidths buffer_widths(bool training) const;

  void freeze(const std::vector<std::string>& names);
  std::span<const float> run_layers(std::size_t first, const Pass& pass, std::span<const float> weights,
                                    std::size_t rows, Workspace& workspace, const LayerDone& done,
                                    const BeforeLayer& before) const;

  std::size_t inputs_ = 0;
  std::size_t outputs_ = 0;
  std::shared_ptr<const Compute> compute_;
  std::vector<Node> nodes_;
  std::vector<std::string> names_;
  std::vector<ParameterSpec> specs_;  // one an entry of table_
  ParameterTable table_;
  std::vector<bool> trained_;  // one an entry of table_
};

}  // namespace lockstep
