// The cost over one or two weights of a net, all others as they are: exact over the data, at any places, on all ranks.
//
// The cost is the run's loss: the mean over all samples, by their weight, without dropout. Nets are passed as in
// training, in 32-bit floats, and weights are floats; sums are in double, in fixed blocks and the fixed tree, so a cost
// or a slope has the same bits at any rank count.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "core/buffer.hpp"
#include "score/block_reader.hpp"
#include "score/evaluation.hpp"
#include "step/engine.hpp"

namespace lockstep {

/// A place: the one or two weights; the second is 0 where there is one.
using WeightPoint = std::array<float, 2>;

struct CostPoint {
  WeightPoint at{};
  double cost = 0;
  std::array<double, 2> slope{};  ///< dC/dw by each weight, where it was asked for
  [[nodiscard]] bool finite() const;
};

/// Samples to take the cost over: `rows` of `data`, all where empty.
struct LandscapeData {
  const Dataset& data;
  const Normalization& normalization;
  RowList rows = {};
};

/// The cost as a function of weights `elements` of the arena.
class CostSurface {
 public:
  /// Told by a rank how many of its passes over a block are done, and of how many.
  using Progress = std::function<void(std::size_t done, std::size_t all)>;

  /// One or two elements. Everything given must outlive it. Allocates what costs need; slopes need a gradient more.
  /// Errors: usage (no elements, or too many, or one that belongs to no layer).
  CostSurface(const Communicator& comm, const Net& net, const LandscapeData& data,
              std::span<const std::size_t> elements, Progress progress = {});

  [[nodiscard]] std::size_t weights() const noexcept { return elements_.size(); }
  /// Where the net is.
  [[nodiscard]] WeightPoint here() const noexcept { return here_; }

  /// Sets the cost of each point from its place, and the slopes where `slopes` says so. What is not finite stays so.
  /// Points and blocks are dealt to the ranks together. Collective. Errors, agreed: data, io, of streamed samples.
  void fill(std::span<CostPoint> points, bool slopes);
  /// That of one point, with slopes. Collective, as fill().
  [[nodiscard]] CostPoint point(const WeightPoint& at);

 private:
  void fill_some(std::span<CostPoint> points, bool slopes);
  void pass(const CostPoint& point, std::size_t block, bool slopes, std::span<double> sums);

  const Communicator& comm_;
  Net net_;
  std::vector<std::size_t> elements_;
  Progress progress_;
  BlockReader reader_;
  std::size_t first_layer_ = 0;  // the first that has one of the weights: nothing changes before it
  WeightPoint here_{};
  Buffer<float> weights_;  // all, with the point's in their places
  Buffer<float> gradient_;
  Workspace workspace_;
  RowBuffer rows_;
  std::size_t held_;  // block in the workspace; reader_.blocks(): none
};

/// `points` weights from `low` to `high`, equally far apart. Errors: usage (fewer than 3; so near that they are the
/// same as 32-bit floats; not finite).
[[nodiscard]] std::vector<float> axis_points(double low, double high, std::size_t points);

/// Costs at all places of a grid: [second axis, first axis], with slopes where `second` is empty. Collective.
[[nodiscard]] std::vector<CostPoint> cost_grid(CostSurface& surface, std::span<const float> first,
                                               std::span<const float> second);

/// Gradient descent on the shown weights alone: `from`, then `steps` steps w -= lr * dC/dw. Ends early with the first
/// point that is not finite. Collective.
[[nodiscard]] std::vector<CostPoint> roll_down(CostSurface& surface, const WeightPoint& from, double lr,
                                               std::size_t steps);

struct Minimum {
  CostPoint point;
  bool found = false;      ///< some point of the grid is finite
  bool flat = false;       ///< all finite costs of the grid are the same
  bool on_border = false;  ///< of the grid: it may go on falling outside
};

/// The lowest point of `grid`, of equally low ones the nearest to where the net is; and from there on the lowest place
/// nearby within the grid's range: by Newton steps on the slopes where the cost is smooth and convex, by a pattern
/// search where it is not. Collective.
[[nodiscard]] Minimum find_minimum(CostSurface& surface, std::span<const CostPoint> grid, std::span<const float> first,
                                   std::span<const float> second);

}  // namespace lockstep
