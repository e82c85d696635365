#include "data/describe_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "config/data_place.hpp"
#include "config/file_pattern.hpp"
#include "core/buffer.hpp"
#include "data/open_dataset.hpp"
#include "data/readers.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMib = std::size_t{1} << 20U;
constexpr std::size_t kMostLabels = 65536;

std::size_t columns_of(const h5::DatasetInfo& info) {
  std::size_t columns = 1;
  for (std::size_t i = 1; i < info.shape.size(); ++i) columns *= info.shape[i];
  return columns;
}

/// Ranges of columns over blocks of rows.
class Ranges {
 public:
  explicit Ranges(std::size_t columns) : columns_(columns), counts_(columns) {}

  template <class T>
  void add(std::span<const T> values) {
    for (std::size_t begin = 0; begin < values.size(); begin += columns_.size()) {
      for (std::size_t c = 0; c < columns_.size(); ++c) {
        const auto value = static_cast<double>(values[begin + c]);
        RangeOfNumbers& range = columns_[c];
        if constexpr (std::is_floating_point_v<T>) {
          if (!std::isfinite(value)) {
            if (range.not_finite++ == 0) note(c);
            continue;
          }
        }
        if (counts_[c]++ == 0) range.least = range.largest = value;
        range.least = std::min(range.least, value);
        range.largest = std::max(range.largest, value);
        range.mean += value;
      }
      ++row_;
    }
  }

  void finish(TableDescription& table) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    std::size_t count = 0;
    double sum = 0;
    table.all.least = table.all.largest = nan;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      RangeOfNumbers& range = columns_[c];
      table.all.not_finite += range.not_finite;
      if (counts_[c] == 0) {
        range.least = range.largest = range.mean = nan;
        continue;
      }
      sum += range.mean;
      count += counts_[c];
      range.mean /= static_cast<double>(counts_[c]);
      table.all.least = std::fmin(table.all.least, range.least);
      table.all.largest = std::fmax(table.all.largest, range.largest);
    }
    table.all.mean = count == 0 ? nan : sum / static_cast<double>(count);
    table.columns = std::move(columns_);
    table.first_not_finite = std::move(first_);
  }

 private:
  void note(std::size_t column) {
    if (first_.empty()) first_ = fmt::format("row {}, column {} (counted from 0)", row_, column);
  }

  std::vector<RangeOfNumbers> columns_;  // with sums in the place of means
  std::vector<std::size_t> counts_;      // of finite numbers
  std::size_t row_ = 0;
  std::string first_;
};

/// Counts of labels, as long as all numbers are labels.
class LabelTally {
 public:
  explicit LabelTally(bool possible) : possible_(possible) {}

  template <class T>
  void add(std::span<const T> values) {
    if constexpr (std::is_integral_v<T>) {
      for (const T value : values) {
        possible_ = possible_ && std::cmp_greater_equal(value, 0) && std::cmp_less(value, kMostLabels);
        if (!possible_) return;
        const auto label = static_cast<std::size_t>(value);
        if (label >= counts_.size()) counts_.resize(label + 1);
        ++counts_[label];
      }
    }
  }
  [[nodiscard]] std::vector<std::size_t> take() { return possible_ ? std::move(counts_) : std::vector<std::size_t>{}; }

 private:
  bool possible_;
  std::vector<std::size_t> counts_;
};

/// Rows that are read at once: whole chunks where they are not huge, else they would be unpacked again and again.
std::size_t block_rows(const TableDescription& table, std::size_t row_bytes) {
  const std::size_t wanted = std::max<std::size_t>(1, 4 * kMib / row_bytes);
  const std::size_t chunk = table.storage.chunk.empty() ? 1 : table.storage.chunk.front();
  if (chunk <= wanted) return wanted / chunk * chunk;
  return chunk <= 64 * kMib / row_bytes ? chunk : wanted;
}

void measure(TableReader& reader, TableDescription& table, bool may_be_labels) {
  const std::size_t rows = table.info.shape.front();
  const std::size_t columns = columns_of(table.info);
  const ElementType type = reader.header().type;
  const bool integers = type != ElementType::f32 && type != ElementType::f64;
  const std::size_t row_bytes = reader.header().row_bytes();
  const std::size_t block = std::min(rows, block_rows(table, row_bytes));
  Ranges ranges(columns);
  LabelTally labels(may_be_labels && integers && columns == 1);
  Buffer<std::byte> memory(block * row_bytes);
  for (std::size_t begin = 0; begin < rows; begin += block) {
    const Range part{begin, std::min(begin + block, rows)};
    const auto bytes = memory.view().first(part.size() * row_bytes);
    reader.read(part, bytes);
    visit_element_type(type, [&](auto zero) {
      using T = decltype(zero);
      const std::span values(reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T));
      ranges.add<T>(values);
      labels.add<T>(values);
    });
  }
  ranges.finish(table);
  table.labels = labels.take();
}

// The numbers of a table x or y, of which the names of columns and classes are known.
void look_through(TableReader& reader, const std::string& name, TableDescription& table) {
  measure(reader, table, name == "y");
  table.advice = reader.notices();
  if (!table.names.empty() && table.names.size() != table.columns.size()) {
    table.advice.push_back(fmt::format("attribute '{}' has {} names for {} columns",
                                       name == "x" ? "features" : "targets", table.names.size(), table.columns.size()));
    table.names.clear();
  }
  if (table.labels.empty()) table.classes.clear();
  if (!table.classes.empty() && table.labels.size() > table.classes.size()) {
    table.advice.push_back(fmt::format("label {} occurs in {}, but the class list has {} names, for 0 to {}",
                                       table.labels.size() - 1, table.path, table.classes.size(),
                                       table.classes.size() - 1));
  }
  if (table.all.not_finite != 0) {
    table.advice.push_back(
        fmt::format("{} numbers of {} are not finite, the first in {}; a run refuses them{}", table.all.not_finite,
                    table.path, table.first_not_finite,
                    name == "y" && table.columns.size() > 1 ? ", but for NaN, a target that is missing" : ""));
  }
}

TableDescription describe(const std::shared_ptr<const h5::File>& opened, const std::string& group,
                          const std::string& name) {
  const h5::File& file = *opened;
  TableDescription table;
  table.path = (group == "/" ? "" : group) + "/" + name;
  table.info = file.info(table.path);
  table.storage = file.storage(table.path);
  if (!table.info.type) {
    table.advice.push_back(table.path + " " + file.what_else(table.path));
    return table;
  }
  if (table.info.shape.empty() || table.info.shape.front() == 0 || columns_of(table.info) == 0) {
    table.advice.push_back(table.path + " holds no rows of numbers");
    return table;
  }
  const std::unique_ptr<TableReader> reader = open_hdf5_table(opened, table.path);
  if (name != "w") table.names = read_names(file, group, name == "x" ? "features" : "targets");
  table.classes = name == "y" ? read_names(file, group, "classes") : std::vector<std::string>{};
  look_through(*reader, name, table);
  const std::vector<std::string> about_chunks = chunk_advice(table.path, table.info, table.storage);
  table.advice.insert(table.advice.end(), about_chunks.begin(), about_chunks.end());
  return table;
}

TableDescription describe(TableReader& reader, const std::string& path, const std::string& name,
                          const OpenDataset& opened) {
  TableDescription table;
  table.path = path;
  table.info = {reader.header().type, reader.header().shape};
  if (name == "x") table.names = opened.columns.features;
  if (name == "y") table.names = opened.columns.targets;
  table.classes = name == "y" ? opened.class_names : std::vector<std::string>{};
  look_through(reader, name, table);
  return table;
}

// Groups that may hold x and y.
std::vector<std::string> groups_of(const h5::File& file) {
  std::vector<std::string> groups{"/"};
  for (const std::string& name : file.children("/")) {
    if (file.is_group("/" + name)) groups.push_back("/" + name);
  }
  return groups;
}

bool holds(const h5::File& file, const std::string& group, const std::string& name) {
  const std::vector<std::string> names = file.children(group);
  return std::ranges::find(names, name) != names.end() && !file.is_group((group == "/" ? "" : group) + "/" + name);
}

}  // namespace

std::vector<std::string> chunk_advice(const std::string& path, const h5::DatasetInfo& info,
                                      const h5::DatasetStorage& storage) {
  const std::vector<std::size_t>& chunk = storage.chunk;
  if (chunk.empty() || !info.type || chunk.size() != info.shape.size()) return {};
  const std::size_t row_bytes = columns_of(info) * bytes_of(*info.type);
  if (row_bytes == 0 || info.shape.front() == 0) return {};
  std::size_t cuts = 1;  // chunks side by side in a row
  std::size_t chunk_bytes = bytes_of(*info.type) * chunk.front();
  std::string whole_rows;
  for (std::size_t i = 1; i < chunk.size(); ++i) {
    const std::size_t extent = std::max<std::size_t>(chunk[i], 1);
    cuts *= (info.shape[i] + extent - 1) / extent;
    chunk_bytes *= extent;
    whole_rows += "x" + std::to_string(info.shape[i]);
  }
  const std::size_t good_rows = std::clamp<std::size_t>(kMib / row_bytes, 1, info.shape.front());
  std::string what;
  if (cuts > 1) {
    what = fmt::format("a row of {} is cut into {} chunks, all of which are opened for a few rows", path, cuts);
  } else if (chunk.front() > good_rows && chunk_bytes > 4 * kMib) {
    what = fmt::format("a chunk of {} has {:.0f} MiB, all of which is unpacked for a block of rows, of about 1 MiB",
                       path, static_cast<double>(chunk_bytes) / static_cast<double>(kMib));
  } else if (chunk.front() < good_rows && chunk_bytes < kMib / 16) {
    what = fmt::format("a chunk of {} has {} of {} bytes; each is looked up on its own", path,
                       chunk.front() == 1 ? "1 row" : fmt::format("{} rows", chunk.front()), row_bytes);
  } else {
    return {};
  }
  return {fmt::format("{}. Better: h5repack -l {}:CHUNK={}{} OLD.h5 NEW.h5", what, path, good_rows, whole_rows)};
}

std::vector<TableDescription> describe_data(const std::string& path) {
  const auto opened = std::make_shared<const h5::File>(h5::File::open(path));
  std::vector<TableDescription> tables;
  for (const std::string& group : groups_of(*opened)) {
    for (const char* name : {"x", "y", "w"}) {
      if (holds(*opened, group, name)) tables.push_back(describe(opened, group, name));
    }
  }
  if (tables.empty()) {
    throw Error(ErrorKind::data, path + " is neither a checkpoint nor does it hold data sets x and y");
  }
  return tables;
}

FilesDescription describe_files(const std::string& place) {
  const DataPlace named = find_place(place);
  const std::vector<std::string> files = matching_files(named.file);
  if (!named.many || files.empty()) throw Error(ErrorKind::data, place + " means no files that are there");
  std::vector<std::string> groups{named.group};
  if (named.group.empty()) groups = groups_of(h5::File::open(files.front()));
  FilesDescription result;
  for (const std::string& group : groups) {
    if (named.group.empty() && !holds(h5::File::open(files.front()), group, "x")) continue;
    const OpenDataset opened = open_dataset({named.file + ":" + group}, {});
    for (const auto& [name, reader] : {std::pair{"x", opened.x.get()}, {"y", opened.y.get()}, {"w", opened.w.get()}}) {
      if (reader == nullptr) continue;
      result.tables.push_back(describe(*reader, (group == "/" ? "" : group) + "/" + name, name, opened));
    }
    if (!result.files.empty() || !opened.x->header().files) continue;
    for (const JoinedFile& file : *opened.x->header().files) result.files.emplace_back(file.source, file.rows.size());
  }
  if (result.tables.empty()) {
    throw Error(ErrorKind::data,
                fmt::format("{}: the first file, {}, holds no data sets x and y", place, files.front()));
  }
  return result;
}

}  // namespace lockstep
