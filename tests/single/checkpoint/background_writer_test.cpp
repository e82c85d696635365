// Checkpoints written by a thread: whole, told of, pruned, and a failure that leaves the older ones.
#include "checkpoint/background_writer.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "checkpoint/retention.hpp"
#include "single/checkpoint/sample_checkpoint.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

class BackgroundWriterTest : public testing::Test {
 protected:
  CheckpointOutcome write(BackgroundWriter& writer, std::uint64_t step, std::optional<std::uint64_t> best = {}) {
    writer.start({folder(), step, 2, best}, image(step));
    auto outcome = writer.wait([] {});
    EXPECT_TRUE(outcome.has_value());
    return outcome.value_or(CheckpointOutcome{});
  }
  static h5::FileImage image(std::uint64_t step) {
    const SampleState state;
    return build_checkpoint("test", sample_info_at(step), state.arrays());
  }
  [[nodiscard]] std::string folder() const { return (folder_.path() / "checkpoints").string(); }
  [[nodiscard]] std::vector<std::uint64_t> steps() const {
    std::vector<std::uint64_t> found;
    for (const CheckpointFile& file : list_checkpoints(folder())) found.push_back(file.step);
    return found;
  }
  TemporaryFolder folder_;
};

TEST_F(BackgroundWriterTest, WritesWhatIsReadBackAndPrunes) {
  BackgroundWriter writer;
  EXPECT_FALSE(writer.take_outcome().has_value());
  EXPECT_FALSE(writer.wait([] {}).has_value());
  for (const std::uint64_t step : {1U, 2U, 3U, 4U}) {
    const CheckpointOutcome outcome = write(writer, step, 1);
    EXPECT_EQ(outcome.error, "");
    EXPECT_EQ(outcome.complaint, "");
    EXPECT_EQ(outcome.path, checkpoint_path(folder(), step));
    EXPECT_GT(outcome.seconds, 0);
    EXPECT_EQ(read_checkpoint(outcome.path).info.position.step, step);
  }
  EXPECT_EQ(steps(), (std::vector<std::uint64_t>{4, 3, 1}));  // two, and the best
}

TEST_F(BackgroundWriterTest, TellsWhoAsksAgainAndAgain) {
  BackgroundWriter writer;
  for (const std::uint64_t step : {1U, 2U}) {
    writer.start({folder(), step, 2, {}}, image(step));
    std::optional<CheckpointOutcome> outcome;
    while (!(outcome = writer.take_outcome())) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(outcome->step, step);
    EXPECT_EQ(outcome->error, "");
    EXPECT_FALSE(writer.take_outcome().has_value());
  }
}

TEST_F(BackgroundWriterTest, AFailureIsToldAndTheNextOneTriesAgain) {
  BackgroundWriter writer;
  EXPECT_EQ(write(writer, 1).error, "");
  EXPECT_EQ(write(writer, 2).error, "");
  std::filesystem::create_directory(checkpoint_path(folder(), 3));  // a folder in its place cannot be replaced
  std::ofstream(checkpoint_path(folder(), 3) + "/file") << "x";
  const CheckpointOutcome outcome = write(writer, 3);
  EXPECT_NE(outcome.error.find("step-00000003.h5"), std::string::npos) << outcome.error;
  EXPECT_NO_THROW((void)read_checkpoint(checkpoint_path(folder(), 1)));
  std::filesystem::remove_all(checkpoint_path(folder(), 3));
  EXPECT_EQ(write(writer, 4).error, "");
  EXPECT_EQ(steps(), (std::vector<std::uint64_t>{4, 2}));
}

TEST_F(BackgroundWriterTest, AFolderThatWasRemovedComesBack) {
  BackgroundWriter writer;
  EXPECT_EQ(write(writer, 1).error, "");
  std::filesystem::remove_all(folder());
  EXPECT_EQ(write(writer, 2).error, "");
  EXPECT_EQ(steps(), std::vector<std::uint64_t>{2});
}

TEST_F(BackgroundWriterTest, EndsOnlyWhenTheLastFileIsThere) {
  { BackgroundWriter().start({folder(), 9, 1, {}}, image(9)); }
  EXPECT_EQ(read_checkpoint(checkpoint_path(folder(), 9)).info.position.step, 9U);
}

TEST_F(BackgroundWriterTest, OneAtATime) {
  BackgroundWriter writer;
  writer.start({folder(), 1, 1, {}}, image(1));
  expect_error(ErrorKind::internal, {"another"}, [&] { writer.start({folder(), 2, 1, {}}, image(2)); });
  EXPECT_EQ(writer.wait([] {})->step, 1U);
}

}  // namespace
}  // namespace lockstep
