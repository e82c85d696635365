// Reading, checking and describing data sets in memory. Nothing past this file and its counterpart for several ranks,
// train/load_dataset.cpp, meets a non-finite sample or a length mismatch.
#include "data/dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "core/buffer.hpp"
#include "data/fingerprint.hpp"
#include "data/open_dataset.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

template <class T>
std::span<const T> values(const Table& table) {
  return {reinterpret_cast<const T*>(table.bytes.data()), table.rows * table.columns};
}

template <class T>
void check_rows_finite(const Table& table, const std::string& name, Range rows, std::size_t first) {
  constexpr T largest = std::numeric_limits<float>::max();
  for (std::size_t r = rows.begin; r < rows.end; ++r) {
    const std::span<const T> row = values<T>(table).subspan(r * table.columns, table.columns);
    bool finite = true;
    for (const T value : row) finite &= std::abs(value) <= largest;  // false for NaN
    if (finite) continue;
    const auto bad = std::find_if(row.begin(), row.end(), [](T value) { return !(std::abs(value) <= largest); });
    throw Error(ErrorKind::data, name + ": row " + std::to_string(first + r) + ", column " +
                                     std::to_string(bad - row.begin()) + " is " + fmt::format("{}", *bad) +
                                     "; expected finite numbers that a 32-bit float can hold (rows and columns count "
                                     "from 0)");
  }
}

Table read_table(TableReader& reader) {
  const TableHeader& header = reader.header();
  std::shared_ptr<Buffer<std::byte>> memory;
  try {
    memory = std::make_shared<Buffer<std::byte>>(header.bytes());
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::data,
                header.name + " needs " + std::to_string(header.bytes()) + " bytes of memory, more than there is");
  }
  reader.read({0, header.rows}, memory->view());
  return {header.type, header.rows, header.columns, memory->view(), memory};
}

/// The largest label. Errors: data, when one is outside [0, limit).
std::uint64_t check_labels(const Dataset& data, std::uint64_t limit, const std::string& why) {
  const std::string name = data.source + ": y";
  if (!data.y.is_integer()) {
    throw Error(ErrorKind::data, name +
                                     " holds floating-point numbers; a loss over classes needs labels of an integer "
                                     "type. Store y as integers, or take a loss for values, such as mse");
  }
  if (data.y.columns != 1) {
    throw Error(ErrorKind::data, name + " has " + std::to_string(data.y.columns) +
                                     " columns; a loss over classes needs one label a sample, [n], counted from 0");
  }
  return visit_element_type(data.y.type, [&](auto zero) -> std::uint64_t {
    using T = decltype(zero);
    std::uint64_t largest = 0;
    const std::span<const T> labels = values<T>(data.y);
    for (std::size_t r = 0; r < labels.size(); ++r) {
      const T label = labels[r];
      if (label < T{0} || static_cast<std::uint64_t>(label) >= limit) {
        throw Error(ErrorKind::data, name + ", row " + std::to_string(r) + " (counted from 0) is label " +
                                         std::to_string(label) + "; expected 0 to " + std::to_string(limit - 1) + ", " +
                                         why);
      }
      largest = std::max(largest, static_cast<std::uint64_t>(label));
    }
    return largest;
  });
}

}  // namespace

void Table::row(std::size_t row, std::span<double> out) const {
  if (row >= rows || out.size() != columns) throw Error(ErrorKind::usage, "Table::row: no such row, or another width");
  visit_element_type(type, [&](auto zero) {
    const auto from = values<decltype(zero)>(*this).subspan(row * columns, columns);
    std::transform(from.begin(), from.end(), out.begin(), [](auto value) { return static_cast<double>(value); });
  });
}

void check_finite(const Table& table, const std::string& name, Range rows, std::size_t first) {
  if (rows.end > table.rows) throw Error(ErrorKind::usage, "check_finite: no such rows");
  if (table.type == ElementType::f32) check_rows_finite<float>(table, name, rows, first);
  if (table.type == ElementType::f64) check_rows_finite<double>(table, name, rows, first);
}

Dataset read_dataset(const DataSource& source, std::span<const std::string> folders) {
  OpenDataset opened = open_dataset(source, folders);
  Dataset data{opened.source, read_table(*opened.x), read_table(*opened.y), std::move(opened.class_names), {}};
  check_finite(data.x, opened.x->header().name, {0, data.x.rows});
  check_finite(data.y, opened.y->header().name, {0, data.y.rows});
  std::vector<HashBytes> hashes(fingerprint_blocks(data.x.bytes.size()) + fingerprint_blocks(data.y.bytes.size()));
  hash_blocks(data.x, data.y, {0, hashes.size()}, hashes);
  data.fingerprint = fingerprint(data.x, data.y, hashes);
  return data;
}

std::size_t count_classes(const Dataset& train, const Dataset* test, std::optional<std::int64_t> configured) {
  // Labels are 32 bits wide once gathered.
  constexpr std::uint64_t most = std::numeric_limits<std::int32_t>::max();
  std::uint64_t limit = most;
  std::string why = "the most that labels may be";
  if (configured) {
    if (*configured < 1 || static_cast<std::uint64_t>(*configured) > most) {
      throw Error(ErrorKind::config,
                  "data.classes is " + std::to_string(*configured) + "; expected 1 to " + std::to_string(most));
    }
    limit = static_cast<std::uint64_t>(*configured);
    why = "since data.classes is " + std::to_string(limit);
  } else if (!train.class_names.empty()) {
    limit = train.class_names.size();
    why = "since the class list of " + train.source + " has " + std::to_string(limit) + " names";
  }
  std::uint64_t largest = check_labels(train, limit, why);
  if (test != nullptr) largest = std::max(largest, check_labels(*test, limit, why));
  const bool known = configured || !train.class_names.empty();
  return static_cast<std::size_t>(known ? limit : largest + 1);
}

std::vector<std::int64_t> count_labels(const Dataset& data, std::size_t classes, RowList rows) {
  std::vector<std::int64_t> counts(classes, 0);
  visit_element_type(data.y.type, [&](auto zero) {
    const auto labels = values<decltype(zero)>(data.y);
    const std::size_t count = rows.empty() ? labels.size() : rows.size();
    for (std::size_t i = 0; i < count; ++i) ++counts.at(static_cast<std::size_t>(labels[row_at(rows, i)]));
  });
  return counts;
}

}  // namespace lockstep
