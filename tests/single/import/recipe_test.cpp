// Recipes as text, and what they refuse; dates as numbers.
#include "import/recipe.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>

#include "import/date_text.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

Recipe example() {
  Recipe recipe{.delimiter = ';', .decimal = ',', .header = true};
  recipe.columns = {
      {.name = "id", .use = ColumnUse::dropped},
      {.name = "age", .use = ColumnUse::number, .missing = MissingRule::median, .indicator = true, .fill = 38.25},
      {.name = "color",
       .use = ColumnUse::category,
       .missing = MissingRule::most_frequent,
       .fill_category = 1,
       .texts = {"blue", "dark \"red\""}},
      {.name = "when", .use = ColumnUse::date, .date_format = "%d.%m.%Y", .time_of_day = true},
      {.name = "kind", .use = ColumnUse::label, .missing = MissingRule::drop, .texts = {"cat", "dog"}},
      {.name = "w", .use = ColumnUse::weight}};
  return recipe;
}

TEST(Recipe, ComesBackFromItsText) {
  const Recipe recipe = example();
  EXPECT_EQ(recipe_of_json(to_json(recipe), "here"), recipe);
}

TEST(Recipe, NamesWhatItMakes) {
  const Recipe recipe = example();
  EXPECT_EQ(recipe.features(), (std::vector<std::string>{"age", "age.missing", "color=blue", "color=dark \"red\"",
                                                         "when.days", "when.year_sin", "when.year_cos", "when.week_sin",
                                                         "when.week_cos", "when.day_sin", "when.day_cos"}));
  EXPECT_EQ(recipe.targets(), std::vector<std::string>{"kind"});
  EXPECT_EQ(recipe.categorical(), std::vector<std::string>{"color"});
  ASSERT_NE(recipe.label(), nullptr);
  ASSERT_NE(recipe.weight(), nullptr);
  EXPECT_EQ(recipe.weight()->name, "w");
}

TEST(Recipe, RefusesWhatDoesNotGoTogether) {
  const std::string good = to_json(example());
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  const std::array<std::pair<std::string, const char*>, 12> cases = {{
      {"", "no JSON object"},
      {"[]", "no JSON object"},
      {"[[[[[[[[1]]]]]]]]", "nested"},
      {changed("\"version\":1", "\"version\":2"), "another version"},
      {changed("\"delimiter\":\";\"", "\"delimiter\":\",\""), "cannot stand between fields"},
      {changed("\"name\":\"age\"", "\"name\":\"id\""), "a column twice"},
      {changed("\"use\":\"class\"", "\"use\":\"weight\""), "no targets"},
      {changed("\"use\":\"number\"", "\"use\":\"other\""), "unknown use"},
      {changed("\"fill\":38.25", "\"fill\":\"x\""), "fills a column of numbers with none"},
      {changed("\"fill\":38.25", "\"fill\":1e300"), "no finite number"},
      {changed("[\"cat\",\"dog\"]", "[\"cat\",\"cat\"]"), "one twice"},
      {changed("\"texts\":[\"blue\"", "\"texts\":[\"blue\",\"blue\""), "one twice"},
  }};
  for (const auto& [text, says] : cases) {
    expect_error(ErrorKind::data, {"net.h5", says}, [&, &json = text] { (void)recipe_of_json(json, "net.h5"); });
  }
}

TEST(Dates, AreReadAsIsoSaysOrByAFormat) {
  const auto days = [](const char* text, const char* format = "") { return parse_date(text, format).value_or(-1); };
  EXPECT_EQ(days("1970-01-01"), 0);
  EXPECT_EQ(days("2024/02/29"), 19782);
  EXPECT_EQ(days("1970-01-02T12:00"), 1.5);
  EXPECT_EQ(days("1970-01-02 12:00:00Z"), 1.5);
  EXPECT_EQ(days("1970-01-02T12:00:00.5+12:00"), 1 + 0.5 / 86400);
  EXPECT_EQ(days("1970-01-02T00:00-0130"), 1 + 1.5 / 24);
  EXPECT_EQ(days("31.12.1999", "%d.%m.%Y"), 10956);
  EXPECT_EQ(days("12/31/99 06:00", "%m/%d/%y %H:%M"), 10956.25);
  for (const char* text : {"", "2024", "2024-2-3", "2023-02-29", "2024-13-01", "2024-01-01x", "2024-01-01T", "24-01-01",
                           "2024-01/01", "2024-01-01T25:00", "-024-01-01"}) {
    EXPECT_FALSE(parse_date(text, "").has_value()) << text;
  }
  EXPECT_FALSE(parse_date("31.12.1999 x", "%d.%m.%Y").has_value());
  EXPECT_EQ(date_text(days("2024-02-29")), "2024-02-29");
  EXPECT_EQ(date_text(days("2024-02-29T06:30:15")), "2024-02-29 06:30:15");
}

TEST(Dates, BecomeTurnsOfTheYearTheWeekAndTheDay) {
  std::array<float, 7> x{};
  expand_date(parse_date("2024-07-01T18:00", "").value(), true, x);  // day 182 of 366, a Monday
  EXPECT_EQ(x[0], 19905.75F);
  const auto turn = [](double share) { return 2 * std::numbers::pi * share; };
  EXPECT_FLOAT_EQ(x[1], static_cast<float>(std::sin(turn(182.75 / 366))));
  EXPECT_FLOAT_EQ(x[2], static_cast<float>(std::cos(turn(182.75 / 366))));
  EXPECT_FLOAT_EQ(x[3], static_cast<float>(std::sin(turn(0.75 / 7))));
  EXPECT_FLOAT_EQ(x[4], static_cast<float>(std::cos(turn(0.75 / 7))));
  EXPECT_FLOAT_EQ(x[5], -1.0F);
  EXPECT_NEAR(x[6], 0, 1e-7);
  expand_date(-0.25, true, x);  // 1969-12-31 18:00, a Wednesday
  EXPECT_FLOAT_EQ(x[1], static_cast<float>(std::sin(turn(364.75 / 365))));
  EXPECT_FLOAT_EQ(x[3], static_cast<float>(std::sin(turn(2.75 / 7))));
}

}  // namespace
}  // namespace lockstep
