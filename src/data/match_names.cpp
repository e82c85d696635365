#include "data/match_names.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kChosenBytes = std::size_t{1} << 20U;
constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kMostNames = 8;

using Names = std::vector<std::string>;

std::string listed(const Names& names) {
  Names shown;
  for (std::size_t i = 0; i < std::min(names.size(), kMostNames); ++i) shown.push_back("'" + names[i] + "'");
  const std::size_t more = names.size() - shown.size();
  return fmt::format("{}{}", fmt::join(shown, ", "), more == 0 ? "" : fmt::format(" and {} more", more));
}

/// Columns of another table, in an order of one's own; 0 where that has none.
class ChosenColumns final : public TableReader {
 public:
  ChosenColumns(std::shared_ptr<TableReader> base, std::vector<std::size_t> places)
      : base_(std::move(base)), places_(std::move(places)) {
    header_ = base_->header();
    header_.columns = places_.size();
    header_.shape = {header_.rows, header_.columns};
  }

  [[nodiscard]] bool seekable() const noexcept override { return base_->seekable(); }

  void read(Range rows, std::span<std::byte> out) override {
    const std::size_t of_base = base_->header().row_bytes();
    const std::size_t piece = std::max<std::size_t>(kChosenBytes / of_base, 1);
    for (std::size_t begin = rows.begin; begin < rows.end; begin += piece) {
      const Range part{begin, std::min(begin + piece, rows.end)};
      memory_.resize(part.size() * of_base);
      base_->read(part, memory_);
      visit_element_type(header_.type, [&](auto zero) {
        choose<decltype(zero)>(part.size(), out.subspan((begin - rows.begin) * header_.row_bytes()));
      });
    }
  }

 private:
  template <class T>
  void choose(std::size_t rows, std::span<std::byte> out) const {
    const std::byte* from = memory_.data();
    std::byte* to = out.data();
    for (std::size_t row = 0; row < rows; ++row, from += base_->header().row_bytes()) {
      for (const std::size_t place : places_) {
        T value{};
        if (place != kNowhere) std::memcpy(&value, from + place * sizeof(T), sizeof(T));
        std::memcpy(to, &value, sizeof(T));
        to += sizeof(T);
      }
    }
  }

  std::shared_ptr<TableReader> base_;  // shared with the NameMatch
  std::vector<std::size_t> places_;    // [columns] of the base
  std::vector<std::byte> memory_;
};

/// Labels of another table with other numbers. Those that have no name stay, to be refused as they are.
class RenumberedLabels final : public TableReader {
 public:
  RenumberedLabels(std::unique_ptr<TableReader> base, std::vector<std::size_t> numbers)
      : base_(std::move(base)), numbers_(std::move(numbers)) {
    header_ = base_->header();
  }

  [[nodiscard]] bool seekable() const noexcept override { return base_->seekable(); }

  void read(Range rows, std::span<std::byte> out) override {
    base_->read(rows, out);
    visit_element_type(header_.type, [&](auto zero) {
      using T = decltype(zero);
      for (std::size_t at = 0; at < rows.size() * sizeof(T); at += sizeof(T)) {
        T label;
        std::memcpy(&label, out.data() + at, sizeof(T));
        if (label < T{0} || static_cast<std::uint64_t>(label) >= numbers_.size()) continue;
        label = static_cast<T>(numbers_[static_cast<std::size_t>(label)]);
        std::memcpy(out.data() + at, &label, sizeof(T));
      }
    });
  }

 private:
  std::unique_ptr<TableReader> base_;
  std::vector<std::size_t> numbers_;
};

/// Two lists of names beside each other.
class Matcher {
 public:
  /// `what`: "features".
  Matcher(const OpenDataset& data, const KnownNames& known, const char* what)
      : data_(data), known_(known), what_(what) {}

  /// Where each of `wanted` stands in `found`, kNowhere where it does not.
  std::vector<std::size_t> places(const Names& wanted, const Names& found) {
    std::unordered_map<std::string_view, std::size_t> place;
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!place.emplace(found[i], i).second) refuse_twice(found[i]);
    }
    std::vector<std::size_t> result;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const auto at = place.find(wanted[i]);
      result.push_back(at == place.end() ? kNowhere : at->second);
    }
    std::vector<std::size_t> taken = result;  // one twice has been wanted twice
    std::sort(taken.begin(), taken.end());
    for (std::size_t i = 0; i + 1 < taken.size(); ++i) {
      if (taken[i] == taken[i + 1] && taken[i] != kNowhere) refuse_twice(found[taken[i]]);
    }
    return result;
  }

  /// Names of `found` that nobody wants.
  static std::vector<std::size_t> left(const std::vector<std::size_t>& places, std::size_t found) {
    std::vector<bool> taken(found, false);
    for (const std::size_t place : places) {
      if (place != kNowhere) taken[place] = true;
    }
    std::vector<std::size_t> left;
    for (std::size_t i = 0; i < found; ++i) {
      if (!taken[i]) left.push_back(i);
    }
    return left;
  }

  void refuse_unless_empty(const Names& missing, const Names& unknown) const {
    if (missing.empty() && unknown.empty()) return;
    throw Error(ErrorKind::data,
                fmt::format("{}: its {} are not those of {}{}{}; they are matched by name", data_.source, what_,
                            known_.source, missing.empty() ? "" : fmt::format("; missing: {}", listed(missing)),
                            unknown.empty() ? "" : fmt::format("; not known there: {}", listed(unknown))));
  }

  [[nodiscard]] std::string order_notice() const {
    return fmt::format("{}: its {} are in another order than those of {}; they are matched by name", data_.source,
                       what_, known_.source);
  }

 private:
  [[noreturn]] void refuse_twice(const std::string& name) const {
    throw Error(ErrorKind::data,
                fmt::format("{}: its {} are not those of {}, and cannot be matched by name: '{}' is there twice",
                            data_.source, what_, known_.source, name));
  }

  const OpenDataset& data_;
  const KnownNames& known_;
  const char* what_;
};

bool in_order(const std::vector<std::size_t>& places) {
  std::size_t next = 0;
  for (const std::size_t place : places) {
    if (place == kNowhere) continue;
    if (place < next) return false;
    next = place + 1;
  }
  return true;
}

// All of both, or a refusal.
std::optional<std::vector<std::size_t>> match_all(Matcher& matcher, const Names& wanted, const Names& found) {
  if (wanted.empty() || found.empty() || wanted == found) return {};
  std::vector<std::size_t> places = matcher.places(wanted, found);
  Names missing, unknown;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (places[i] == kNowhere) missing.push_back(wanted[i]);
  }
  for (const std::size_t i : Matcher::left(places, found.size())) unknown.push_back(found[i]);
  matcher.refuse_unless_empty(missing, unknown);
  return places;
}

void match_features(OpenDataset& data, const KnownNames& known, NameMatch& match) {
  const ColumnNames& wanted = known.columns;
  const Names& found = data.columns.features;
  if (wanted.features.empty()) return;
  if (!found.empty() && wanted.features != found) {
    Matcher matcher(data, known, "features");
    const std::vector<std::size_t> places = matcher.places(wanted.features, found);
    const std::size_t none = wanted.categorical.size();
    std::vector<bool> there(none, false);  // categorical columns that the data has, with whatever texts
    for (const std::string& name : found) {
      if (const std::size_t column = wanted.column_of(name); column != none) there[column] = true;
    }
    Names missing, unknown;
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (places[i] != kNowhere) continue;
      const std::size_t column = wanted.column_of(wanted.features[i]);
      if (column != none && there[column]) continue;  // a category that the data does not happen to have
      const std::string& name = column == none ? wanted.features[i] : wanted.categorical[column];
      if (missing.empty() || missing.back() != name) missing.push_back(name);
    }
    std::vector<UnknownCategories> categories(none);
    for (const std::size_t i : Matcher::left(places, found.size())) {
      const std::size_t column = wanted.column_of(found[i]);
      if (column == none) {
        unknown.push_back(found[i]);
        continue;
      }
      categories[column].column = wanted.categorical[column];
      categories[column].texts.push_back(found[i].substr(wanted.categorical[column].size() + 1));
      categories[column].places.push_back(i);
    }
    matcher.refuse_unless_empty(missing, unknown);
    if (!in_order(places)) match.notices.push_back(matcher.order_notice());
    const std::shared_ptr<TableReader> x = std::move(data.x);
    for (UnknownCategories& column : categories) {
      if (!column.places.empty()) match.unknown.push_back(std::move(column));
    }
    if (!match.unknown.empty()) match.x = x;
    data.x = std::make_unique<ChosenColumns>(x, places);
  }
  data.columns.features = wanted.features;
  data.columns.categorical = wanted.categorical;
}

void match_targets(OpenDataset& data, const KnownNames& known, NameMatch& match) {
  if (known.columns.targets.empty()) return;
  Matcher matcher(data, known, "targets");
  if (const auto places = match_all(matcher, known.columns.targets, data.columns.targets)) {
    match.notices.push_back(matcher.order_notice());
    data.y = std::make_unique<ChosenColumns>(std::move(data.y), *places);
  }
  data.columns.targets = known.columns.targets;
}

// Whether labels up to `largest` fit into the type.
bool holds(ElementType type, std::size_t largest) {
  return visit_element_type(type, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T>) {
      return largest <= static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    } else {
      return false;
    }
  });
}

void match_classes(OpenDataset& data, const KnownNames& known, NameMatch& match) {
  if (known.classes.empty()) return;
  Matcher matcher(data, known, "classes");
  if (const auto places = match_all(matcher, known.classes, data.class_names)) {
    std::vector<std::size_t> numbers(places->size());
    for (std::size_t i = 0; i < places->size(); ++i) numbers[(*places)[i]] = i;
    const TableHeader& y = data.y->header();
    if (y.columns != 1 || !holds(y.type, numbers.size() - 1)) {
      throw Error(ErrorKind::data,
                  fmt::format("{}: its classes are in another order than those of {}, and y holds no labels, one "
                              "integer a sample, that could be given the numbers there",
                              data.source, known.source));
    }
    match.notices.push_back(matcher.order_notice());
    data.y = std::make_unique<RenumberedLabels>(std::move(data.y), std::move(numbers));
  }
  data.class_names = known.classes;
}

}  // namespace

std::unique_ptr<TableReader> choose_columns(std::shared_ptr<TableReader> table, std::vector<std::size_t> places) {
  return std::make_unique<ChosenColumns>(std::move(table), std::move(places));
}

NameMatch match_names(OpenDataset& data, const KnownNames& known) {
  NameMatch match;
  match_features(data, known, match);
  if (!data.y) return match;
  match_targets(data, known, match);
  match_classes(data, known, match);
  return match;
}

std::vector<std::int64_t> count_unknown(const NameMatch& match, Range rows, const std::function<void()>& alive) {
  std::vector<std::int64_t> counts(match.unknown.size(), 0);
  if (match.unknown.empty()) return counts;
  const TableHeader& header = match.x->header();
  const std::size_t piece = std::max<std::size_t>(4 * kChosenBytes / header.row_bytes(), 1);
  std::vector<std::byte> memory;
  for (std::size_t begin = rows.begin; begin < rows.end; begin += piece) {
    const Range part{begin, std::min(begin + piece, rows.end)};
    memory.resize(part.size() * header.row_bytes());
    match.x->read(part, memory);
    visit_element_type(header.type, [&](auto zero) {
      using T = decltype(zero);
      const auto is_set = [&](std::size_t row, std::size_t column) {
        T value;
        std::memcpy(&value, memory.data() + row * header.row_bytes() + column * sizeof(T), sizeof(T));
        return value != T{};
      };
      for (std::size_t row = 0; row < part.size(); ++row) {
        for (std::size_t i = 0; i < counts.size(); ++i) {
          counts[i] +=
              std::ranges::any_of(match.unknown[i].places, [&](std::size_t c) { return is_set(row, c); }) ? 1 : 0;
        }
      }
    });
    alive();
  }
  return counts;
}

}  // namespace lockstep
