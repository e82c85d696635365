// Which checkpoint a run goes on from, and what it may change.
#include "train/resume.hpp"

#include <algorithm>
#include <fstream>

#include "checkpoint/retention.hpp"
#include "config/run_file.hpp"
#include "core/blas.hpp"
#include "core/vector_math.hpp"
#include "single/checkpoint/sample_checkpoint.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

class FindNewestGood : public testing::Test {
 protected:
  void write(std::uint64_t step) const {
    const SampleState state;
    CheckpointInfo info = sample_info();
    info.position = {step, 0, 0};
    write_checkpoint(checkpoint_path(folder(), step), build_checkpoint("test", info, state.arrays()));
  }
  [[nodiscard]] std::string folder() const { return folder_.path().string(); }
  TemporaryFolder folder_;
};

TEST_F(FindNewestGood, TakesTheNewest) {
  write(5);
  write(20);
  const FoundCheckpoint found = find_newest_good(folder());
  ASSERT_TRUE(found.checkpoint.has_value());
  EXPECT_EQ(found.checkpoint->info.position.step, 20U);
  EXPECT_EQ(found.path, checkpoint_path(folder(), 20));
  EXPECT_TRUE(found.skipped.empty());
}

TEST_F(FindNewestGood, SkipsDamagedOnesAndSaysWhy) {
  write(5);
  write(20);
  std::filesystem::resize_file(checkpoint_path(folder(), 20), 3000);
  std::ofstream(checkpoint_path(folder(), 30)).flush();
  const FoundCheckpoint found = find_newest_good(folder());
  ASSERT_TRUE(found.checkpoint.has_value());
  EXPECT_EQ(found.checkpoint->info.position.step, 5U);
  ASSERT_EQ(found.skipped.size(), 2U);
  EXPECT_NE(found.skipped[0].find("step-00000030.h5"), std::string::npos) << found.skipped[0];
  EXPECT_NE(found.skipped[0].find("it is empty"), std::string::npos) << found.skipped[0];
  EXPECT_NE(found.skipped[1].find("step-00000020.h5"), std::string::npos) << found.skipped[1];
  EXPECT_NE(found.skipped[1].find("its end is missing"), std::string::npos) << found.skipped[1];
}

TEST_F(FindNewestGood, SkipsAFolderOfThatName) {
  write(5);
  std::filesystem::create_directory(checkpoint_path(folder(), 9));
  const FoundCheckpoint found = find_newest_good(folder());
  EXPECT_EQ(found.path, checkpoint_path(folder(), 5));
  EXPECT_EQ(found.skipped.size(), 1U);
}

TEST_F(FindNewestGood, FindsNoneWhenAllAreDamagedOrThereAreNone) {
  EXPECT_FALSE(find_newest_good(folder()).checkpoint.has_value());
  EXPECT_FALSE(find_newest_good(folder() + "/none").checkpoint.has_value());
  std::ofstream(checkpoint_path(folder(), 3)) << "x";
  const FoundCheckpoint found = find_newest_good(folder());
  EXPECT_FALSE(found.checkpoint.has_value());
  EXPECT_EQ(found.skipped.size(), 1U);
}

constexpr const char* kKept = R"(
name = "digits"
[model]
layers = [{type = "dense", units = 10}]
[train]
batch = 32
shards = 4
[optimizer]
type = "adam"
lr = 0.001
)";

CheckpointInfo kept_info() {
  CheckpointInfo info;
  info.run = format_run(parse_run(kKept, "kept"));
  return info;
}

RunConfig now_with(const std::vector<std::string>& overrides) {
  return parse_run(kKept, "now", overrides);
}

TEST(CheckResumable, TakesTheSameRunWithoutAWord) {
  RunConfig now = now_with({});
  std::vector<std::string> notices;
  check_resumable(kept_info(), now, "runs/digits", notices);
  EXPECT_TRUE(notices.empty());
}

TEST(CheckResumable, TakesShardsAndLearningRateOfTheCheckpointWhenUnset) {
  RunConfig now = now_with({});
  now.train.shards.reset();
  now.optimizer.lr.reset();
  std::vector<std::string> notices;
  check_resumable(kept_info(), now, "runs/digits", notices);
  EXPECT_EQ(now.train.shards, 4);
  EXPECT_EQ(now.optimizer.lr, 0.001);
}

TEST(CheckResumable, NamesEveryKeyThatMustNotChange) {
  RunConfig now = now_with({"train.batch=64", "train.shards=8", "optimizer.eps=1e-6", "train.epochs=9"});
  std::vector<std::string> notices;
  expect_error(ErrorKind::config,
               {"runs/digits", "train.batch: 32 -> 64", "train.shards: 4 -> 8", "optimizer.eps: unset -> 1e-06"},
               [&] { check_resumable(kept_info(), now, "runs/digits", notices); });
}

TEST(CheckResumable, DoesNotTakeTheLearningRateForAnotherOptimizer) {
  RunConfig now = now_with({"optimizer.type=sgd"});
  now.optimizer.lr.reset();
  std::vector<std::string> notices;
  expect_error(ErrorKind::config, {"optimizer.type", "optimizer.lr: 0.001 -> unset"},
               [&] { check_resumable(kept_info(), now, "runs/digits", notices); });
}

TEST(CheckResumable, TellsWhatChanges) {
  RunConfig now = now_with({"train.epochs=9", "train.exchange=allreduce", "train.threads=2", "checkpoint.keep=7"});
  std::vector<std::string> notices;
  check_resumable(kept_info(), now, "runs/digits", notices);
  ASSERT_EQ(notices.size(), 4U);
  const auto has = [&](const char* text) {
    return std::any_of(notices.begin(), notices.end(),
                       [&](const std::string& n) { return n.find(text) != std::string::npos; });
  };
  EXPECT_TRUE(has("train.epochs: 1 -> 9"));
  EXPECT_TRUE(has("train.threads: 1 -> 2 (another thread count gives other bits)"));
  EXPECT_TRUE(has("\"node\" -> \"allreduce\" (\"allreduce\" gives bits that depend on the rank count)"));
  EXPECT_TRUE(has("checkpoint.keep: 3 -> 7"));
}

TEST(MachineDifferences, TellOfAnotherKernelOrSimdTarget) {
  CheckpointInfo kept;
  kept.blas_kernel = blas_kernel();
  kept.simd_target = simd_target();
  EXPECT_TRUE(machine_differences(kept).empty());
  kept.blas_kernel = "Atari";
  ASSERT_EQ(machine_differences(kept).size(), 1U);
  EXPECT_NE(machine_differences(kept)[0].find("BLAS kernel Atari"), std::string::npos);
  kept.simd_target = "none";
  EXPECT_EQ(machine_differences(kept).size(), 2U);
}

}  // namespace
}  // namespace lockstep
