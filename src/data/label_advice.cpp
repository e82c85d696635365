#include "data/label_advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>

#include "core/number_text.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostValues = 65536;
constexpr std::size_t kMostMarks = 3;

bool are_whole(const ValueCounts& counts) {
  return std::ranges::all_of(counts, [](const auto& entry) { return entry.first == std::floor(entry.first); });
}

// "255 in 3 samples, 999 in 1 sample".
std::string list_marks(const ValueCounts& marks) {
  std::string text;
  std::size_t named = 0;
  for (const auto& [value, count] : marks) {
    if (named++ == kMostMarks) return text + fmt::format(" and {} more", marks.size() - kMostMarks);
    text += fmt::format("{}{} in {}", text.empty() ? "" : ", ", value, count_text(count, "sample"));
  }
  return text;
}

}  // namespace

ValueCounts count_values(const Table& y) {
  ValueCounts counts;
  visit_element_type(y.type, [&](auto zero) {
    using T = decltype(zero);
    for (const T value : std::span(reinterpret_cast<const T*>(y.bytes.data()), y.rows * y.columns)) {
      if (counts.size() <= kMostValues) ++counts[static_cast<double>(value)];
    }
  });
  return counts.size() <= kMostValues ? counts : ValueCounts{};
}

ValueCounts count_values(const LabelCounts& counts) {
  ValueCounts values;
  for (std::size_t label = 0; label < counts.samples.size(); ++label) {
    if (counts.samples[label] > 0) values[static_cast<double>(label)] = static_cast<std::size_t>(counts.samples[label]);
  }
  if (counts.largest >= LabelCounts::kMostCounted) ++values[static_cast<double>(counts.largest)];
  return values;
}

std::string label_advice(const ValueCounts& counts, std::size_t classes) {
  if (counts.empty() || classes == 0 || !are_whole(counts)) return "";
  if (counts.size() == 2 && counts.contains(-1) && counts.contains(1)) {
    return "the labels are -1 and 1, but have to count from 0: store (y + 1) / 2";
  }
  const auto of_classes = static_cast<double>(classes);
  ValueCounts marks(counts.begin(), counts.lower_bound(0));  // numbers that are no labels
  ValueCounts labels(counts.lower_bound(0), counts.end());
  if (labels.empty()) return "";
  const double least = labels.begin()->first;
  const bool shifted =
      least >= 1 && labels.rbegin()->first >= of_classes && labels.rbegin()->first - least < of_classes;
  const auto beyond = labels.lower_bound(of_classes);
  if (!shifted && beyond != labels.begin() && beyond != labels.end()) {
    const bool apart = beyond->first > std::prev(beyond)->first + 1;
    const auto many = static_cast<std::size_t>(std::distance(beyond, labels.end()));
    if (apart && many <= labels.size() - many) {
      marks.insert(beyond, labels.end());
      labels.erase(beyond, labels.end());
    }
  }
  if (!shifted && marks.empty()) return "";
  std::string text = fmt::format("the labels are {} to {}", least, labels.rbegin()->first);
  if (!marks.empty()) text += fmt::format(" but for {}", list_marks(marks));
  if (shifted) text += fmt::format("{} have to count from 0: store y - {}", marks.empty() ? ", but" : "; they", least);
  if (!marks.empty()) text += fmt::format("{} leave out samples without a label", shifted ? ", and" : ":");
  return text;
}

}  // namespace lockstep
