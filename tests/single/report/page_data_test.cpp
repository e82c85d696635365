// What a page takes of the files: all of what is short, a bounded part of what is long, nothing of what is not right.
#include "report/page_data.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "report/thinning.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

CsvTable table_of(std::vector<std::string> columns, std::vector<std::vector<double>> values) {
  CsvTable table{.columns = std::move(columns), .values = std::move(values)};
  table.rows = table.values[0].size();
  return table;
}

TEST(Thin, KeepsAllOfFewAndTheExtremesOfMany) {
  EXPECT_EQ(thin(std::vector<double>{3, 1, 2}, 4), (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_TRUE(thin({}, 4).empty());
  std::vector<double> values(1'000'000, 1.0);
  values[123'456] = 9;
  values[654'321] = -9;
  const std::vector<std::size_t> kept = thin(values, 2000);
  EXPECT_LE(kept.size(), 2000U);
  EXPECT_TRUE(std::is_sorted(kept.begin(), kept.end()));
  EXPECT_EQ(std::adjacent_find(kept.begin(), kept.end()), kept.end());
  EXPECT_EQ(kept.front(), 0U);
  EXPECT_EQ(kept.back(), 999'999U);
  for (const std::size_t spike : {123'456U, 654'321U}) EXPECT_TRUE(std::ranges::binary_search(kept, spike)) << spike;
}

TEST(Thin, PrefersNumbers) {
  std::vector<double> values(100, kNan);
  for (std::size_t i = 5; i < 100; i += 10) values[i] = 1;
  std::size_t numbers = 0;
  for (const std::size_t i : thin(values, 22)) numbers += std::isnan(values[i]) ? 0 : 1;
  EXPECT_EQ(numbers, 10U);
}

TEST(PageData, CurvesAreThoseOfTheFiles) {
  RunFiles files{.steps =
                     table_of({"step", "epoch", "loss", "gradient_norm"}, {{2, 4}, {1, 1}, {0.5, 0.25}, {kNan, kNan}})};
  files.metrics = table_of({"epoch", "step", "test_loss", "validation_ema_new"}, {{1}, {4}, {0.125}, {7}});
  const Json curves = page_data(files)["curves"];
  EXPECT_EQ(curves["steps"]["loss"], (Json{{"x", {2.0, 4.0}}, {"y", {0.5, 0.25}}, {"rows", 2}}));
  EXPECT_FALSE(curves["steps"].contains("gradient_norm"));  // which nobody has measured
  EXPECT_EQ(curves["epochs"]["validation_ema_new"], (Json{{"x", {4.0}}, {"y", {7.0}}, {"rows", 1}}));
  EXPECT_EQ(curves["epochs"].size(), 2U);
}

TEST(PageData, ALongRunStaysSmall) {
  RunFiles files;
  std::vector<double> steps;
  for (int i = 1; i <= 100'000; ++i) steps.push_back(i);
  files.steps = table_of({"step", "loss"}, {steps, steps});
  files.times = table_of({"step", "steps", "wait_min", "wait_median", "wait_max"}, {steps, steps, steps, steps, steps});
  const Json data = page_data(files);
  EXPECT_LE(data["curves"]["steps"]["loss"]["x"].size(), 2000U);
  EXPECT_EQ(data["curves"]["steps"]["loss"]["rows"], 100'000);
  EXPECT_LE(data["times"]["step"].size(), 2000U);
}

TEST(PageData, TimesOfStretchesAreMeansByStepsWithTheExtremes) {
  RunFiles files;
  files.times = table_of({"step", "steps", "wait_min", "wait_median", "wait_max"},
                         {{1, 4, 5, 6}, {1, 3, 1, 1}, {1, 2, 7, 6}, {4, 8, 7, 9}, {10, 9, 8, 9}});
  const Json times = page_data(files, {.stretches = 2})["times"];
  EXPECT_EQ(times["step"], (Json{4.0, 6.0}));
  EXPECT_EQ(times["rows"], 4);
  EXPECT_EQ(times["phases"]["wait"], (Json{{"min", {1.0, 6.0}}, {"median", {7.0, 8.0}}, {"max", {10.0, 9.0}}}));
}

TEST(PageData, SlowHostsAreCounted) {
  RunFiles files;
  files.times = table_of({"step", "steps", "behind"}, {{1, 2, 3}, {1, 1, 1}, {0.25, kNan, 0.5}});
  files.times.texts = {{0, "node7"}, {2, "node7"}};
  EXPECT_EQ(page_data(files)["slow_hosts"],
            (Json::array({{{"host", "node7"}, {"rows", 2}, {"behind", 0.5}, {"first", 1.0}, {"last", 3.0}}})));
}

TEST(PageData, OfManyRanksTheSlowestOfEachGroup) {
  RunFiles files;
  files.ranks = table_of({"rank", "host", "forward", "backward"}, {{0, 1, 2, 3}, {}, {1, 2, 3, 1}, {1, 1, 1, 9}});
  for (std::size_t rank = 0; rank < 4; ++rank) files.ranks.texts.emplace_back(rank, "node" + std::to_string(rank));
  const Json ranks = page_data(files, {.ranks = 2})["ranks"];
  EXPECT_EQ(ranks["rows"], 4);
  ASSERT_EQ(ranks["shown"].size(), 2U);
  EXPECT_EQ(ranks["shown"][0]["rank"], 1);
  EXPECT_EQ(ranks["shown"][1]["host"], "node3");
}

TEST(PageData, AMatrixHasItsMistakesAndALargeOneThemAlone) {
  RunFiles files;
  files.scores = {{"step", 4}, {"confusion", {{5, 1, 0}, {2, 6, 2}, {0, 0, 7}}}};
  Json scores = page_data(files)["scores"];
  EXPECT_EQ(scores["confusion"], files.scores["confusion"]);
  EXPECT_EQ(scores["mistakes"], (Json{{1, 0, 2.0}, {1, 2, 2.0}, {0, 1, 1.0}}));
  scores = page_data(files, {.classes = 2, .mistakes = 1})["scores"];
  EXPECT_FALSE(scores.contains("confusion"));
  EXPECT_EQ(scores["size"], 3);
  EXPECT_EQ(scores["mistakes"].size(), 1U);
}

TEST(PageData, AForeignMatrixIsLeftOut) {
  for (const char* text : {"[[1, 2], [3]]", "[[1]", "3", "[]", "[[\"x\"]]", "[1, 2]"}) {
    RunFiles files;
    files.scores = {{"step", 4}, {"confusion", Json::parse(text, nullptr, false)}};
    const Json scores = page_data(files)["scores"];
    EXPECT_FALSE(scores.contains("confusion")) << text;
    EXPECT_FALSE(scores.contains("mistakes")) << text;
  }
}

}  // namespace
}  // namespace lockstep
