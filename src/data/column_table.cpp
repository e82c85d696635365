#include "data/column_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kColumnBytes = std::size_t{1} << 20U;

// Whether every number of `type` is one of float32.
bool fits_float32(ElementType type) {
  switch (type) {
    case ElementType::f32:
    case ElementType::i8:
    case ElementType::u8:
    case ElementType::i16:
    case ElementType::u16:
      return true;
    default:
      return false;
  }
}

ElementType common_type(std::span<const std::unique_ptr<TableReader>> tables) {
  const ElementType first = tables.front()->header().type;
  const auto all = [&](auto&& holds) {
    return std::ranges::all_of(tables, [&](const auto& table) { return holds(table->header().type); });
  };
  if (all([&](ElementType type) { return type == first; })) return first;
  return all(fits_float32) ? ElementType::f32 : ElementType::f64;
}

class ColumnTable final : public TableReader {
 public:
  explicit ColumnTable(std::vector<std::unique_ptr<TableReader>> tables) : tables_(std::move(tables)) {
    const TableHeader& first = tables_.front()->header();
    std::vector<std::string> names, units;
    for (const auto& table : tables_) {
      const TableHeader& header = table->header();
      if (header.rows != first.rows) {
        throw Error(ErrorKind::data, fmt::format("{} holds {} rows, {} {}; expected as many", first.name, first.rows,
                                                 header.name, header.rows));
      }
      names.push_back(header.name);
      units.push_back(header.units);
      header_.columns += header.columns;
      header_.chunk_rows = std::max(header_.chunk_rows, header.chunk_rows);
      header_.chunk_bytes += header.chunk_bytes;
      notices_.insert(notices_.end(), table->notices().begin(), table->notices().end());
    }
    header_.name = fmt::format("{}", fmt::join(names, ", "));
    header_.type = common_type(tables_);
    header_.rows = first.rows;
    header_.shape = {header_.rows, header_.columns};
    if (std::ranges::any_of(units, [](const std::string& text) { return !text.empty(); })) {
      header_.units = fmt::format("{}", fmt::join(units, ", "));
    }
  }

  [[nodiscard]] bool seekable() const noexcept override {
    return std::ranges::all_of(tables_, [](const auto& table) { return table->seekable(); });
  }

  void read(Range rows, std::span<std::byte> out) override {
    if (rows.begin > rows.end || rows.end > header_.rows || out.size() != rows.size() * header_.row_bytes()) {
      throw Error(ErrorKind::usage, header_.name + ": no such rows, or memory of another size");
    }
    std::size_t column = 0;
    for (const auto& table : tables_) {
      const TableHeader& header = table->header();
      // What is read from its begin must not be read twice.
      const std::size_t piece = seekable() ? std::max<std::size_t>(kColumnBytes / header.row_bytes(), 1)
                                           : std::max<std::size_t>(rows.size(), 1);
      for (std::size_t begin = rows.begin; begin < rows.end; begin += piece) {
        const Range part{begin, std::min(begin + piece, rows.end)};
        memory_.resize(part.size() * header.row_bytes());
        table->read(part, memory_);
        put(header, part.size(), column, out.subspan((begin - rows.begin) * header_.row_bytes()));
      }
      column += header.columns;
    }
  }

 private:
  // Rows of one table, which are in memory_, into their columns.
  void put(const TableHeader& from, std::size_t rows, std::size_t column, std::span<std::byte> out) const {
    visit_element_type(from.type, [&](auto of_table) {
      using From = decltype(of_table);
      visit_element_type(header_.type, [&](auto of_all) {
        using To = decltype(of_all);
        const auto* values = reinterpret_cast<const From*>(memory_.data());
        std::byte* to = out.data() + column * sizeof(To);
        for (std::size_t row = 0; row < rows; ++row, to += header_.row_bytes()) {
          for (std::size_t i = 0; i < from.columns; ++i) {
            const To value = static_cast<To>(*values++);
            std::memcpy(to + i * sizeof(To), &value, sizeof(To));
          }
        }
      });
    });
  }

  std::vector<std::unique_ptr<TableReader>> tables_;
  std::vector<std::byte> memory_;  // rows of one of them
};

}  // namespace

std::unique_ptr<TableReader> beside(std::vector<std::unique_ptr<TableReader>> tables) {
  if (tables.empty()) throw Error(ErrorKind::usage, "beside: no tables");
  if (tables.size() == 1) return std::move(tables.front());
  return std::make_unique<ColumnTable>(std::move(tables));
}

std::vector<std::string> column_names(const std::string& name, const TableHeader& header) {
  if (header.columns == 1) return {name};
  std::vector<std::string> names;
  std::vector<std::size_t> index(header.shape.size() - 1, 0);
  for (std::size_t column = 0; column < header.columns; ++column) {
    names.push_back(fmt::format("{}[{}]", name, fmt::join(index, ",")));
    for (std::size_t dim = index.size(); dim-- > 0;) {
      if (++index[dim] < header.shape[dim + 1]) break;
      index[dim] = 0;
    }
  }
  return names;
}

}  // namespace lockstep
