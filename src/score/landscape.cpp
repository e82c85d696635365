#include "score/landscape.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/number_text.hpp"
#include "core/range.hpp"
#include "core/tree.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kLossAndWeight = 2;                 // columns of sums before the slopes
constexpr std::size_t kMostSums = std::size_t{1} << 21U;  // of all points at a time: 16 MB a rank

// The index of the layer that has element `element`.
std::size_t layer_of(const Model& model, std::size_t element) {
  for (const Parameter& parameter : model.parameters().entries()) {
    if (!parameter.range.contains(element)) continue;
    const auto names = model.layer_names();
    return static_cast<std::size_t>(std::ranges::find(names, parameter.layer) - names.begin());
  }
  throw Error(ErrorKind::usage, fmt::format("landscape: element {} of the arena is no weight", element));
}

}  // namespace

bool CostPoint::finite() const {
  return std::isfinite(at[0]) && std::isfinite(at[1]) && std::isfinite(cost) && std::isfinite(slope[0]) &&
         std::isfinite(slope[1]);
}

CostSurface::CostSurface(const Communicator& comm, const Net& net, const LandscapeData& data,
                         std::span<const std::size_t> elements, Progress progress)
    : comm_(comm),
      net_(net),
      elements_(elements.begin(), elements.end()),
      progress_(std::move(progress)),
      reader_(data.data, data.normalization, data.rows, net.loss, net.model.outputs()),
      weights_(net.weights.size()),
      rows_(net.loss.num_targets(net.model.outputs()), net.loss.targets()),
      held_(reader_.blocks()) {
  if (elements_.empty() || elements_.size() > here_.size()) {
    throw Error(ErrorKind::usage, fmt::format("landscape: expected one or two weights, found {}", elements_.size()));
  }
  rows_.expect(data.data.extras());
  rows_.reserve(kEvaluationBlock);
  std::ranges::copy(net.weights, weights_.view().begin());
  first_layer_ = net.model.layer_names().size();
  for (std::size_t i = 0; i < elements_.size(); ++i) {
    first_layer_ = std::min(first_layer_, layer_of(net.model, elements_[i]));
    here_[i] = net.weights[elements_[i]];
  }
  workspace_ = net.model.make_workspace(kEvaluationBlock, {.training = true, .again = first_layer_});
}

void CostSurface::fill(std::span<CostPoint> points, bool slopes) {
  const During scoring(comm_.pulse(), Phase::scoring);
  if (slopes && gradient_.size() == 0) gradient_ = Buffer<float>(weights_.size());
  const std::size_t columns = kLossAndWeight + (slopes ? elements_.size() : 0);
  const std::size_t at_a_time = std::max<std::size_t>(kMostSums / (columns * reader_.blocks()), 1);
  for (std::size_t first = 0; first < points.size(); first += at_a_time) {
    fill_some(points.subspan(first, std::min(at_a_time, points.size() - first)), slopes);
  }
}

CostPoint CostSurface::point(const WeightPoint& at) {
  CostPoint point{at};
  fill(std::span(&point, 1), true);
  return point;
}

// A pass is a point and a block; those of a block follow each other, so that a rank gathers few blocks.
void CostSurface::fill_some(std::span<CostPoint> points, bool slopes) {
  const std::size_t columns = kLossAndWeight + (slopes ? elements_.size() : 0);
  const std::size_t passes = reader_.blocks() * points.size();
  const auto ranks = static_cast<std::size_t>(comm_.size());
  std::vector<double> sums(passes * columns);
  const Range owned = part_of(passes, static_cast<std::size_t>(comm_.rank()), ranks);
  comm_.together([&] {  // samples that are read only now may be gone on one rank
    for (std::size_t i = owned.begin; i < owned.end; ++i) {
      comm_.pulse().beat();
      pass(points[i % points.size()], i / points.size(), slopes, std::span(sums).subspan(i * columns, columns));
      if (progress_) progress_(i + 1 - owned.begin, owned.size());
    }
  });
  std::vector<std::size_t> starts;
  for (std::size_t rank = 0; rank < ranks; ++rank) starts.push_back(part_of(passes, rank, ranks).begin * columns);
  starts.push_back(passes * columns);
  comm_.gather_parts(sums, starts);
  for (std::size_t p = 0; p < points.size(); ++p) {
    const std::size_t stride = points.size() * columns;  // from block to block
    const auto total = [&](std::size_t column) { return tree_sum_column(sums, stride, p * columns + column); };
    const double weight = total(1);
    points[p].cost = total(0) / weight;
    for (std::size_t i = 0; slopes && i < elements_.size(); ++i) {
      points[p].slope[i] = total(kLossAndWeight + i) / weight;
    }
  }
}

void CostSurface::pass(const CostPoint& point, std::size_t block, bool slopes, std::span<double> sums) {
  const std::size_t rows = reader_.rows(block);
  const auto weights = weights_.view();
  for (std::size_t i = 0; i < elements_.size(); ++i) weights[elements_[i]] = point.at[i];
  std::span<const float> outputs;
  if (block == held_) {
    outputs = net_.model.forward_from(first_layer_, Pass{}, weights, rows, workspace_);
  } else {
    held_ = reader_.blocks();  // until it is there
    reader_.gather(block, rows_.rows(rows, workspace_.input(rows)));
    outputs = net_.model.forward(Pass{}, weights, rows, workspace_);
    held_ = block;
  }
  const Targets targets = rows_.targets(rows);
  sums[0] = net_.loss.evaluate(net_.model.outputs(), outputs, targets, workspace_.doutputs(rows));
  sums[1] = net_.loss.weight(rows, targets);
  if (!slopes) return;
  net_.model.backward(Pass{}, weights, rows, workspace_, gradient_.view(), {});
  for (std::size_t i = 0; i < elements_.size(); ++i) {
    sums[kLossAndWeight + i] = static_cast<double>(gradient_.view()[elements_[i]]);
  }
}

std::vector<float> axis_points(double low, double high, std::size_t points) {
  if (points < 3) throw Error(ErrorKind::usage, fmt::format("expected at least 3 points, found {}", points));
  std::vector<float> axis;
  const auto last = static_cast<double>(points - 1);
  for (std::size_t i = 0; i < points; ++i) {
    const double share = static_cast<double>(i) / last;
    axis.push_back(static_cast<float>(low + (high - low) * share));
    const bool apart = i == 0 || axis[i - 1] < axis[i];
    if (std::isfinite(axis.back()) && apart) continue;
    throw Error(ErrorKind::usage, fmt::format("the range {} to {} has no {} points that differ as 32-bit floats",
                                              number_text(low), number_text(high), points));
  }
  return axis;
}

std::vector<CostPoint> cost_grid(CostSurface& surface, std::span<const float> first, std::span<const float> second) {
  std::vector<CostPoint> grid;
  for (std::size_t row = 0; row < std::max<std::size_t>(second.size(), 1); ++row) {
    for (const float x : first) grid.push_back({{x, second.empty() ? 0.0F : second[row]}});
  }
  surface.fill(grid, second.empty());
  return grid;
}

std::vector<CostPoint> roll_down(CostSurface& surface, const WeightPoint& from, double lr, std::size_t steps) {
  std::vector<CostPoint> path{surface.point(from)};
  for (std::size_t step = 0; step < steps && path.back().finite(); ++step) {
    WeightPoint at = path.back().at;
    for (std::size_t i = 0; i < surface.weights(); ++i) {
      at[i] = static_cast<float>(static_cast<double>(at[i]) - lr * path.back().slope[i]);
    }
    path.push_back(surface.point(at));
  }
  return path;
}

}  // namespace lockstep
