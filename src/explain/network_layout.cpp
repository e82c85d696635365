#include "explain/network_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

using namespace drawing;

constexpr std::size_t kMostNumbers = 24;  // edges whose numbers are all shown
constexpr double kPort = 34;              // between edges that have numbers
constexpr double kNarrowPort = 9;         // between those that have none
constexpr double kCardGap = 20;           // room for a factor of the chain
constexpr double kBend = 46;              // in which edges change their height
constexpr double kWideBend = 150;         // where there are many
constexpr double kInput = 100;            // width of one
constexpr double kCost = 112;             // width of the cost

std::string class_title(const Explanation& e, std::size_t unit) {
  const std::string number = fmt::format("{}", unit);
  const bool is_named = unit < e.class_names.size() && e.class_names[unit] != number;
  return is_named ? e.class_names[unit] : "class " + number;
}

std::vector<CardRow> unit_rows(const Explanation& e, std::size_t index, std::size_t unit) {
  using enum CardRow::Kind;
  const Stage& stage = e.stages[index];
  const bool is_last = index + 1 == e.stages.size();
  std::vector<CardRow> rows;
  if (is_last && e.has_label)
    rows.push_back({title, unit == static_cast<std::size_t>(e.target.label) ? 1.0 : 0.0, class_title(e, unit)});
  for (const ExplainedWeight& weight : stage.edges) {
    if (!weight.input && weight.unit == unit) rows.push_back({bias, weight.value});
  }
  rows.push_back({z, stage.z[unit]});
  rows.push_back({a, stage.a[unit]});
  const bool is_activated = stage.layers.size() > (stage.has_weights ? 1 : 0);
  if (is_activated) rows.push_back({slope, stage.slopes[unit]});
  if (!stage.dz.empty()) rows.push_back({error, stage.dz[unit]});
  if (is_last && !e.has_label) rows.push_back({target, e.target.values[unit]});
  return rows;
}

double rows_height(const Card& card) {
  return kRow * static_cast<double>(card.rows.size()) + 2 * kPadding;
}

// Of so many ports side by side, the height of port `i` against the middle.
double port(std::size_t i, std::size_t count, double distance) {
  return (static_cast<double>(i) - static_cast<double>(count - 1) / 2) * distance;
}

class Layout {
 public:
  explicit Layout(const Explanation& e) : e_(e) {}

  NetworkLayout make() {
    make_columns();
    make_wires();
    place_columns();
    place_cards();
    place_wires();
    return std::move(net_);
  }

 private:
  void make_columns() {
    const Stage& first = e_.stages.front();
    Column& inputs = net_.columns.emplace_back(Column{.width = kInput, .cards = {}});
    for (const std::size_t i : first.shown_inputs) {
      inputs.cards.push_back({i, {{CardRow::Kind::z, first.x[i], {}}}});
    }
    for (std::size_t index = 0; index < e_.stages.size(); ++index) {
      Column& column = net_.columns.emplace_back(Column{.width = kCard, .cards = {}});
      for (const std::size_t unit : e_.stages[index].shown_units) {
        column.cards.push_back({unit, unit_rows(e_, index, unit)});
      }
    }
    Card cost{.unit = 0, .rows = {{CardRow::Kind::z, e_.cost, {}}}};
    if (e_.has_label) cost.rows.push_back({CardRow::Kind::target, static_cast<double>(e_.target.label)});
    net_.columns.push_back({.width = kCost, .cards = {cost}});
  }

  void make_wires() {
    std::size_t count = 0;
    for (const Stage& stage : e_.stages) {
      Wires& wires = net_.wires.emplace_back();
      for (const ExplainedWeight& weight : stage.edges) {
        if (!weight.input) continue;
        wires.wires.push_back({&weight, weight.unit, *weight.input});
        wires.largest = std::max(wires.largest, std::abs(weight.value));
      }
      count += wires.wires.size();
      wires.has_room = stage.has_weights && wires.wires.size() <= kMostNumbers;
      wires.at_target = !wires.has_room || stage.shown_inputs.size() <= stage.shown_units.size();
      if (stage.has_weights) continue;
      for (const std::size_t unit : stage.shown_units) {
        if (std::ranges::binary_search(stage.shown_inputs, unit)) wires.wires.push_back({nullptr, unit, unit});
      }
    }
    net_.shows_numbers = count <= kMostNumbers;
    Wires& to_cost = net_.wires.emplace_back();
    to_cost.has_room = true;
    to_cost.at_target = false;
    for (const std::size_t unit : e_.stages.back().shown_units) to_cost.wires.push_back({nullptr, 0, unit});
  }

  [[nodiscard]] double gap_behind(std::size_t column) const {
    const Wires& wires = net_.wires[column];
    if (!wires.has_room) return kWideBend;
    return kLabel + (wires.wires.size() <= 2 ? kBend / 2 : kBend);
  }

  void place_columns() {
    double x = kMargin;
    for (std::size_t c = 0; c < net_.columns.size(); ++c) {
      net_.columns[c].x = x;
      x += net_.columns[c].width;
      if (c < net_.wires.size()) x += gap_behind(c);
    }
    net_.width = x + kMargin;
  }

  // How many wires come to, or leave, one card of a column, and how far apart.
  struct Ports {
    std::vector<const Wire*> wires;
    double distance = 0;
  };
  [[nodiscard]] Ports ports_of(std::size_t column, std::size_t unit, bool incoming) const {
    Ports ports;
    if (incoming ? column == 0 : column == net_.wires.size()) return ports;
    const Wires& wires = net_.wires[incoming ? column - 1 : column];
    for (const Wire& wire : wires.wires) {
      if ((incoming ? wire.unit : wire.input) == unit) ports.wires.push_back(&wire);
    }
    ports.distance = wires.has_room && wires.at_target == incoming ? kPort : kNarrowPort;
    return ports;
  }

  void place_cards() {
    double tallest = 0;
    for (std::size_t c = 0; c < net_.columns.size(); ++c) {
      double y = 0;
      for (Card& card : net_.columns[c].cards) {
        card.height = rows_height(card);
        for (const bool incoming : {true, false}) {
          const Ports ports = ports_of(c, card.unit, incoming);
          card.height = std::max(card.height, static_cast<double>(ports.wires.size()) * ports.distance + 4);
        }
        card.y = y;
        y += card.height + kCardGap;
      }
      tallest = std::max(tallest, y);
    }
    for (Column& column : net_.columns) {
      if (column.cards.empty()) continue;
      const double used = column.cards.back().y + column.cards.back().height + kCardGap;
      for (Card& card : column.cards) card.y += kHead + (tallest - used) / 2;
    }
    net_.height = kHead + tallest + kMargin;
  }

  void place_wires() {
    for (std::size_t c = 0; c < net_.columns.size(); ++c) {
      const Column& column = net_.columns[c];
      for (const Card& card : column.cards) {
        for (const bool incoming : {true, false}) {
          const Ports ports = ports_of(c, card.unit, incoming);
          for (std::size_t i = 0; i < ports.wires.size(); ++i) {
            Wires& wires = net_.wires[incoming ? c - 1 : c];
            Wire& wire = wires.wires[static_cast<std::size_t>(ports.wires[i] - wires.wires.data())];
            const double y = card.middle() + port(i, ports.wires.size(), ports.distance);
            (incoming ? wire.x2 : wire.x1) = incoming ? column.x : column.x + column.width;
            (incoming ? wire.y2 : wire.y1) = y;
          }
        }
      }
    }
  }

  const Explanation& e_;
  NetworkLayout net_;
};

}  // namespace

NetworkLayout lay_out_network(const Explanation& explanation) {
  return Layout(explanation).make();
}

}  // namespace lockstep
