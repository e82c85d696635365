// The files of a run folder: rebuilt from the state of the checkpoint, continued, and in the format of the contract.
#include "journal/run_folder.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/expect_error.hpp"
#include "support/file_size_limit.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

constexpr const char* kStepsHeader = "step,epoch,learning_rate,loss,gradient_norm,samples_per_second\n";

class RunFolderFiles : public testing::Test {
 protected:
  [[nodiscard]] std::string text_of(const std::string& name) const {
    std::ifstream file(place_ + "/" + name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void put(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(place_);
    std::ofstream(place_ + "/" + name) << text;
  }
  static CheckpointInfo at_step(std::uint64_t step) {
    CheckpointInfo info;
    info.position.step = step;
    info.history.columns = {"epoch", "train_loss", "test_r2"};
    return info;
  }
  TemporaryFolder folder_;
  std::string place_ = (folder_.path() / "runs" / "digits").string();
};

TEST_F(RunFolderFiles, AFreshRunHasHeadersAndItsRunFile) {
  RunFolder folder(place_);
  folder.open("name = \"digits\"\n", at_step(0));
  EXPECT_EQ(folder.checkpoints(), place_ + "/checkpoints");
  EXPECT_TRUE(std::filesystem::is_directory(folder.checkpoints()));
  EXPECT_EQ(text_of("run.toml"), "name = \"digits\"\n");
  EXPECT_EQ(text_of("metrics.csv"), "epoch,train_loss,test_r2\n");
  EXPECT_EQ(text_of("steps.csv"), kStepsHeader);
}

TEST_F(RunFolderFiles, MetricsAreRebuiltFromTheHistoryAndContinued) {
  put("metrics.csv", "something,else\n1,2\n3,4\n5,6\n");
  CheckpointInfo info = at_step(20);
  info.history.rows = {1, 0.1, std::numeric_limits<double>::quiet_NaN(), 2, 1e-5, -0.25};
  RunFolder folder(place_);
  folder.open("", info);
  EXPECT_EQ(text_of("metrics.csv"), "epoch,train_loss,test_r2\n1,0.1,\n2,1e-05,-0.25\n");
  info.history.rows.insert(info.history.rows.end(), {3, 0.5, 1});
  folder.add_epoch(info.history);
  EXPECT_EQ(text_of("metrics.csv"), "epoch,train_loss,test_r2\n1,0.1,\n2,1e-05,-0.25\n3,0.5,1\n");
}

TEST_F(RunFolderFiles, StepsAreWrittenAtOnceWithTheNormWhereThereIsOne) {
  RunFolder folder(place_);
  folder.open("", at_step(0));
  folder.add_step({.step = 1, .samples = 32, .loss = 0.5, .learning_rate = 1e-3}, 1, 1234.56);
  folder.add_step({.step = 2, .samples = 32, .loss = 0.25, .learning_rate = 0.1, .gradient_norm = 3}, 2, 10);
  EXPECT_EQ(text_of("steps.csv"), std::string(kStepsHeader) + "1,1,0.001,0.5,,1234.6\n2,2,0.1,0.25,3,10.0\n");
}

TEST_F(RunFolderFiles, TimesAreWrittenWithTheHostThatIsSlow) {
  RunFolder folder(place_);
  folder.open("", at_step(0));
  TimesRow row{.step = 4, .steps = 2};
  row.phases[1] = {0.5, 0.75, 1};
  folder.add_times(row);
  row.step = 6;
  row.slowest_host = "node7";
  row.behind = 0.25;
  folder.add_times(row);
  const std::string text = text_of("times.csv");
  EXPECT_TRUE(text.starts_with("step,steps,input_min,input_median,input_max,gather_min,")) << text;
  EXPECT_NE(text.find("\n4,2,0.0000000,0.0000000,0.0000000,0.5000000,0.7500000,1.0000000,"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with(",node7,0.250\n")) << text;
  RunFolder resumed(place_);
  resumed.open("", at_step(5));
  EXPECT_EQ(std::ranges::count(text_of("times.csv"), '\n'), 2);  // the header and step 4
}

TEST_F(RunFolderFiles, AResumedRunKeepsTheStepsThatAreDone) {
  put("steps.csv", std::string(kStepsHeader) + "5,1,0.1,1,,9.0\n10,1,0.1,1,,9.0\n15,2,0.1,1,,9.0\n");
  RunFolder folder(place_);
  folder.open("", at_step(10));
  EXPECT_EQ(text_of("steps.csv"), std::string(kStepsHeader) + "5,1,0.1,1,,9.0\n10,1,0.1,1,,9.0\n");
  folder.add_step({.step = 11, .loss = 2, .learning_rate = 1}, 2, 1);
  EXPECT_TRUE(text_of("steps.csv").ends_with("10,1,0.1,1,,9.0\n11,2,1,2,,1.0\n"));
}

TEST_F(RunFolderFiles, AResumedRunDropsTornAndForeignRows) {
  put("steps.csv", std::string(kStepsHeader) + "5,1,0.1,1,,9.0\nnonsense\n\n7,1,0.1\n8,1,0.1,1,,9");
  RunFolder folder(place_);
  folder.open("", at_step(10));
  EXPECT_EQ(text_of("steps.csv"), std::string(kStepsHeader) + "5,1,0.1,1,,9.0\n");
}

TEST_F(RunFolderFiles, AResumedRunWithoutStepsFileStartsOne) {
  RunFolder folder(place_);
  folder.open("", at_step(10));
  EXPECT_EQ(text_of("steps.csv"), kStepsHeader);
}

TEST_F(RunFolderFiles, AFreshRunDropsRowsAndSummaryOfAnOlderOne) {
  put("steps.csv", std::string(kStepsHeader) + "0,1,0.1,1,,9.0\n5,1,0.1,1,,9.0\n");
  put("summary.json", "{}");
  RunFolder folder(place_);
  folder.open("", at_step(0));
  EXPECT_EQ(text_of("steps.csv"), kStepsHeader);
  EXPECT_FALSE(std::filesystem::exists(place_ + "/summary.json"));
}

class RunFolderEvents : public RunFolderFiles {
 protected:
  // Of the files, in the order of their names.
  [[nodiscard]] std::vector<std::string> events() const {
    std::vector<std::string> names;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(place_ + "/tensorboard", none))
      names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }
  [[nodiscard]] std::string text_of_event_file(std::size_t index) const {
    return text_of("tensorboard/" + events().at(index));
  }
};

// What is in them is checked by another program: parallel/records_test.py.
TEST_F(RunFolderEvents, EveryStartHasAFileThatComesBehindTheOthers) {
  for (const std::uint64_t step : {0, 10, 20}) {
    RunFolder folder(place_);
    folder.open("", at_step(step), true);
    folder.add_step({.step = step + 1, .loss = static_cast<double>(step)}, 1, 1);
  }
  ASSERT_EQ(events().size(), 3U);  // within a second
  EXPECT_NE(text_of_event_file(0).find("brain.Event:2"), std::string::npos);
  EXPECT_NE(text_of_event_file(0).find("train/loss"), std::string::npos);
  EXPECT_EQ(text_of_event_file(0).size(), text_of_event_file(2).size());
  RunFolder afresh(place_);
  afresh.open("", at_step(0), true);
  EXPECT_EQ(events().size(), 1U);
  EXPECT_EQ(text_of_event_file(0).find("train/loss"), std::string::npos);
}

TEST_F(RunFolderEvents, AStartWithoutEventsStillTakesBackThoseOfAnEarlierOne) {
  RunFolder with(place_);
  with.open("", at_step(0), true);
  RunFolder without(place_);
  without.open("", at_step(0));
  EXPECT_TRUE(events().empty());
  with.open("", at_step(0), true);
  const std::size_t start = text_of_event_file(0).size();
  without.open("", at_step(10));
  without.add_step({.step = 11}, 1, 1);
  ASSERT_EQ(events().size(), 2U);
  EXPECT_EQ(text_of_event_file(1).size(), start);
}

TEST_F(RunFolderEvents, WhatCannotBeWrittenIsToldOnceAndWrittenLater) {
  RunFolder folder(place_);
  folder.open("", at_step(0), true);
  folder.add_step({.step = 1}, 1, 1);
  const std::size_t size = text_of_event_file(0).size();
  {
    const FileSizeLimit limit(size);  // the tables are shorter
    EXPECT_NE(folder.add_step({.step = 2}, 1, 1).find("tensorboard/events"), std::string::npos);
    EXPECT_EQ(folder.add_step({.step = 3}, 1, 1), "");
    ASSERT_EQ(folder.last_rows().size(), 1U);
    EXPECT_EQ(text_of_event_file(0).size(), size);
  }
  EXPECT_TRUE(folder.last_rows().empty());
  EXPECT_GT(text_of_event_file(0).size(), size);
}

TEST_F(RunFolderFiles, AFolderThatCannotBeMadeIsAnError) {
  put("file", "x");
  RunFolder folder(place_ + "/file/run");
  expect_error(ErrorKind::io, {"cannot make the folder", "/file"}, [&] { folder.open("", at_step(0)); });
}

FitSummary sample_summary() {
  FitSummary s;
  s.steps = 120;
  s.epochs = 3;
  s.seconds = 1.5;
  s.samples_per_second = 1000.25;
  s.ranks = 4;
  s.nodes = 2;
  s.shards = 8;
  s.parameters = 4810;
  s.exchange = "tree";
  s.digest = "0123abcd";
  s.scores.train_loss = 0.125;
  s.scores.test = Scores{};
  s.scores.test->samples = 360;
  s.scores.test->loss = 0.25;
  s.scores.test->accuracy = 0.75;
  s.best = Best{"test.accuracy", 0.75, 80, 2};
  s.checkpoint = "runs/digits/checkpoints/step-00000120.h5";
  return s;
}

TEST_F(RunFolderFiles, TheSummaryHasTheKeysOfTheContract) {
  RunFolder folder(place_);
  folder.open("", at_step(0));
  folder.write_summary(sample_summary());
  const auto json = nlohmann::json::parse(text_of("summary.json"));
  EXPECT_EQ(json.at("steps"), 120);
  EXPECT_EQ(json.at("epochs"), 3);
  EXPECT_EQ(json.at("seconds"), 1.5);
  EXPECT_EQ(json.at("samples_per_second"), 1000.25);
  EXPECT_EQ(json.at("ranks"), 4);
  EXPECT_EQ(json.at("nodes"), 2);
  EXPECT_EQ(json.at("shards"), 8);
  EXPECT_EQ(json.at("parameters"), 4810);
  EXPECT_EQ(json.at("digest"), "0123abcd");
  EXPECT_EQ(json.at("train").at("loss"), 0.125);
  EXPECT_EQ(json.at("test").at("loss"), 0.25);
  EXPECT_EQ(json.at("test").at("accuracy"), 0.75);
  EXPECT_FALSE(json.at("test").contains("r2"));
  EXPECT_EQ(json.at("best"),
            (nlohmann::json{{"monitor", "test.accuracy"}, {"value", 0.75}, {"epoch", 2}, {"step", 80}}));
  EXPECT_EQ(json.at("checkpoint"), "runs/digits/checkpoints/step-00000120.h5");
}

TEST(Summary, OfARegressionHasItsScoresAndNoTestWithoutData) {
  FitSummary s = sample_summary();
  s.scores.test->accuracy.reset();
  s.scores.test->r2 = 0.5;
  s.scores.test->rmse = 2;
  auto json = nlohmann::json::parse(format_summary(s));
  EXPECT_EQ(json.at("test").at("r2"), 0.5);
  EXPECT_EQ(json.at("test").at("rmse"), 2);
  EXPECT_FALSE(json.at("test").contains("accuracy"));
  s.scores.test.reset();
  s.best.reset();
  json = nlohmann::json::parse(format_summary(s));
  EXPECT_FALSE(json.contains("test"));
  EXPECT_FALSE(json.contains("best"));
}

TEST(Summary, TellsOfValidationAndOfAnEarlyEnd) {
  FitSummary s = sample_summary();
  auto json = nlohmann::json::parse(format_summary(s));
  EXPECT_EQ(json.at("stopped_early"), false);
  EXPECT_FALSE(json.contains("restored"));
  EXPECT_FALSE(json.contains("validation"));
  s.scores.validation = Scores{};
  s.scores.validation->samples = 40;
  s.scores.validation->loss = 0.5;
  s.stopped_early = true;
  s.restored = Restored{80, 2};
  json = nlohmann::json::parse(format_summary(s));
  EXPECT_EQ(json.at("stopped_early"), true);
  EXPECT_EQ(json.at("restored"), (nlohmann::json{{"epoch", 2}, {"step", 80}}));
  EXPECT_EQ(json.at("validation"), (nlohmann::json{{"samples", 40}, {"loss", 0.5}}));
}

TEST(Summary, TakesAFolderNameThatIsNotUtf8) {
  FitSummary s = sample_summary();
  s.checkpoint = "caf\xE9/step-00000001.h5";
  EXPECT_EQ(nlohmann::json::parse(format_summary(s)).at("checkpoint"), "caf\uFFFD/step-00000001.h5");
}

}  // namespace
}  // namespace lockstep
