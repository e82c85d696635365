// Where the parts of a drawn net lie: a column of inputs, one a stage, the cost; edges between them with room for
// their numbers.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "explain/explanation.hpp"

namespace lockstep {

namespace drawing {
inline constexpr double kRow = 16;     // a line of text
inline constexpr double kLabel = 122;  // width of an edge's numbers
inline constexpr double kCard = 152;   // width of a unit
inline constexpr double kHead = 74;    // what stands above the columns
inline constexpr double kPadding = 7;  // in a card, above and below
inline constexpr double kMargin = 14;
}  // namespace drawing

/// A line of a card: its name, and what it tells.
struct CardRow {
  enum class Kind { title, bias, z, a, slope, error, target } kind;
  double value = 0;       ///< of a title: 1 where it is the sample's class
  std::string text = {};  ///< of a title
};

struct Card {
  std::size_t unit = 0;  ///< or input
  std::vector<CardRow> rows;
  double y = 0, height = 0;
  [[nodiscard]] double middle() const { return y + height / 2; }
};

struct Column {
  double x = 0, width = 0;
  std::vector<Card> cards;
};

/// From a card to one of the next column.
struct Wire {
  const ExplainedWeight* weight = nullptr;  ///< none between inputs and a stage without weights
  std::size_t unit = 0, input = 0;
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
};

struct Wires {
  bool has_room = false;  ///< for the numbers of every wire at a time
  bool at_target = true;  ///< where they stand
  double largest = 0;     ///< |w|
  std::vector<Wire> wires;
};

struct NetworkLayout {
  double width = 0, height = 0;  ///< of everything
  bool shows_numbers = false;    ///< of all edges: they are few
  std::vector<Column> columns;   ///< inputs, stages, the cost
  std::vector<Wires> wires;      ///< [stages] that lead to a stage, then those that lead to the cost
};

/// Lays out what of `explanation` is shown; it must outlive the layout.
[[nodiscard]] NetworkLayout lay_out_network(const Explanation& explanation);

}  // namespace lockstep
