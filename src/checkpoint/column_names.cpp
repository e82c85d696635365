#include "checkpoint/column_names.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr const char* kFeatures = "/names/features";
constexpr const char* kTargets = "/names/targets";
constexpr const char* kCategorical = "/names/categorical";
constexpr const char* kRecipe = "/recipe";
constexpr std::size_t kMostRecipe = std::size_t{1} << 28U;  // bytes

void expect_count(const std::string& what, std::size_t found, std::int64_t wanted) {
  if (found == static_cast<std::uint64_t>(wanted)) return;
  throw Error(ErrorKind::data, fmt::format("{} has {} names, for {} columns", what, found, wanted));
}

}  // namespace

std::vector<std::string> list_of_texts(const std::string& json, const std::string& what) {
  const auto fail = [&] { throw Error(ErrorKind::data, what + " is no list of texts"); };
  const auto shallow = [&](int depth, nlohmann::json::parse_event_t /*event*/, nlohmann::json& /*value*/) {
    if (depth > 1) fail();
    return true;
  };
  const nlohmann::json list = nlohmann::json::parse(json, shallow, false);
  if (!list.is_array()) fail();
  std::vector<std::string> texts;
  for (const auto& entry : list) {
    if (!entry.is_string()) fail();
    texts.push_back(entry.get<std::string>());
  }
  return texts;
}

void write_column_names(h5::File& file, const ColumnNames& names) {
  if (names.empty()) return;
  file.make_group("/names");
  const auto write = [&](const char* path, const std::vector<std::string>& texts) {
    constexpr auto replace = nlohmann::json::error_handler_t::replace;  // of what is no UTF-8, which JSON refuses
    if (!texts.empty()) file.write_text(path, nlohmann::json(texts).dump(-1, ' ', false, replace));
  };
  write(kFeatures, names.features);
  write(kTargets, names.targets);
  write(kCategorical, names.categorical);
  if (!names.recipe.empty()) file.write_text(kRecipe, names.recipe);
}

ColumnNames read_column_names(const std::string& file, std::int64_t inputs, std::int64_t outputs,
                              FunctionRef<std::optional<std::string>(const std::string& path)> text_at) {
  const auto read = [&](const char* path) {
    const std::optional<std::string> text = text_at(path);
    if (!text) return std::vector<std::string>{};
    std::vector<std::string> texts = list_of_texts(*text, file + ": " + path);
    if (texts.empty()) throw Error(ErrorKind::data, fmt::format("{}: {} is no list of texts, it is empty", file, path));
    return texts;
  };
  ColumnNames names{.features = read(kFeatures),
                    .targets = read(kTargets),
                    .categorical = read(kCategorical),
                    .recipe = text_at(kRecipe).value_or("")};
  if (names.recipe.size() > kMostRecipe)
    throw Error(ErrorKind::data, fmt::format("{}: {} is too large", file, kRecipe));
  if (!names.features.empty()) expect_count(file + ": " + kFeatures, names.features.size(), inputs);
  // Labels are one column, whatever the outputs, and some losses take several outputs for each target.
  const auto targets = static_cast<std::int64_t>(names.targets.size());
  if (targets > 1 && outputs % targets != 0) expect_count(file + ": " + kTargets, names.targets.size(), outputs);
  const std::size_t categorical = names.categorical.size();
  constexpr std::size_t kMostPairs = 1'000'000'000;  // of features and categorical columns, which are all compared
  if (categorical > names.features.size() || categorical * names.features.size() > kMostPairs) {
    throw Error(ErrorKind::data, fmt::format("{}: {} has {} names, for {} features", file, kCategorical, categorical,
                                             names.features.size()));
  }
  std::vector<bool> has_category(categorical + 1, false);
  for (const std::string& feature : names.features) has_category[names.column_of(feature)] = true;
  for (std::size_t i = 0; i < categorical; ++i) {
    if (has_category[i]) continue;
    throw Error(ErrorKind::data, fmt::format("{}: {} names '{}', of which {} has no category", file, kCategorical,
                                             names.categorical[i], kFeatures));
  }
  return names;
}

}  // namespace lockstep
