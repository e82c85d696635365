#include "cli/explain/shard_tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace lockstep::cli {
namespace {

constexpr std::size_t kColumns = 80;
constexpr std::size_t kMostLevels = 4;
constexpr std::size_t kWidest = 15;  // "-1.23456789e-05"
constexpr std::size_t kJoint = 5;    // from a number to the next: " ─┐", and "├─ " below it

struct Lines {
  std::string_view flat, down, top, joint, bottom;
};
constexpr std::array<Lines, 3> kLines = {{
    {"─", "│", "┐", "├", "┘"},
    {"━", "┃", "┓", "┣", "┛"},
    {"═", "║", "╗", "╠", "╝"},
}};

// Characters by line and column.
class Canvas {
 public:
  void put(std::size_t row, std::size_t column, std::string_view text) {  // ASCII
    for (std::size_t i = 0; i < text.size(); ++i) cell(row, column + i) = text.substr(i, 1);
  }
  void put_sign(std::size_t row, std::size_t column, std::string_view sign) { cell(row, column) = sign; }
  [[nodiscard]] std::string text() const {
    std::string text;
    for (const auto& row : rows_) {
      for (const std::string& sign : row) text += sign;
      text += '\n';
    }
    return text;
  }

 private:
  std::string& cell(std::size_t row, std::size_t column) {
    if (rows_.size() <= row) rows_.resize(row + 1);
    if (rows_[row].size() <= column) rows_[row].resize(column + 1, " ");
    return rows_[row][column];
  }
  std::vector<std::vector<std::string>> rows_;
};

class Drawing {
 public:
  explicit Drawing(std::span<const DrawnNode> nodes) : nodes_(nodes) {
    const std::size_t root = nodes.size() - 1;
    place(root, kMostLevels);
    label_ = 2 + std::max<std::size_t>(5, label(root).size());
    const std::size_t levels = levels_[root];
    width_ = std::min(kWidest, (kColumns - label_ - kJoint * levels) / (levels + 1));
    draw(root, kMostLevels);
  }
  [[nodiscard]] std::string text() const { return canvas_.text(); }

 private:
  // In postfix order the right part of a node comes before it, and the left part before that.
  [[nodiscard]] static std::size_t right_of(std::size_t node) { return node - 1; }
  [[nodiscard]] std::size_t left_of(std::size_t node) const {
    return node - 2 * nodes_[right_of(node)].node.shards.size();
  }
  [[nodiscard]] bool is_leaf(std::size_t node, std::size_t left) const {
    return left == 0 || nodes_[node].node.shards.size() == 1;
  }
  [[nodiscard]] std::string label(std::size_t node) const {
    const Range shards = nodes_[node].node.shards;
    return shards.size() == 1 ? fmt::format("{}", shards.begin) : fmt::format("{}-{}", shards.begin, shards.end - 1);
  }

  // Sets row and level of what lies below `node`, `left` levels of it.
  void place(std::size_t node, std::size_t left) {
    rows_.resize(nodes_.size());
    levels_.resize(nodes_.size());
    if (is_leaf(node, left)) {
      rows_[node] = 2 * leaves_++;
      return;
    }
    const std::size_t above = left_of(node);
    const std::size_t below = right_of(node);
    place(above, left - 1);
    place(below, left - 1);
    rows_[node] = (rows_[above] + rows_[below]) / 2;
    levels_[node] = 1 + std::max(levels_[above], levels_[below]);
  }

  [[nodiscard]] std::size_t column(std::size_t level) const { return label_ + level * (width_ + kJoint); }

  void draw(std::size_t node, std::size_t left) {
    const std::size_t at = column(levels_[node]);
    canvas_.put(rows_[node], at, float_text(nodes_[node].node.sum, width_));
    if (is_leaf(node, left)) {
      canvas_.put(rows_[node], 0, label(node));
      return;
    }
    const Lines& lines = kLines[static_cast<std::size_t>(nodes_[node].reach)];
    const std::size_t joint = at - 3;
    const std::size_t above = left_of(node);
    const std::size_t below = right_of(node);
    for (const std::size_t part : {above, below}) {
      const std::size_t begin = column(levels_[part]) + float_text(nodes_[part].node.sum, width_).size() + 1;
      for (std::size_t x = begin; x < joint; ++x) canvas_.put_sign(rows_[part], x, lines.flat);
    }
    for (std::size_t y = rows_[above] + 1; y < rows_[below]; ++y) canvas_.put_sign(y, joint, lines.down);
    canvas_.put_sign(rows_[above], joint, lines.top);
    canvas_.put_sign(rows_[below], joint, lines.bottom);
    canvas_.put_sign(rows_[node], joint, lines.joint);
    canvas_.put_sign(rows_[node], joint + 1, lines.flat);
    draw(above, left - 1);
    draw(below, left - 1);
  }

  std::span<const DrawnNode> nodes_;
  std::vector<std::size_t> rows_;    // [nodes]
  std::vector<std::size_t> levels_;  // [nodes] columns that lie to the left
  std::size_t leaves_ = 0;
  std::size_t label_ = 0;  // columns of the labels
  std::size_t width_ = 0;  // of the numbers
  Canvas canvas_;
};

}  // namespace

std::string float_text(float value, std::size_t width) {
  if (std::isnan(value)) return "nan";
  std::string text = fmt::format("{}", value);
  for (int digits = 8; text.size() > width && digits > 0; --digits) text = fmt::format("{:.{}g}", value, digits);
  return text;
}

std::string draw_shard_tree(std::span<const DrawnNode> nodes) {
  return nodes.empty() ? std::string() : Drawing(nodes).text();
}

}  // namespace lockstep::cli
