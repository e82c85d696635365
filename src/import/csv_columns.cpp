// Which column of a CSV table is what: header and options.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "import/csv_table.hpp"
#include "import/field_text.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::config, what);
}

void check_name(const std::string& name, std::size_t column) {
  if (name.size() > 255) throw BadRow(fmt::format("the name of column {} has more than 255 bytes", column + 1), column);
  if (is_utf8(name) && name.find('\0') == std::string::npos) return;
  throw BadRow(fmt::format("the name of column {} is not UTF-8 text; convert the file first, for example with iconv -f "
                           "latin1 -t utf8",
                           column + 1),
               column);
}

}  // namespace

void ImportedTable::take_header() {
  std::vector<std::string> names = std::exchange(early_, {});
  header_wanted_ = false;
  if (!columns_.empty()) {  // of another file: the same as before
    for (std::size_t i = 0; i < std::max(names.size(), columns_.size()); ++i) {
      const std::string found = i < names.size() ? shown(names[i]) : "nothing";
      const std::string wanted = i < columns_.size() ? shown(columns_[i].recipe.name) : "nothing";
      if (found != wanted && !(found == "''" && wanted == shown(std::to_string(i + 1)))) {
        throw BadRow(fmt::format("column {} is {}; expected {}, as in the first file", i + 1, found, wanted), 0);
      }
    }
    return;
  }
  bool numbers = true;
  std::unordered_map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    check_name(names[i], i);
    double value = 0;
    numbers = numbers && parse_number(names[i], value) == NumberFault::none;
    const auto [place, fresh] = seen.emplace(names[i], i);
    if (!fresh && !names[i].empty()) {
      throw BadRow(fmt::format("columns {} and {} are both named {}; expected different names", place->second + 1,
                               i + 1, shown(names[i])),
                   i);
    }
  }
  if (numbers) throw BadRow("the first row holds numbers alone; for a table without column names give --no-header", 0);
  std::vector<std::size_t> unnamed;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!names[i].empty()) continue;
    names[i] = std::to_string(i + 1);
    unnamed.push_back(i);
    if (seen.count(names[i]) != 0) {
      throw BadRow(fmt::format("column {0} has no name, and another is named {0}", names[i]), i);
    }
  }
  take_names(std::move(names), unnamed);
  for (const std::size_t i : unnamed) {
    if (columns_[i].recipe.use == ColumnUse::dropped || columns_[i].open == CsvColumn::Open::target) continue;
    throw BadRow(fmt::format("column {0} has no name (row numbers, perhaps); give it one, or leave it out with --drop "
                             "{0}",
                             i + 1),
                 i);
  }
}

void ImportedTable::take_names(std::vector<std::string> names, const std::vector<std::size_t>& unnamed) {
  for (std::string& name : names) columns_.push_back({.recipe = {.name = std::move(name)}});
  assign_uses();
  for (const std::size_t i : unnamed) {
    CsvColumn& column = columns_[i];
    const bool feature = column.open == CsvColumn::Open::feature || column.recipe.use == ColumnUse::number;
    if (!drops_useless_ || !feature || column.open == CsvColumn::Open::target) continue;
    column.recipe.use = ColumnUse::dropped;
    column.open = CsvColumn::Open::no;
    column.dropped_for = "it has no name: row numbers, perhaps";
  }
  assign_dates();
  assign_rules();
  open_ = static_cast<std::size_t>(
      std::ranges::count_if(columns_, [](const CsvColumn& column) { return column.open != CsvColumn::Open::no; }));
  if (open_ == 0) start_rows();
}

std::optional<std::size_t> ImportedTable::find_column(std::string_view name) const {
  const auto found =
      std::ranges::find_if(columns_, [&](const CsvColumn& column) { return column.recipe.name == name; });
  if (found == columns_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - columns_.begin());
}

std::vector<std::size_t> ImportedTable::find_columns(const std::vector<std::string>& words, const char* option,
                                                     bool* automatic) const {
  std::vector<std::string_view> names;
  for (const CsvColumn& column : columns_) names.emplace_back(column.recipe.name);
  std::vector<std::size_t> found;
  const auto find = [&](std::string_view word) {
    const auto place = find_column(word);
    if (place) found.push_back(*place);
    return place.has_value();
  };
  for (const std::string& word : words) {
    if (find(word)) continue;  // also a name with commas
    std::string_view rest = word;
    while (true) {
      const std::size_t comma = rest.find(',');
      const std::string_view part = rest.substr(0, comma);
      if (automatic != nullptr && part == "auto") {
        *automatic = true;
      } else if (!find(part)) {
        refuse(fmt::format("{}: {} is no column of {}; its columns are {}{}", option, shown(part), file_, listed(names),
                           hint_));
      }
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return found;
}

void ImportedTable::assign_uses() {
  bool automatic = false;
  const std::vector<std::size_t> targets = find_columns(options_.target, "--target");
  const std::vector<std::size_t> categorical = find_columns(options_.categorical, "--categorical", &automatic);
  const std::vector<std::size_t> weights = find_columns(options_.weight, "--weight");
  const std::vector<std::size_t> dropped = find_columns(options_.drop, "--drop", &drops_useless_);
  if (targets.empty()) {
    std::vector<std::string_view> names;
    for (const CsvColumn& column : columns_) names.emplace_back(column.recipe.name);
    refuse(fmt::format("--target is needed: the column to predict; {} has {}{}", file_, listed(names), hint_));
  }
  if (weights.size() > 1) refuse(fmt::format("--weight: expected one column, found {}", weights.size()));
  std::vector<const char*> given(columns_.size(), nullptr);
  const auto assign = [&](const std::vector<std::size_t>& which, const char* option, ColumnUse use,
                          CsvColumn::Open open = CsvColumn::Open::no) {
    for (const std::size_t i : which) {
      if (given[i] != nullptr) {
        refuse(fmt::format("column {} is given by {} and by {}; expected once", shown(columns_[i].recipe.name),
                           given[i], option));
      }
      given[i] = option;
      columns_[i].recipe.use = use;
      columns_[i].open = open;
    }
  };
  if (automatic) {
    for (CsvColumn& column : columns_) column.open = CsvColumn::Open::feature;
  }
  // Several targets are values: a sample has one class.
  const bool single = targets.size() == 1;
  if (!single && options_.task == TargetTask::classes) {
    refuse(fmt::format("--task classes takes one target, found {}", targets.size()));
  }
  assign(targets, "--target", options_.task == TargetTask::classes ? ColumnUse::label : ColumnUse::value,
         options_.task == TargetTask::automatic && single ? CsvColumn::Open::target : CsvColumn::Open::no);
  assign(categorical, "--categorical", ColumnUse::category);
  assign(weights, "--weight", ColumnUse::weight);
  assign(dropped, "--drop", ColumnUse::dropped);
  if (targets.size() + weights.size() + dropped.size() == columns_.size()) {
    refuse(fmt::format("{} has no columns beside its targets and those left out{}", file_, hint_));
  }
}

// "NAME", or "NAME=FORMAT".
void ImportedTable::assign_dates() {
  for (const std::string& word : options_.date) {
    std::optional<std::size_t> column = find_column(word);
    std::string format;
    if (const std::size_t equals = word.find('=', 1); !column && equals != std::string::npos) {
      column = find_column(std::string_view(word).substr(0, equals));
      format = word.substr(equals + 1);
      if (format.find('%') == std::string::npos) {
        refuse(fmt::format("--date {}: expected a format with %Y, %m, %d and the like, as strptime takes it",
                           shown(word)));
      }
    }
    const std::vector<std::size_t> which =
        column ? std::vector{*column} : find_columns({word}, "--date");  // a list of names
    for (const std::size_t i : which) {
      RecipeColumn& recipe = columns_[i].recipe;
      if (recipe.use != ColumnUse::number) {
        refuse(fmt::format("column {} is given by --date and by another option; expected once", shown(recipe.name)));
      }
      recipe.use = ColumnUse::date;
      recipe.date_format = format;
      columns_[i].open = CsvColumn::Open::no;
    }
  }
}

// "RULE" for all, "NAME=RULE" for one column, several with commas between.
void ImportedTable::assign_rules() {
  constexpr std::string_view kIndicator = "+indicator";
  const auto parse = [&](std::string_view text, const std::string& word) {
    const bool indicator = text.ends_with(kIndicator);
    if (indicator) text.remove_suffix(kIndicator.size());
    const std::optional<MissingRule> rule = missing_rule(text);
    if (!rule) {
      refuse(
          fmt::format("--missing {}: expected refuse, drop, mean, median, most_frequent or zero, or one of them for a "
                      "column, NAME=RULE; a fill may have {} behind it",
                      shown(word), kIndicator));
    }
    if (indicator && !is_fill(*rule)) refuse(fmt::format("--missing {}: {} is for fills", shown(word), kIndicator));
    return std::pair(*rule, indicator);
  };
  const auto is_value_of_several = [&](const RecipeColumn& recipe) {
    return recipe.use == ColumnUse::value && values_ > 1;
  };
  values_ = static_cast<std::size_t>(
      std::ranges::count_if(columns_, [](const CsvColumn& column) { return column.recipe.use == ColumnUse::value; }));
  for (CsvColumn& column : columns_) column.may_miss = is_value_of_several(column.recipe);
  std::vector<bool> named(columns_.size());
  for (const std::string& words : options_.missing) {
    std::string_view rest = words;
    while (true) {
      const std::size_t comma = rest.find(',');
      const std::string_view word = rest.substr(0, comma);
      if (const std::size_t equals = word.rfind('='); equals != std::string_view::npos) {
        const auto [rule, indicator] = parse(word.substr(equals + 1), words);
        const std::optional<std::size_t> place = find_column(word.substr(0, equals));
        if (!place) (void)find_columns({std::string(word.substr(0, equals))}, "--missing");  // says what there is
        CsvColumn& column = columns_[place.value()];
        if (is_fill(rule) && column.open != CsvColumn::Open::feature && !is_feature(column.recipe.use)) {
          refuse(
              fmt::format("--missing {}: targets, weights and columns that are left out are not filled; expected "
                          "refuse or drop",
                          shown(word)));
        }
        named[*place] = true;
        column.ruled = true;
        column.may_miss = false;
        column.recipe.missing = rule;
        column.recipe.indicator = indicator;
      } else {
        const auto [rule, indicator] = parse(word, words);
        for (std::size_t i = 0; i < columns_.size(); ++i) {
          CsvColumn& column = columns_[i];
          if (named[i]) continue;
          const bool feature = column.open == CsvColumn::Open::feature || is_feature(column.recipe.use);
          if (is_fill(rule) && !feature) continue;
          column.ruled = true;
          column.may_miss = false;
          column.recipe.missing = rule;
          column.recipe.indicator = indicator;
        }
      }
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
}

// Every column knows what it is.
void ImportedTable::start_rows() {
  values_ = 0;
  std::vector<RecipeColumn> recipes;
  for (CsvColumn& column : columns_) {
    RecipeColumn& recipe = column.recipe;
    if (recipe.use == ColumnUse::category) {
      column.categories = std::make_unique<Categories>(kMostCategories);
      // Texts have no middle.
      if (recipe.missing == MissingRule::mean || recipe.missing == MissingRule::median) {
        recipe.missing = MissingRule::most_frequent;
      }
    }
    if (recipe.use == ColumnUse::label) column.categories = std::make_unique<Categories>(kMostClasses);
    if (recipe.use == ColumnUse::value) ++values_;
    recipes.push_back(recipe);
  }
  slots_ = RowSlots(recipes);
  row_.resize(slots_.bytes());
  started_ = true;
}

}  // namespace lockstep
