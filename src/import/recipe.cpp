#include "import/recipe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "import/date_text.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kVersion = 1;

constexpr std::array<std::string_view, 7> kUses = {"dropped", "number", "category", "date", "value", "class", "weight"};
constexpr std::array<std::string_view, 6> kRules = {"refuse", "drop", "mean", "median", "most_frequent", "zero"};

template <class Enum, std::size_t n>
std::optional<Enum> find_name(const std::array<std::string_view, n>& names, std::string_view name) noexcept {
  const auto* const found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? std::nullopt : std::optional(static_cast<Enum>(found - names.begin()));
}

/// Takes a JSON text apart that may say anything.
class RecipeReader {
 public:
  explicit RecipeReader(const std::string& source) : source_(source) {}

  Recipe read(const std::string& text) const {
    const auto shallow = [&](int depth, nlohmann::json::parse_event_t /*event*/, nlohmann::json& /*value*/) {
      if (depth > 4) fail("is nested too deeply");
      return true;
    };
    const nlohmann::json json = nlohmann::json::parse(text, shallow, false);
    if (!json.is_object()) fail("is no JSON object");
    const nlohmann::json& version = member(json, "version");
    if (!version.is_number_integer() || version != kVersion) fail("is of another version than 1");
    Recipe recipe{.delimiter = character(json, "delimiter"),
                  .decimal = character(json, "decimal"),
                  .header = boolean(json, "header")};
    if (recipe.decimal != '.' && recipe.decimal != ',') fail("'decimal' is neither . nor ,");
    if (recipe.delimiter == recipe.decimal || std::string_view("\"\n\r").find(recipe.delimiter) != std::string::npos) {
      fail("'delimiter' cannot stand between fields");
    }
    const nlohmann::json& columns = member(json, "columns");
    if (!columns.is_array() || columns.empty() || columns.size() > kMostColumns)
      fail("'columns' is no list of columns");
    for (const nlohmann::json& column : columns) recipe.columns.push_back(read_column(column));
    check(recipe);
    return recipe;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::data, fmt::format("{}: the recipe of its table {}", source_, what));
  }

  const nlohmann::json& member(const nlohmann::json& json, const char* name) const {
    const auto found = json.find(name);
    if (found == json.end()) fail(fmt::format("has no '{}'", name));
    return *found;
  }
  std::string text(const nlohmann::json& json, const char* name) const {
    const nlohmann::json& value = member(json, name);
    if (!value.is_string()) fail(fmt::format("has a '{}' that is no text", name));
    return value.get<std::string>();
  }
  bool boolean(const nlohmann::json& json, const char* name) const {
    const nlohmann::json& value = member(json, name);
    if (!value.is_boolean()) fail(fmt::format("has a '{}' that is not true or false", name));
    return value.get<bool>();
  }
  char character(const nlohmann::json& json, const char* name) const {
    const std::string value = text(json, name);
    if (value.size() != 1 || value.front() == '\0') fail(fmt::format("has a '{}' that is not one character", name));
    return value.front();
  }

  RecipeColumn read_column(const nlohmann::json& json) const {
    if (!json.is_object()) fail("has a column that is no JSON object");
    RecipeColumn column{.name = text(json, "name")};
    const auto use = find_name<ColumnUse>(kUses, text(json, "use"));
    if (!use) fail("has a column of unknown use");
    column.use = *use;
    const auto rule = missing_rule(text(json, "missing"));
    if (!rule) fail("has a column whose missing fields are handled in an unknown way");
    column.missing = *rule;
    if (json.contains("gaps")) column.gaps = boolean(json, "gaps");
    if (column.use == ColumnUse::category || column.use == ColumnUse::label) read_texts(json, column);
    if (column.use == ColumnUse::date) {
      column.date_format = text(json, "format");
      column.time_of_day = boolean(json, "time_of_day");
    }
    if (!is_fill(column.missing)) return column;
    if (!is_feature(column.use)) fail("fills a column that is no feature");
    column.indicator = boolean(json, "indicator");
    const nlohmann::json& fill = member(json, "fill");
    if (column.use == ColumnUse::category) {
      if (fill.is_null()) return column;
      const auto place =
          fill.is_string() ? std::ranges::find(column.texts, fill.get<std::string>()) : column.texts.end();
      if (place == column.texts.end()) fail("fills a column of texts with one that it does not have");
      column.fill_category = static_cast<std::uint32_t>(place - column.texts.begin());
    } else {
      if (!fill.is_number()) fail("fills a column of numbers with none");
      column.fill = fill.get<double>();
      const bool date = column.use == ColumnUse::date;
      const double most = date ? kMostDays : double{std::numeric_limits<float>::max()};
      if (!(std::abs(column.fill) <= most))
        fail(date ? "fills a date with none" : "fills a column with no finite number");
    }
    return column;
  }

  void read_texts(const nlohmann::json& json, RecipeColumn& column) const {
    const nlohmann::json& texts = member(json, "texts");
    const std::size_t most = column.use == ColumnUse::category ? kMostCategories : kMostClasses;
    if (!texts.is_array() || texts.empty() || texts.size() > most) fail("has a column without its list of texts");
    for (const nlohmann::json& entry : texts) {
      if (!entry.is_string()) fail("has a list of texts with something else in it");
      column.texts.push_back(entry.get<std::string>());
    }
    const std::unordered_set<std::string> different(column.texts.begin(), column.texts.end());
    if (different.size() != column.texts.size()) fail("has a list of texts with one twice");
  }

  void check(const Recipe& recipe) const {
    std::unordered_set<std::string> names;
    std::size_t features = 0;
    std::size_t labels = 0;
    std::size_t values = 0;
    std::size_t weights = 0;
    for (const RecipeColumn& column : recipe.columns) {
      if (!names.insert(column.name).second) fail("has a column twice");
      features += width_of(column);
      labels += column.use == ColumnUse::label ? 1U : 0U;
      values += column.use == ColumnUse::value ? 1U : 0U;
      weights += column.use == ColumnUse::weight ? 1U : 0U;
    }
    if (features == 0 || features > kMostFeatures) fail("makes no features, or too many");
    if (labels + values == 0 || labels > 1 || (labels == 1 && values != 0)) fail("has no targets, or unlike ones");
    if (weights > 1) fail("has several weights");
    const std::vector<std::string> made = recipe.features();
    if (std::unordered_set<std::string>(made.begin(), made.end()).size() != made.size()) fail("makes a feature twice");
  }

  const std::string& source_;
};

}  // namespace

std::string_view use_name(ColumnUse use) noexcept {
  return kUses[static_cast<std::size_t>(use)];
}

std::string_view rule_name(MissingRule rule) noexcept {
  return kRules[static_cast<std::size_t>(rule)];
}

std::optional<MissingRule> missing_rule(std::string_view name) noexcept {
  return find_name<MissingRule>(kRules, name);
}

std::size_t width_of(const RecipeColumn& column) noexcept {
  const std::size_t indicator = column.indicator ? 1 : 0;
  switch (column.use) {
    case ColumnUse::number:
      return 1 + indicator;
    case ColumnUse::category:
      return column.texts.size() + indicator;
    case ColumnUse::date:
      return date_features(column.time_of_day).size() + indicator;
    default:
      return 0;
  }
}

std::vector<std::string> Recipe::features() const {
  std::vector<std::string> names;
  for (const RecipeColumn& column : columns) {
    if (column.use == ColumnUse::number) names.push_back(column.name);
    if (column.use == ColumnUse::category) {
      for (const std::string& text : column.texts) names.push_back(column.name + "=" + text);
    }
    if (column.use == ColumnUse::date) {
      for (const std::string_view part : date_features(column.time_of_day)) {
        names.push_back(column.name + "." + std::string(part));
      }
    }
    if (column.indicator) names.push_back(column.name + ".missing");
  }
  return names;
}

std::vector<std::string> Recipe::targets() const {
  std::vector<std::string> names;
  for (const RecipeColumn& column : columns) {
    if (column.use == ColumnUse::value || column.use == ColumnUse::label) names.push_back(column.name);
  }
  return names;
}

std::vector<std::string> Recipe::categorical() const {
  std::vector<std::string> names;
  for (const RecipeColumn& column : columns) {
    if (column.use == ColumnUse::category) names.push_back(column.name);
  }
  return names;
}

const RecipeColumn* Recipe::label() const noexcept {
  const auto found = std::ranges::find(columns, ColumnUse::label, &RecipeColumn::use);
  return found == columns.end() ? nullptr : &*found;
}

const RecipeColumn* Recipe::weight() const noexcept {
  const auto found = std::ranges::find(columns, ColumnUse::weight, &RecipeColumn::use);
  return found == columns.end() ? nullptr : &*found;
}

std::string to_json(const Recipe& recipe) {
  nlohmann::ordered_json json;
  json["version"] = kVersion;
  json["delimiter"] = std::string(1, recipe.delimiter);
  json["decimal"] = std::string(1, recipe.decimal);
  json["header"] = recipe.header;
  for (const RecipeColumn& column : recipe.columns) {
    nlohmann::ordered_json entry;
    entry["name"] = column.name;
    entry["use"] = use_name(column.use);
    entry["missing"] = rule_name(column.missing);
    if (column.gaps) entry["gaps"] = *column.gaps;
    if (!column.texts.empty()) entry["texts"] = column.texts;
    if (column.use == ColumnUse::date) {
      entry["format"] = column.date_format;
      entry["time_of_day"] = column.time_of_day;
    }
    if (is_fill(column.missing)) {
      entry["indicator"] = column.indicator;
      if (column.use != ColumnUse::category) {
        entry["fill"] = column.fill;
      } else if (column.fill_category) {
        entry["fill"] = column.texts[*column.fill_category];
      } else {
        entry["fill"] = nullptr;
      }
    }
    json["columns"].push_back(std::move(entry));
  }
  return json.dump();
}

Recipe recipe_of_json(const std::string& json, const std::string& source) {
  return RecipeReader(source).read(json);
}

}  // namespace lockstep
