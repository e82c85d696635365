// What stands for missing fields, by the rows that train alone; and the rows of a table once more, as numbers.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "import/csv_table.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kSpilledBytes = std::size_t{1} << 20U;  // bytes of spilled rows that are read at once
constexpr std::size_t kHalf = std::size_t{1} << 16U;          // values of half a float's bits
constexpr std::size_t kMostDifferent = kHalf;                 // numbers that are counted one by one
constexpr std::size_t kCountedTogether = 32;  // columns: half a MiB of counts each, and as much for the median

// Floats as integers in the same order.
std::uint32_t key_of(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value == 0 ? 0.0F : value);
  return (bits >> 31U) != 0 ? ~bits : bits | 0x80000000U;
}
float value_of(std::uint32_t key) noexcept {
  return std::bit_cast<float>((key >> 31U) != 0 ? key & 0x7FFFFFFFU : ~key);
}

// The value of rank `rank` among counted ones, and how many come before it.
std::pair<std::size_t, std::uint64_t> find_rank(const std::vector<std::uint64_t>& counts, std::uint64_t rank) {
  std::uint64_t before = 0;
  std::size_t place = 0;
  while (before + counts[place] <= rank) before += counts[place++];
  return {place, before};
}

float number_of(const RecipeColumn& column, const std::byte* row, std::size_t slot) noexcept {
  return column.use == ColumnUse::date ? static_cast<float>(take_slot<double>(row, slot)) : take_slot<float>(row, slot);
}

/// The mean, the median or the most frequent of a column of numbers, taken in two passes over the rows.
class NumberFit {
 public:
  NumberFit(CsvColumn& column, std::size_t slot) : column_(column), slot_(slot) {
    if (rule() == MissingRule::median) counts_.resize(kHalf);
  }

  [[nodiscard]] bool wants_second_pass() const noexcept { return rule() == MissingRule::median && there_ != 0; }

  void first_pass(const std::byte* row) {
    const float value = number_of(column_.recipe, row, slot_);
    if (std::isnan(value)) return;
    ++there_;
    if (rule() == MissingRule::mean) sum_ += value;
    if (rule() == MissingRule::median) ++counts_[key_of(value) >> 16U];
    if (rule() == MissingRule::most_frequent && ++different_[value == 0 ? 0.0F : value] == 1) {
      if (different_.size() <= kMostDifferent) return;
      throw Error(ErrorKind::data, fmt::format("--missing most_frequent: column '{0}' has more than {1} different "
                                               "numbers; --missing {0}=median, say",
                                               column_.recipe.name, kMostDifferent));
    }
  }

  void start_second_pass() {
    // Of an even number of values the two in the middle.
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
      const auto [place, before] = find_rank(counts_, i == 0 ? (there_ - 1) / 2 : there_ / 2);
      upper_[i] = static_cast<std::uint32_t>(place);
      before_[i] = before;
      lower_[i].resize(kHalf);
    }
  }
  void second_pass(const std::byte* row) {
    const float value = number_of(column_.recipe, row, slot_);
    if (std::isnan(value)) return;
    const std::uint32_t key = key_of(value);
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
      if (key >> 16U == upper_[i]) ++lower_[i][key & 0xFFFFU];
    }
  }

  void finish() {
    if (there_ == 0) {
      throw Error(ErrorKind::data, fmt::format("--missing {1}: no row that trains has anything in column '{0}'; "
                                               "--drop {0} leaves it out, --missing {0}=zero takes 0",
                                               column_.recipe.name, rule_name(rule())));
    }
    column_.recipe.fill = fill();
  }

 private:
  [[nodiscard]] MissingRule rule() const noexcept { return column_.recipe.missing; }

  [[nodiscard]] double fill() const {
    if (rule() == MissingRule::mean) return sum_ / static_cast<double>(there_);
    if (rule() == MissingRule::most_frequent) {
      const auto best = std::ranges::max_element(different_, [](const auto& a, const auto& b) {
        return a.second != b.second ? a.second < b.second : a.first > b.first;  // of equal ones the smallest
      });
      return best->first;
    }
    std::array<double, 2> middle{};
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
      const std::uint64_t rank = (i == 0 ? (there_ - 1) / 2 : there_ / 2) - before_[i];
      middle[i] = value_of(upper_[i] << 16U | static_cast<std::uint32_t>(find_rank(lower_[i], rank).first));
    }
    return (middle[0] + middle[1]) / 2;
  }

  CsvColumn& column_;
  std::size_t slot_;
  std::uint64_t there_ = 0;
  double sum_ = 0;
  std::vector<std::uint64_t> counts_;  // of the upper halves of the keys
  std::array<std::uint32_t, 2> upper_{};
  std::array<std::uint64_t, 2> before_{};
  std::array<std::vector<std::uint64_t>, 2> lower_;
  std::unordered_map<float, std::uint64_t> different_;
};

/// The spilled rows again, as numbers.
class ExpandedRows final : public RowSource {
 public:
  ExpandedRows(SpilledRows& spilled, std::size_t rows, const Recipe& recipe, const RowSlots& slots,
               const std::vector<CsvColumn>& columns, const RowFormat& format)
      : spilled_(spilled),
        left_(rows),
        expander_(recipe, slots),
        slot_bytes_(slots.bytes()),
        x_bytes_(format.x_bytes()),
        y_bytes_(format.y_bytes()),
        w_bytes_(format.w_bytes()),
        is_label_(recipe.label() != nullptr) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].categories) texts_.push_back({slots.of(i), columns[i].categories->places()});
    }
    block_rows_ = std::max<std::size_t>(1, kSpilledBytes / std::max({x_bytes_, slot_bytes_, std::size_t{1}}));
  }

  void next(RowBlock& block) override {
    block.rows = std::min(left_, block_rows_);
    left_ -= block.rows;
    block.x.resize(block.rows * x_bytes_);
    block.y.resize(block.rows * y_bytes_);
    block.w.resize(block.rows * w_bytes_);
    packed_.resize(block.rows * slot_bytes_);
    spilled_.read(packed_);
    for (std::size_t row = 0; row < block.rows; ++row) {
      std::byte* const slots = packed_.data() + row * slot_bytes_;
      for (const Texts& texts : texts_) {  // numbered as they came; the recipe's are sorted
        const auto code = take_slot<std::uint32_t>(slots, texts.slot);
        if (code != kNoText) put_slot(slots, texts.slot, texts.places[code]);
      }
      expander_.expand_x(slots, reinterpret_cast<float*>(block.x.data() + row * x_bytes_));
      std::byte* const y = block.y.data() + row * y_bytes_;
      if (is_label_) {
        put_slot(y, 0, expander_.label(slots));
      } else {
        expander_.expand_values(slots, reinterpret_cast<double*>(y));
      }
      if (w_bytes_ != 0) put_slot(block.w.data() + row * w_bytes_, 0, expander_.weight(slots));
    }
  }

 private:
  struct Texts {
    std::size_t slot = 0;
    std::vector<std::uint32_t> places = {};  ///< of each code
  };
  SpilledRows& spilled_;
  std::size_t left_;
  RowExpander expander_;
  std::size_t slot_bytes_, x_bytes_, y_bytes_, w_bytes_;
  bool is_label_;
  std::size_t block_rows_ = 1;
  std::vector<Texts> texts_;
  std::vector<std::byte> packed_;
};

}  // namespace

template <class Take>
void ImportedTable::each_spilled(const std::function<bool()>& trains, Take&& take) {
  spilled_.rewind();
  const std::size_t bytes = std::max<std::size_t>(slots_.bytes(), 1);
  std::vector<std::byte> piece;
  for (std::size_t left = rows_; left != 0;) {
    const std::size_t rows = std::min(left, std::max<std::size_t>(kSpilledBytes / bytes, 1));
    left -= rows;
    piece.resize(rows * slots_.bytes());
    spilled_.read(piece);
    for (std::size_t row = 0; row < rows; ++row) take(piece.data() + row * slots_.bytes(), trains());
  }
}

// As many columns at a time as there is memory for.
void ImportedTable::fit_numbers(const std::function<std::function<bool()>()>& trains) {
  std::vector<std::size_t> wanted;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const RecipeColumn& recipe = columns_[i].recipe;
    const bool numbers = recipe.use == ColumnUse::number || recipe.use == ColumnUse::date;
    // A column in which nothing is missing is fitted too: other tables may have gaps there.
    if (numbers && is_fill(recipe.missing) && recipe.missing != MissingRule::zero) wanted.push_back(i);
  }
  for (std::size_t begin = 0; begin < wanted.size(); begin += kCountedTogether) {
    std::vector<NumberFit> fits;
    for (std::size_t i = begin; i < std::min(begin + kCountedTogether, wanted.size()); ++i) {
      fits.emplace_back(columns_[wanted[i]], slots_.of(wanted[i]));
    }
    each_spilled(trains(), [&](const std::byte* row, bool train) {
      for (NumberFit& fit : fits) {
        if (train) fit.first_pass(row);
      }
    });
    const auto again = [](const NumberFit& fit) { return fit.wants_second_pass(); };
    if (std::ranges::any_of(fits, again)) {
      for (NumberFit& fit : fits) {
        if (again(fit)) fit.start_second_pass();
      }
      each_spilled(trains(), [&](const std::byte* row, bool train) {
        for (NumberFit& fit : fits) {
          if (train && again(fit)) fit.second_pass(row);
        }
      });
    }
    for (NumberFit& fit : fits) fit.finish();
  }
}

void ImportedTable::fit(const std::function<std::function<bool()>()>& trains) {
  drop_useless();
  fit_numbers(trains);
  // Texts, and in which columns fields are missing at all.
  std::vector<std::vector<std::uint64_t>> counts(columns_.size());
  std::vector<std::uint64_t> missing(columns_.size());
  std::vector<std::size_t> filled;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (!is_fill(columns_[i].recipe.missing)) continue;
    filled.push_back(i);
    if (columns_[i].categories) counts[i].resize(columns_[i].categories->size());
  }
  if (!filled.empty()) {
    each_spilled(trains(), [&](const std::byte* row, bool train) {
      for (const std::size_t i : filled) {
        if (!train) continue;
        if (!columns_[i].categories) {
          missing[i] += std::isnan(number_of(columns_[i].recipe, row, slots_.of(i))) ? 1U : 0U;
          continue;
        }
        const auto code = take_slot<std::uint32_t>(row, slots_.of(i));
        ++(code == kNoText ? missing[i] : counts[i][code]);
      }
    });
  }
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    RecipeColumn& recipe = columns_[i].recipe;
    recipe.indicator = recipe.indicator && missing[i] != 0;  // of a column without gaps it would tell nothing
    if (!columns_[i].categories) continue;
    recipe.texts = columns_[i].categories->sorted();
    const bool counts_texts = is_fill(recipe.missing) && recipe.missing != MissingRule::zero;
    const bool none =
        counts_texts ? std::ranges::all_of(counts[i], [](auto count) { return count == 0; }) : recipe.texts.empty();
    if (none) {
      throw Error(ErrorKind::data, fmt::format("column '{0}': no row{1} has anything in it; --drop {0} leaves it out",
                                               recipe.name, counts_texts ? " that trains" : ""));
    }
    if (!is_fill(recipe.missing) || recipe.missing == MissingRule::zero) continue;
    const std::vector<std::uint32_t> places = columns_[i].categories->places();
    std::vector<std::uint64_t> sorted(places.size());
    for (std::size_t code = 0; code < places.size(); ++code) sorted[places[code]] = counts[i][code];
    recipe.fill_category = static_cast<std::uint32_t>(std::ranges::max_element(sorted) - sorted.begin());
  }
  make_recipe();
}

void ImportedTable::make_recipe() {
  recipe_ = {.delimiter = options_.delimiter, .decimal = options_.decimal, .header = options_.header};
  std::size_t features = 0;
  for (CsvColumn& column : columns_) {
    if (column.recipe.use == ColumnUse::value && values_ > 1) column.recipe.gaps = column.may_miss;
    recipe_.columns.push_back(column.recipe);
    features += width_of(column.recipe);
  }
  if (features == 0) throw Error(ErrorKind::data, file_ + ": no column is left to learn from");
  if (features > kMostFeatures) {
    throw Error(ErrorKind::data, fmt::format("{}: its categories make {} columns; at most {} are taken", file_,
                                             features, kMostFeatures));
  }
  const std::vector<std::string> made = recipe_.features();
  std::unordered_set<std::string_view> names;
  for (const std::string& name : made) {
    if (names.insert(name).second) continue;
    throw Error(ErrorKind::data,
                fmt::format("{}: two features would be named '{}': one of them made of another column, one of the "
                            "first line; drop or rename one of these columns",
                            file_, name));
  }
}

RowFormat ImportedTable::format() const {
  RowFormat format;
  format.features = recipe_.features();
  format.targets = recipe_.targets();
  format.categorical = recipe_.categorical();
  format.x_shape = {format.features.size()};
  if (const RecipeColumn* label = recipe_.label()) {
    format.classes = label->texts;
    format.y_type = ElementType::i32;
  } else {
    format.y_shape = {format.targets.size()};
  }
  format.weights = recipe_.weight() != nullptr;
  format.recipe = to_json(recipe_);
  return format;
}

std::unique_ptr<RowSource> ImportedTable::source() {
  spilled_.rewind();
  return std::make_unique<ExpandedRows>(spilled_, rows_, recipe_, slots_, columns_, format());
}

}  // namespace lockstep
