#include "data/sample_weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "core/column_names.hpp"
#include "core/number_text.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr int kBits = 30;  // of a word: 2^32 samples of them fit into 64 bits

template <class T>
const T* values_of(const Table& table) {
  return reinterpret_cast<const T*>(table.bytes.data());
}

// Calls `use(row, weight)` for rows of a table that is held.
template <class Use>
void for_each_weight(const Table& w, RowList rows, Use use) {
  visit_element_type(w.type, [&](auto zero) {
    const auto* const values = values_of<decltype(zero)>(w);
    const std::size_t count = rows.empty() ? w.rows : rows.size();
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t row = row_at(rows, i);
      use(row, static_cast<float>(values[row]));
    }
  });
}

// Calls `use(place in rows, column, whether it is missing)` for targets in rows of y that is held.
template <class Use>
void for_each_target(const Table& y, Range rows, RowList list, Use use) {
  visit_element_type(y.type, [&](auto zero) {
    using T = decltype(zero);
    for (std::size_t i = rows.begin; i < rows.end; ++i) {
      const T* const row = values_of<T>(y) + row_at(list, i) * y.columns;
      for (std::size_t c = 0; c < y.columns; ++c) use(i - rows.begin, c, std::isnan(static_cast<double>(row[c])));
    }
  });
}

std::vector<std::int64_t> missing_in(const Dataset& data, RowList rows, std::size_t count) {
  if (data.streamed() || data.missing.empty()) return data.missing;
  std::vector<std::int64_t> missing(data.y.columns, 0);
  for_each_target(data.y, {0, count}, rows, [&](std::size_t, std::size_t c, bool gone) { missing[c] += gone ? 1 : 0; });
  return missing;
}

}  // namespace

WeightSums::WeightSums(double largest) : exponent_(largest > 0 ? std::ilogb(largest) + 1 : 1), words_(2 * kLabels) {}

void WeightSums::reserve(std::size_t labels) {
  words_.resize(std::max(words_.size(), 2 * (kLabels + labels)));
}

void WeightSums::add(float weight, std::size_t label) {
  add(weight);
  add_to(label, weight);
}

void WeightSums::add_to(std::size_t label, float weight) {
  reserve(label + 1);
  add_at(kLabels + label, weight);
}

void WeightSums::add_at(std::size_t place, float weight) {
  const double high = std::ldexp(static_cast<double>(weight), kBits - exponent_);
  const double whole = std::trunc(high);
  words_[2 * place] += static_cast<std::int64_t>(whole);
  words_[2 * place + 1] += static_cast<std::int64_t>(std::ldexp(high - whole, kBits));
}

double WeightSums::at(std::size_t place) const {
  const auto high = static_cast<double>(words_[2 * place]);
  const auto low = static_cast<double>(words_[2 * place + 1]);
  return std::ldexp(high + std::ldexp(low, -kBits), exponent_ - kBits);
}

std::vector<double> WeightSums::by_label() const {
  std::vector<double> sums;
  for (std::size_t place = kLabels; 2 * place < words_.size(); ++place) sums.push_back(at(place));
  return sums;
}

void read_weights(const Table& w, Range rows, std::span<float> out) {
  visit_element_type(w.type, [&](auto zero) {
    const auto* const from = values_of<decltype(zero)>(w) + rows.begin;
    for (std::size_t i = 0; i < rows.size(); ++i) out[i] = static_cast<float>(from[i]);
  });
}

WeightTotals weigh_samples(const Dataset& data, RowList rows, std::size_t labels) {
  if (data.w.rows == 0) throw Error(ErrorKind::usage, "weigh_samples: the samples have no weights");
  if (data.streamed()) return data.weights.value();
  WeightTotals found;
  for_each_weight(data.w, rows, [&](std::size_t /*row*/, float weight) {
    found.least = std::min(found.least, double{weight});
    found.largest = std::max(found.largest, double{weight});
    found.negatives += weight < 0 ? 1 : 0;
  });
  WeightSums sums(std::max(std::abs(found.least), std::abs(found.largest)));
  if (labels == 0) {
    for_each_weight(data.w, rows, [&](std::size_t /*row*/, float weight) { sums.add(weight); });
  } else {
    sums.reserve(labels);
    visit_element_type(data.y.type, [&](auto zero) {
      const auto* const of_row = values_of<decltype(zero)>(data.y);
      for_each_weight(data.w, rows,
                      [&](std::size_t row, float weight) { sums.add(weight, static_cast<std::size_t>(of_row[row])); });
    });
  }
  found.positive = sums.positive();
  found.negative = sums.negative();
  found.by_label = sums.by_label();
  return found;
}

std::vector<double> weigh_labels(const Dataset& data, std::size_t classes, RowList rows) {
  if (data.w.rows > 0) {
    std::vector<double> sums = weigh_samples(data, rows, classes).by_label;
    sums.resize(classes);
    return sums;
  }
  const std::vector<std::int64_t> counts = count_labels(data, classes, rows);
  return {counts.begin(), counts.end()};
}

void add_targets(const Table& y, Range rows, RowList list, std::span<const float> weights, WeightSums& sums,
                 std::span<std::int64_t> samples) {
  sums.reserve(y.columns);
  for_each_target(y, rows, list, [&](std::size_t i, std::size_t column, bool is_missing) {
    if (is_missing || weights[i] == 0) return;
    sums.add_to(column, weights[i]);
    ++samples[column];
  });
}

TargetWeights weigh_targets(const Dataset& data, RowList rows) {
  if (data.w.rows > 0 && data.streamed()) return data.weights.value().targets;
  const std::size_t count = rows.empty() ? data.y.rows : rows.size();
  TargetWeights found{.sums = {}, .samples = std::vector<std::int64_t>(data.y.columns, 0)};
  if (data.w.rows == 0) {
    const std::vector<std::int64_t> missing = missing_in(data, rows, count);
    for (std::size_t column = 0; column < data.y.columns; ++column) {
      found.samples[column] = static_cast<std::int64_t>(count) - (missing.empty() ? 0 : missing[column]);
    }
    found.sums.assign(found.samples.begin(), found.samples.end());
    return found;
  }
  std::vector<float> weights;
  weights.reserve(count);
  float largest = 0;
  for_each_weight(data.w, rows, [&](std::size_t /*row*/, float weight) {
    weights.push_back(weight);
    largest = std::max(largest, std::abs(weight));
  });
  WeightSums sums(largest);
  add_targets(data.y, {0, count}, rows, weights, sums, found.samples);
  found.sums = sums.by_label();
  return found;
}

std::vector<std::string> sample_notices(const Dataset& data, RowList rows) {
  std::vector<std::string> notices;
  if (data.w.rows > 0) {
    const WeightTotals found = weigh_samples(data, rows);
    if (found.negatives > 0) {
      notices.push_back(
          fmt::format("w of {}: {} of {} {} negative; they sum up to {:.6g}, the others to {:.6g}: losses and scores "
                      "are divided by "
                      "the sum of both, {:.6g}",
                      data.source, found.negatives, count_text(rows.empty() ? data.samples() : rows.size(), "weight"),
                      found.negatives == 1 ? "is" : "are", found.negative, found.positive, found.sum()));
    }
  }
  std::int64_t missing = 0;
  for (const std::int64_t of_target : data.missing) missing += of_target;
  if (missing > 0) {
    notices.push_back(
        fmt::format("y of {}: {} of {} targets are missing (NaN); they are left out of loss, gradient and "
                    "scores",
                    data.source, missing, data.y.rows * data.y.columns));
  }
  return notices;
}

void count_missing(const Table& y, Range rows, std::span<std::int64_t> counts) {
  for_each_target(y, rows, {},
                  [&](std::size_t, std::size_t column, bool is_missing) { counts[column] += is_missing ? 1 : 0; });
}

void set_missing(Dataset& data, std::vector<std::int64_t> counts) {
  if (std::ranges::all_of(counts, [](std::int64_t count) { return count == 0; })) counts.clear();
  data.missing = std::move(counts);
}

void check_some_targets(const Dataset& data, RowList rows) {
  if (data.missing.empty()) return;
  const std::size_t count = rows.empty() ? data.y.rows : rows.size();
  const std::vector<std::int64_t> missing = missing_in(data, rows, count);
  const std::vector<std::int64_t> weighing = weigh_targets(data, rows).samples;
  for (std::size_t column = 0; column < missing.size(); ++column) {
    if (weighing[column] > 0) continue;
    const auto there = static_cast<std::int64_t>(count) - missing[column];
    throw Error(
        ErrorKind::data,
        fmt::format("y of {}: {} is missing (NaN) in all {} training samples{}; leave it out of y, or give it where "
                    "it is known",
                    data.source, column_text(column, data.columns.targets), count,
                    there == 0 ? "" : fmt::format(" but {} of weight 0", there)));
  }
}

}  // namespace lockstep
