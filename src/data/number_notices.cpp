#include "data/number_notices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/column_names.hpp"
#include "core/number_text.hpp"
#include "data/column_statistics.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostNamed = 5;      // columns in a notice
constexpr std::size_t kMostCompared = 16;  // columns whose numbers are sorted, which takes time
constexpr double kUnlike = 1000;           // sizes of columns
constexpr double kWhole = 1 << 24U;        // up to here float32 holds every whole number
constexpr double kLevels = 1000;           // that float32 should at least have over a column
constexpr double kLost = 0.05;             // share of different numbers

std::string list_columns(std::span<const std::size_t> columns, std::span<const std::string> names) {
  constexpr std::string_view one = "column ";
  std::string text(columns.size() == 1 ? "" : "columns ");
  for (std::size_t i = 0; i < std::min(columns.size(), kMostNamed); ++i) {
    const std::string column = column_text(columns[i], names);
    text += (i == 0 ? "" : ", ") + (columns.size() == 1 ? column : column.substr(one.size()));
  }
  return columns.size() > kMostNamed ? text + fmt::format(" and {} more", columns.size() - kMostNamed) : text;
}

class Look {
 public:
  explicit Look(const LookedAt& numbers)
      : n_(numbers),
        all_(statistics_of(n_.rows, {0, n_.rows.columns}, {0, statistics_blocks(n_.rows.rows)}, {},
                           {.missing = n_.are_targets && n_.rows.columns > 1})) {}

  std::vector<std::string> notices() {
    nearly_constant();
    same_in_float32();
    unlike_sizes();
    constant_targets();
    return std::move(notices_);
  }

 private:
  [[nodiscard]] double size(std::size_t c) const {
    return std::max(std::abs(all_.smallest[c]), std::abs(all_.largest[c]));
  }
  [[nodiscard]] double span(std::size_t c) const { return all_.largest[c] - all_.smallest[c]; }
  // However it is normalised, so by what is looser.
  [[nodiscard]] bool varies(std::size_t c) const {
    return !is_constant(NormalizeMethod::standard, n_.rows.type, all_, c) &&
           !is_constant(NormalizeMethod::minmax, n_.rows.type, all_, c);
  }
  [[nodiscard]] std::vector<double> values(std::size_t c) const {
    std::vector<double> column;
    visit_element_type(n_.rows.type, [&](auto zero) {
      const auto* const at = reinterpret_cast<const decltype(zero)*>(n_.rows.bytes.data()) + c;
      for (std::size_t r = 0; r < n_.rows.rows; ++r) {
        const auto value = static_cast<double>(at[r * n_.rows.columns]);
        if (!std::isnan(value)) column.push_back(value);
      }
    });
    return column;
  }

  void nearly_constant() {
    if (n_.scaling.empty()) return;
    std::vector<std::size_t> columns;
    for (std::size_t c = 0; c < n_.rows.columns; ++c) {
      // Where only some rows are seen the others may vary: then the scale is another.
      const double scale = n_.scaling.scale[c];
      const bool taken = std::abs(scale - std::max(1.0, size(c))) <= 1e-6 * scale;
      if (span(c) > 0 && !varies(c) && taken) columns.push_back(c);
    }
    if (columns.empty()) return;
    notices_.push_back(fmt::format("{}: {} {} by no more than rounding, and normalisation takes {} as constant",
                                   n_.place, list_columns(columns, n_.names), columns.size() == 1 ? "varies" : "vary",
                                   columns.size() == 1 ? "it" : "them"));
  }

  // Whether float32 may be too coarse for a column: whole numbers that it does not hold, or few steps over the column.
  [[nodiscard]] bool is_doubtful(std::size_t c) const {
    if (n_.rows.type == ElementType::f32 || !varies(c)) return false;
    const double step = size(c) * std::numeric_limits<float>::epsilon();
    return (n_.rows.is_integer() && size(c) > kWhole) || step * kLevels > span(c);
  }

  void same_in_float32() {
    std::size_t compared = 0;
    for (std::size_t c = 0; c < n_.rows.columns && compared < kMostCompared; ++c) {
      if (!is_doubtful(c)) continue;
      ++compared;
      std::vector<double> stored = values(c);
      const double shift = n_.scaling.empty() ? 0 : n_.scaling.shift[c];
      const double factor = n_.scaling.empty() ? 1 : 1 / n_.scaling.scale[c];
      std::vector<float> taken;
      for (const double value : stored) taken.push_back(static_cast<float>((value - shift) * factor));
      const std::size_t different = count_different(stored);
      const std::size_t left = count_different(taken);
      if (static_cast<double>(left) > (1 - kLost) * static_cast<double>(different)) continue;
      const std::string remedy =
          n_.scaling.empty()
              ? "normalize = \"standard\" or \"minmax\" keeps them apart, or store them less their smallest"
              : "a few numbers far away from the others do that; leave them out";
      notices_.push_back(
          fmt::format("{}: {} holds numbers up to {:.10g}, and float32, in which nets compute, does not tell them "
                      "all apart: {}{} become {}; {}",
                      n_.place, column_text(c, n_.names), size(c), count_text(different, "different one"),
                      n_.all ? "" : fmt::format(" in {} rows", n_.rows.rows), left, remedy));
    }
  }

  template <class T>
  static std::size_t count_different(std::vector<T>& values) {
    std::ranges::sort(values);
    return static_cast<std::size_t>(std::distance(values.begin(), std::ranges::unique(values).begin()));
  }

  void unlike_sizes() {
    if (!n_.scaling.empty()) return;
    std::optional<std::size_t> least;
    std::optional<std::size_t> largest;
    for (std::size_t c = 0; c < n_.rows.columns; ++c) {
      if (!varies(c)) continue;
      if (!least || size(c) < size(*least)) least = c;
      if (!largest || size(c) > size(*largest)) largest = c;
    }
    if (!least || size(*largest) < kUnlike * size(*least)) return;
    notices_.push_back(fmt::format(
        "{}: the columns are of very unlike size ({} is up to {:.4g}, {} up to "
        "{:.4g}) and are not normalised, which makes most nets learn badly; "
        "data.normalize = \"standard\" gives all columns the same weight",
        n_.place, column_text(*largest, n_.names), size(*largest), column_text(*least, n_.names), size(*least)));
  }

  void constant_targets() {
    if (!n_.are_targets || !n_.all) return;
    std::vector<std::size_t> columns;
    for (std::size_t c = 0; c < n_.rows.columns; ++c) {
      if (!varies(c)) columns.push_back(c);
    }
    if (columns.empty()) return;
    const std::string which = n_.rows.columns == 1 ? "the target" : list_columns(columns, n_.names);
    notices_.push_back(fmt::format("{}: {} {} the same in all training samples ({:.6g}{}): there is nothing to learn",
                                   n_.place, which, n_.rows.columns == 1 || columns.size() == 1 ? "is" : "are",
                                   all_.smallest[columns.front()], columns.size() > 1 ? ", ..." : ""));
  }

  const LookedAt& n_;
  ColumnStatistics all_;
  std::vector<std::string> notices_;
};

}  // namespace

std::vector<std::string> number_notices(const LookedAt& numbers) {
  return numbers.rows.rows == 0 ? std::vector<std::string>{} : Look(numbers).notices();
}

}  // namespace lockstep
