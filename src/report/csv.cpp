#include "report/csv.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "io/files.hpp"

namespace lockstep {
namespace {

// The text up to `end`, which it takes off `text` together with that.
std::string_view take(std::string_view& text, char end) {
  const std::size_t length = std::min(text.find(end), text.size());
  const std::string_view taken = text.substr(0, length);
  text.remove_prefix(std::min(length + 1, text.size()));
  return taken;
}

std::optional<double> number_of(std::string_view cell) {
  if (cell.empty()) return std::numeric_limits<double>::quiet_NaN();
  double value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (end != cell.data() + cell.size() || error == std::errc::invalid_argument) return std::nullopt;
  return value;
}

}  // namespace

std::span<const double> CsvTable::column(std::string_view name) const noexcept {
  const auto found = std::ranges::find(columns, name);
  if (found == columns.end()) return {};
  return values[static_cast<std::size_t>(found - columns.begin())];
}

CsvTable read_csv(const std::string& path, std::span<const std::string_view> text_columns,
                  const std::function<void()>& alive) {
  constexpr std::size_t kRowsASign = 65536;
  const std::vector<std::byte> bytes = read_file(path, alive);
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  CsvTable table;
  for (std::string_view header = take(text, '\n'); !header.empty();) table.columns.emplace_back(take(header, ','));
  table.values.resize(table.columns.size());
  std::vector<bool> is_text;
  for (const std::string& name : table.columns)
    is_text.push_back(std::ranges::find(text_columns, name) != text_columns.end());
  std::vector<double> numbers(table.columns.size());
  std::vector<std::string_view> cells(table.columns.size());
  while (!text.empty()) {
    const bool torn = text.find('\n') == std::string_view::npos;  // what a crash left of the last row
    std::string_view line = take(text, '\n');
    const auto commas = static_cast<std::size_t>(std::ranges::count(line, ','));
    bool whole = !torn && commas + 1 == cells.size();
    for (std::size_t c = 0; whole && c < cells.size(); ++c) {
      cells[c] = take(line, ',');
      const auto number = is_text[c] ? std::optional(0.0) : number_of(cells[c]);
      whole = number.has_value();
      numbers[c] = number.value_or(0);
    }
    if (!whole) {
      ++table.left_out;
      continue;
    }
    for (std::size_t c = 0; c < cells.size(); ++c) {
      if (!is_text[c])
        table.values[c].push_back(numbers[c]);
      else if (!cells[c].empty())
        table.texts.emplace_back(table.rows, cells[c]);
    }
    if (++table.rows % kRowsASign == 0 && alive) alive();
  }
  return table;
}

}  // namespace lockstep
