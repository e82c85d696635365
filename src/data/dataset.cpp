// Finding, checking and describing data sets. Nothing past this file meets a non-finite sample or a length mismatch.
#include "data/dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <new>
#include <stdexcept>

#include "core/hash.hpp"
#include "data/readers.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::string find_file(const std::string& file, std::span<const std::string> folders) {
  const std::filesystem::path path(file);
  if (path.is_absolute() || folders.empty()) return file;
  std::string tried;
  for (const std::string& folder : folders) {
    const std::filesystem::path candidate = std::filesystem::path(folder) / path;
    std::error_code code;
    if (std::filesystem::exists(candidate, code)) return candidate.string();
    tried += (tried.empty() ? "" : ", ") + candidate.string();
  }
  throw Error(ErrorKind::data, file + ": no such file; looked for " + tried);
}

RawDataset read_group(const std::string& source, std::span<const std::string> folders) {
  const std::size_t colon = source.rfind(":/");
  const std::string file = find_file(source.substr(0, colon), folders);
  std::array<char, 4> head{};
  std::ifstream(file, std::ios::binary).read(head.data(), head.size());
  if (looks_like_idx(std::as_bytes(std::span(head)))) {
    throw Error(ErrorKind::data, file +
                                     ": not an HDF5 file, it looks like IDX. IDX keeps samples and labels in two "
                                     "files: give train = {x = \"IMAGES\", y = \"LABELS\"}");
  }
  return read_hdf5(file, colon == std::string::npos ? "/" : source.substr(colon + 1));
}

template <class T>
std::span<const T> values(const Table& table) {
  return {reinterpret_cast<const T*>(table.bytes.data()), table.rows * table.columns};
}

/// A number that float cannot hold would become infinite when a batch is gathered.
template <class T>
void check_finite(const Table& table, const std::string& name) {
  constexpr T largest = std::numeric_limits<float>::max();
  for (std::size_t r = 0; r < table.rows; ++r) {
    const std::span<const T> row = values<T>(table).subspan(r * table.columns, table.columns);
    bool finite = true;
    for (const T value : row) finite &= std::abs(value) <= largest;  // false for NaN
    if (finite) continue;
    const auto bad = std::find_if(row.begin(), row.end(), [](T value) { return !(std::abs(value) <= largest); });
    throw Error(ErrorKind::data, name + ": row " + std::to_string(r) + ", column " + std::to_string(bad - row.begin()) +
                                     " is " + fmt::format("{}", *bad) +
                                     "; expected finite numbers that a 32-bit float can hold (rows and columns count "
                                     "from 0)");
  }
}

void check_table(const Table& table, const std::string& name) {
  if (table.rows == 0) throw Error(ErrorKind::data, name + " holds no samples");
  if (table.columns == 0) throw Error(ErrorKind::data, name + " has rows without numbers");
  if (table.rows > std::numeric_limits<std::uint32_t>::max()) {
    throw Error(ErrorKind::data,
                name + " holds " + std::to_string(table.rows) + " samples; at most 2^32 - 1 are taken");
  }
  if (table.type == ElementType::f32) check_finite<float>(table, name);
  if (table.type == ElementType::f64) check_finite<double>(table, name);
}

void hash_table(Hash& hash, const Table& table) {
  hash.integer(static_cast<std::uint64_t>(table.type));
  hash.integer(table.rows);
  hash.integer(table.columns);
  hash.bytes(table.bytes);
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

std::string shape_text(std::span<const std::size_t> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

Table make_table(ElementType type, std::span<const std::size_t> shape, const std::string& name) {
  Table table{type, shape.front(), 1};
  for (const std::size_t dim : shape.subspan(1)) table.columns *= dim;
  const std::size_t bytes = table.rows * table.columns * bytes_of(type);
  try {
    table.bytes.resize(bytes);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::data, name + " needs " + std::to_string(bytes) + " bytes of memory, more than there is");
  } catch (const std::length_error&) {
    throw Error(ErrorKind::data, name + " needs " + std::to_string(bytes) + " bytes of memory, more than there is");
  }
  return table;
}

Dataset read_dataset(const DataSource& source, std::span<const std::string> folders) {
  if (source.empty()) throw Error(ErrorKind::usage, "read_dataset: no data source is given");
  const bool idx = !source.y.empty();
  RawDataset raw =
      idx ? read_idx(find_file(source.x, folders), find_file(source.y, folders)) : read_group(source.x, folders);
  check_table(raw.x, raw.x_name);
  check_table(raw.y, raw.y_name);
  if (raw.x.rows != raw.y.rows) {
    throw Error(ErrorKind::data, raw.x_name + " holds " + std::to_string(raw.x.rows) + " samples, " + raw.y_name + " " +
                                     std::to_string(raw.y.rows) + "; expected as many");
  }
  Hash hash;
  hash_table(hash, raw.x);
  hash_table(hash, raw.y);
  return {idx ? source.x + ", " + source.y : source.x, std::move(raw.x), std::move(raw.y), std::move(raw.class_names),
          hash.hex()};
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

}  // namespace lockstep
