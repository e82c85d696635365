// Reading, checking and describing data sets in memory. Nothing past this file and its counterpart for several ranks,
// feed/load_dataset.cpp, meets a non-finite sample or a length mismatch.
#include "data/dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "core/buffer.hpp"
#include "data/fingerprint.hpp"
#include "data/label_advice.hpp"
#include "data/open_dataset.hpp"
#include "data/sample_weights.hpp"
#include "data/time_windows.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::string behind_semicolon(const std::string& text) {
  return text.empty() ? "" : "; " + text;
}

template <class T>
std::span<const T> values(const Table& table) {
  return {reinterpret_cast<const T*>(table.bytes.data()), table.rows * table.columns};
}

template <class T>
void check_rows_finite(const Table& table, const std::string& name, Range rows, std::size_t first, bool may_miss) {
  constexpr T largest = std::numeric_limits<float>::max();
  for (std::size_t r = rows.begin; r < rows.end; ++r) {
    const std::span<const T> row = values<T>(table).subspan(r * table.columns, table.columns);
    bool finite = true;
    for (const T value : row) finite &= std::abs(value) <= largest;  // false for NaN
    if (finite) continue;
    const auto bad = std::find_if(row.begin(), row.end(), [may_miss](T value) {
      return !(std::abs(value) <= largest) && !(may_miss && std::isnan(value));
    });
    if (bad == row.end()) continue;
    throw Error(
        ErrorKind::data,
        fmt::format("{}: row {}, column {} is {}; expected finite numbers that a 32-bit float can hold{} (rows "
                    "and columns count from 0)",
                    name, first + r, bad - row.begin(), *bad, may_miss ? ", or NaN for a target that is missing" : ""));
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

void count(const Table& y, LabelCounts& counts) {
  visit_element_type(y.type, [&](auto zero) {
    for (const auto value : values<decltype(zero)>(y)) {
      const auto label = static_cast<std::uint64_t>(value);
      counts.largest = std::max(counts.largest, label);
      if (label >= LabelCounts::kMostCounted) continue;
      if (label >= counts.samples.size()) counts.samples.resize(label + 1);
      ++counts.samples[label];
    }
  });
}

void check_labels(const TargetRule& rule, const Table& y, const std::string& source, std::size_t first) {
  visit_element_type(y.type, [&](auto zero) {
    using T = decltype(zero);
    const std::span<const T> labels = values<T>(y);
    for (std::size_t r = 0; r < labels.size(); ++r) {
      const T label = labels[r];
      if (label < T{0} || static_cast<std::uint64_t>(label) >= rule.limit) {
        throw Error(ErrorKind::data, fmt::format("{}: y, row {} (counted from 0) is label {}; expected 0 to {}, {}{}",
                                                 source, first + r, +label, rule.limit - 1, rule.why,
                                                 behind_semicolon(label_advice(count_values(y), rule.limit))));
      }
    }
  });
}

void check_from_zero(const Table& y, const std::string& source, std::size_t first) {
  visit_element_type(y.type, [&](auto zero) {
    const auto all = values<decltype(zero)>(y);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto value = static_cast<double>(all[i]);
      if (!(value < 0)) continue;
      throw Error(ErrorKind::data, fmt::format("{}: y, row {}, column {}: poisson_nll needs counts from 0 on, found {}",
                                               source, first + i / y.columns, i % y.columns, value));
    }
  });
}

void check_unit_interval(const Table& y, const std::string& source, std::size_t first) {
  visit_element_type(y.type, [&](auto zero) {
    const auto all = values<decltype(zero)>(y);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto value = static_cast<double>(all[i]);
      if ((value >= 0 && value <= 1) || (y.columns > 1 && std::isnan(value))) continue;
      throw Error(ErrorKind::data,
                  fmt::format("{}: y, row {}: a binary loss needs targets from 0 to 1, found {}{}", source,
                              first + i / y.columns, value, behind_semicolon(label_advice(count_values(y), 2))));
    }
  });
}

}  // namespace

std::size_t Table::place_of_window(std::size_t row) const noexcept {
  return windows->begin(row) * (columns / windows->rows());
}

Table Table::base() const {
  if (windows == nullptr) return *this;
  Table table = *this;
  table.windows = nullptr;
  table.columns = columns / windows->rows();
  table.rows = bytes.size() / (table.columns * bytes_of(type));
  return table;
}

void Table::row(std::size_t row, std::span<double> out) const {
  if (row >= rows || out.size() != columns || bytes.size() != base().size_bytes())
    throw Error(ErrorKind::usage, "Table::row: no such row, or another width");
  visit_element_type(type, [&](auto zero) {
    const auto from = values<decltype(zero)>(base()).subspan(place(row), columns);
    std::transform(from.begin(), from.end(), out.begin(), [](auto value) { return static_cast<double>(value); });
  });
}

void check_finite(const Table& table, const std::string& name, Range rows, std::size_t first, bool may_miss) {
  if (rows.end > table.rows) throw Error(ErrorKind::usage, "check_finite: no such rows");
  if (table.type == ElementType::f32) check_rows_finite<float>(table, name, rows, first, may_miss);
  if (table.type == ElementType::f64) check_rows_finite<double>(table, name, rows, first, may_miss);
}

Dataset read_dataset(const DataSource& source, std::span<const std::string> folders) {
  OpenDataset opened = open_dataset(source, folders);
  Dataset data{opened.source, read_table(*opened.x), read_table(*opened.y), std::move(opened.class_names), {}};
  data.columns = std::move(opened.columns);
  if (opened.w) data.w = read_table(*opened.w);
  check_finite(data.x, opened.x->header().name, {0, data.x.rows});
  check_finite(data.y, opened.y->header().name, {0, data.y.rows}, 0, opened.y->header().may_miss);
  if (opened.w) check_finite(data.w, opened.w->header().name, {0, data.w.rows});
  std::vector<std::int64_t> missing(data.y.columns, 0);
  if (opened.y->header().may_miss) count_missing(data.y, {0, data.y.rows}, missing);
  set_missing(data, std::move(missing));
  std::vector<HashBytes> hashes(fingerprint_blocks(data.x.bytes.size()) + fingerprint_blocks(data.y.bytes.size()) +
                                fingerprint_blocks(data.w.bytes.size()));
  hash_blocks(data.x, data.y, {0, hashes.size()}, hashes, data.w);
  data.fingerprint = fingerprint(data.x, data.y, hashes, data.w);
  return data;
}

TargetRule label_rule(std::optional<std::int64_t> configured, const std::vector<std::string>& train_names,
                      const std::string& train_source) {
  // Labels are 32 bits wide once gathered.
  constexpr std::uint64_t most = std::numeric_limits<std::int32_t>::max();
  TargetRule rule{TargetRule::Kind::labels, most, "the most that labels may be"};
  if (configured) {
    if (*configured < 1 || static_cast<std::uint64_t>(*configured) > most) {
      throw Error(ErrorKind::config,
                  "data.classes is " + std::to_string(*configured) + "; expected 1 to " + std::to_string(most));
    }
    rule.limit = static_cast<std::uint64_t>(*configured);
    rule.why = "since data.classes is " + std::to_string(rule.limit);
  } else if (!train_names.empty()) {
    rule.limit = train_names.size();
    rule.why = "since the class list of " + train_source + " has " + std::to_string(rule.limit) + " names";
  }
  return rule;
}

void check_target_type(const TargetRule& rule, const Table& y, const std::string& source) {
  if (rule.kind != TargetRule::Kind::labels) return;
  if (!y.is_integer()) {
    throw Error(ErrorKind::data, source +
                                     ": y holds floating-point numbers; a loss over classes needs labels of an integer "
                                     "type. Store y as integers, or take a loss for values, such as mse");
  }
  if (y.columns != 1) {
    throw Error(ErrorKind::data, source + ": y has " + std::to_string(y.columns) +
                                     " columns; a loss over classes needs one label a sample, [n], counted from 0");
  }
}

void check_targets_held(const TargetRule& rule, const Table& y, const std::string& source, std::size_t first,
                        LabelCounts* counts) {
  if (rule.kind == TargetRule::Kind::unit_interval) check_unit_interval(y, source, first);
  if (rule.kind == TargetRule::Kind::from_zero) check_from_zero(y, source, first);
  if (rule.kind != TargetRule::Kind::labels) return;
  check_labels(rule, y, source, first);
  if (counts != nullptr) count(y, *counts);
}

std::size_t count_classes(const Dataset& train, const Dataset* test, std::optional<std::int64_t> configured) {
  const TargetRule rule = label_rule(configured, train.class_names, train.source);
  std::uint64_t largest = 0;
  for (const Dataset* data : {&train, test}) {
    if (data == nullptr) continue;
    check_target_type(rule, data->y, data->source);
    if (data->streamed() && !data->labels) throw Error(ErrorKind::usage, "count_classes: labels that were not counted");
    if (data->streamed() && data->labels->largest >= rule.limit) {
      throw Error(ErrorKind::data,
                  fmt::format("{}: y holds label {}; expected 0 to {}, {}{}", data->source, data->labels->largest,
                              rule.limit - 1, rule.why,
                              behind_semicolon(label_advice(count_values(*data->labels), rule.limit))));
    }
    LabelCounts counts;
    if (!data->streamed()) check_targets_held(rule, data->y, data->source, 0, &counts);
    largest = std::max(largest, data->streamed() ? data->labels->largest : counts.largest);
  }
  const bool known = configured || !train.class_names.empty();
  return static_cast<std::size_t>(known ? rule.limit : largest + 1);
}

std::vector<std::int64_t> count_labels(const Dataset& data, std::size_t classes, RowList rows) {
  std::vector<std::int64_t> counts(classes, 0);
  if (data.streamed()) {  // counted when it was passed over
    std::ranges::copy(std::span(data.labels->samples).first(std::min(classes, data.labels->samples.size())),
                      counts.begin());
    return counts;
  }
  visit_element_type(data.y.type, [&](auto zero) {
    const auto labels = values<decltype(zero)>(data.y);
    const std::size_t count = rows.empty() ? labels.size() : rows.size();
    for (std::size_t i = 0; i < count; ++i) ++counts.at(static_cast<std::size_t>(labels[row_at(rows, i)]));
  });
  return counts;
}

}  // namespace lockstep
