#include "model/workspace_plan.hpp"

#include <algorithm>
#include <numeric>

#include "core/buffer.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kNone = WorkspacePlan::kNone;
constexpr double kMostFloats = 0x1p48;  // of a piece: more than any memory, and no sum of pieces overflows

// Memory that is in use from one time to another, both included.
struct Piece {
  std::size_t floats = 0;
  std::size_t first = 0;
  std::size_t last = 0;
  std::size_t place = 0;
};

class Planner {
 public:
  Planner(const PlannedNet& net, std::size_t rows, const WorkspaceUse& use)
      : net_(net), use_(use), rows_(rows), layers_(net.layers.size()), readers_(layers_ + 1) {
    for (std::size_t layer = 0; layer < layers_; ++layer) {
      for (const std::size_t value : net_.layers[layer].inputs) readers_[value].push_back(layer);
    }
  }

  void plan(WorkspacePlan& plan) {
    const std::vector<std::size_t> values = plan_values();
    const std::vector<std::size_t> gradients = plan_gradients();
    std::vector<std::vector<std::size_t>> summands;
    std::vector<std::size_t> saved;
    for (std::size_t layer = 0; layer < layers_; ++layer) {
      summands.push_back(plan_summands(layer));
      const bool leaves = runs_backward(layer) && net_.layers[layer].saved > 0;
      saved.push_back(leaves ? add(net_.layers[layer].saved, layer, backward_of(layer)) : kNone);
    }
    plan.floats = place_all();
    const auto places = [&](const std::vector<std::size_t>& pieces) {
      std::vector<std::size_t> of_pieces;
      for (const std::size_t piece : pieces) of_pieces.push_back(piece == kNone ? kNone : pieces_[piece].place);
      return of_pieces;
    };
    plan.values = places(values);
    plan.gradients = places(gradients);
    plan.saved = places(saved);
    for (const auto& of_layer : summands) plan.summands.push_back(places(of_layer));
  }

 private:
  // Times: layer i forward at i, the loss behind the last, backward in reverse behind it.
  [[nodiscard]] std::size_t loss() const { return layers_; }
  [[nodiscard]] std::size_t backward_of(std::size_t layer) const { return 2 * layers_ - layer; }
  [[nodiscard]] std::size_t end() const { return 2 * layers_ + 1; }

  [[nodiscard]] std::size_t width(std::size_t value) const {
    return value == 0 ? net_.width : net_.layers[value - 1].width;
  }
  [[nodiscard]] bool runs_backward(std::size_t layer) const {
    return use_.training && net_.layers[layer].needs_gradient;
  }

  std::size_t add(std::size_t width, std::size_t first, std::size_t last) {
    constexpr std::size_t line = kCacheLine / sizeof(float);
    const auto floats =
        static_cast<std::size_t>(std::min(static_cast<double>(width) * static_cast<double>(rows_), kMostFloats));
    pieces_.push_back({.floats = (floats + line - 1) / line * line, .first = first, .last = last});
    return pieces_.size() - 1;
  }

  // When each value is read last.
  [[nodiscard]] std::vector<std::size_t> last_reads() const {
    std::vector<std::size_t> last(layers_ + 1, 0);
    for (std::size_t value = 0; value <= layers_; ++value) {
      for (const std::size_t reader : readers_[value]) {
        last[value] = std::max(last[value], reader);
        if (runs_backward(reader) && net_.layers[reader].reads_input)
          last[value] = std::max(last[value], backward_of(reader));
        if (use_.again && reader >= *use_.again && value <= *use_.again) last[value] = end();
      }
      if (value > 0 && runs_backward(value - 1) && net_.layers[value - 1].reads_output)
        last[value] = std::max(last[value], backward_of(value - 1));
    }
    last[layers_] = std::max(last[layers_], loss() + 1);  // who takes the outputs, after the loss too
    return last;
  }

  [[nodiscard]] static bool reads_once(const PlannedLayer& layer, std::size_t value) {
    return std::ranges::count(layer.inputs, value) == 1;
  }

  std::vector<std::size_t> plan_values() {
    const std::vector<std::size_t> last = last_reads();
    std::vector<std::size_t> pieces{add(net_.width, 0, last[0])};
    for (std::size_t index = 0; index < layers_; ++index) {
      const PlannedLayer& layer = net_.layers[index];
      // The net's input stays as it was given.
      const auto dies_here = [&](std::size_t value) {
        return value > 0 && last[value] == index && reads_once(layer, value) && width(value) == layer.width;
      };
      const auto input = std::ranges::find_if(layer.inputs, dies_here);
      if (layer.in_place && input != layer.inputs.end()) {
        pieces.push_back(pieces[*input]);
        pieces_[pieces.back()].last = std::max(pieces_[pieces.back()].last, last[index + 1]);
      } else {
        pieces.push_back(add(layer.width, index, last[index + 1]));
      }
    }
    return pieces;
  }

  std::vector<std::size_t> plan_gradients() {
    std::vector<std::size_t> pieces(layers_ + 1, kNone);
    pieces[layers_] = add(width(layers_), loss(), loss() + 1);
    for (std::size_t index = layers_; use_.training && index-- > 0;) {
      const PlannedLayer& layer = net_.layers[index];
      if (!layer.needs_gradient) continue;
      Piece& own = pieces_[pieces[index + 1]];
      own.last = std::max(own.last, backward_of(index));
      bool may_take = layer.in_place;  // the memory of its own gradient, once
      for (const std::size_t value : layer.inputs) {
        if (!is_first_in_backward(index, value)) continue;
        if (may_take && reads_once(layer, value) && width(value) == layer.width) {
          pieces[value] = pieces[index + 1];
          may_take = false;
        } else if (pieces[value] == kNone) {
          pieces[value] = add(width(value), backward_of(index), backward_of(index));
        }
      }
    }
    return pieces;
  }

  // Whether `layer` is the one whose gradient of `value` comes first, if it has one at all.
  [[nodiscard]] bool is_first_in_backward(std::size_t layer, std::size_t value) const {
    return value > 0 && net_.layers[value - 1].needs_gradient && readers_[value].back() == layer;
  }

  std::vector<std::size_t> plan_summands(std::size_t index) {
    std::vector<std::size_t> pieces;
    const PlannedLayer& layer = net_.layers[index];
    for (std::size_t i = 0; i < layer.inputs.size(); ++i) {
      const std::size_t value = layer.inputs[i];
      const bool has_gradient = runs_backward(index) && value > 0 && net_.layers[value - 1].needs_gradient;
      const bool repeated = std::find(layer.inputs.begin(), layer.inputs.begin() + static_cast<std::ptrdiff_t>(i),
                                      value) != layer.inputs.begin() + static_cast<std::ptrdiff_t>(i);
      const bool added = has_gradient && (repeated || !is_first_in_backward(index, value));
      pieces.push_back(added ? add(width(value), backward_of(index), backward_of(index)) : kNone);
    }
    return pieces;
  }

  // The largest first, each at the first place that is free all the time that it is needed.
  std::size_t place_all() {
    std::vector<std::size_t> order(pieces_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, std::greater{}, [&](std::size_t piece) { return pieces_[piece].floats; });
    std::vector<std::size_t> placed;  // by place
    std::size_t floats = 0;
    for (const std::size_t index : order) {
      Piece& piece = pieces_[index];
      std::size_t place = 0;
      for (const std::size_t other : placed) {
        const Piece& taken = pieces_[other];
        if (taken.last < piece.first || piece.last < taken.first) continue;
        if (place + piece.floats <= taken.place) break;
        place = std::max(place, taken.place + taken.floats);
      }
      piece.place = place;
      floats = std::max(floats, place + piece.floats);
      placed.insert(
          std::ranges::upper_bound(placed, place, {}, [&](std::size_t other) { return pieces_[other].place; }), index);
    }
    return floats;
  }

  const PlannedNet& net_;
  const WorkspaceUse& use_;
  std::size_t rows_;
  std::size_t layers_;
  std::vector<std::vector<std::size_t>> readers_;  // [values] layers, ascending
  std::vector<Piece> pieces_;
};

}  // namespace

WorkspacePlan::WorkspacePlan(const PlannedNet& net, std::size_t rows, const WorkspaceUse& use) {
  Planner(net, rows, use).plan(*this);
}

}  // namespace lockstep
