// Which checkpoint a run goes on from, and what it may change.
#include "run/resume.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "checkpoint/retention.hpp"
#include "compute/probe.hpp"
#include "config/run_file.hpp"
#include "core/vector_math.hpp"
#include "model/model.hpp"
#include "single/checkpoint/sample_checkpoint.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

// A run of one layer over 5 inputs, and its checkpoints.
class FindNewestGood : public testing::Test {
 protected:
  static constexpr const char* kRun = "[model]\nlayers = [{type = \"dense\", units = 2}]\n[train]\nshards = 8\n";

  // `info` of `run`, with its net.
  void put(std::uint64_t step, CheckpointInfo info, const std::string& run) const {
    const RunConfig config = parse_run(run, "run.toml");
    const Model model(config.model, 5);
    const std::vector<float> weights(model.parameters().arena_size(), 0.5F);
    info.run = run;
    info.seed = config.seed;
    info.outputs = static_cast<std::int64_t>(model.outputs());
    info.columns = {};  // the sample's names are those of its own outputs
    info.blas_threads = 1;
    write_checkpoint(checkpoint_path(folder(), step),
                     build_checkpoint("test", info, {model.parameters(), weights, {}, {}}));
  }
  void write(std::uint64_t step, const std::string& run = kRun, std::uint64_t held = 0) const {
    put(step, sample_info_at(held != 0 ? held : step), run);
  }
  [[nodiscard]] FoundCheckpoint find(const std::string& run = kRun) const {
    return find_newest_good(folder(), parse_run(run, "run.toml"));
  }
  [[nodiscard]] std::string folder() const { return folder_.path().string(); }
  TemporaryFolder folder_;
};

TEST_F(FindNewestGood, SkipsThoseOfAnotherRun) {
  write(5);
  write(20, "[model]\nlayers = [{type = \"dense\", units = 7}]\n[train]\nshards = 8\n");
  write(30, "[model]\nlayers = [{type = \"dense\", units = 2}]\n[train]\nshards = 8\nbatch = 7\n");
  const FoundCheckpoint found = find();
  EXPECT_EQ(found.path, checkpoint_path(folder(), 5));
  ASSERT_EQ(found.skipped.size(), 2U);
  EXPECT_NE(found.skipped[0].find("train.batch: 7 -> 32"), std::string::npos) << found.skipped[0];
  EXPECT_NE(found.skipped[1].find("model.layers"), std::string::npos) << found.skipped[1];
}

TEST_F(FindNewestGood, SkipsOneWhoseArraysAreNotThoseOfItsRun) {
  write(5);
  const SampleState other;
  CheckpointInfo info = sample_info_at(20);
  info.run = kRun;
  info.seed = 1;
  info.blas_threads = 1;
  write_checkpoint(checkpoint_path(folder(), 20), build_checkpoint("test", info, other.arrays()));
  const FoundCheckpoint found = find();
  EXPECT_EQ(found.path, checkpoint_path(folder(), 5));
  ASSERT_EQ(found.skipped.size(), 1U);
  EXPECT_NE(found.skipped[0].find("another model"), std::string::npos) << found.skipped[0];
}

// A run ends with the state of its best checkpoint; once it is to be longer it goes on from what was before.
TEST_F(FindNewestGood, TakesAnEndWithTheBestOnlyForARunThatIsFinished) {
  const auto stops_after = [](int patience) {
    return kRun + fmt::format("epochs = 9\nearly_stop = {}\n[data]\ntest = \"t.h5\"\n", patience);
  };
  const auto end = [&](std::uint64_t step, std::optional<Restored> restored) {
    CheckpointInfo info = sample_info_at(step);
    info.position.epoch = 2;
    info.history = {{"epoch", "step", "test_loss"}, {1, 5, 0.5, 2, 10, 0.75}};
    if (restored) info.history.rows = {1, 10, 0.5, 2, 20, 0.75};
    info.restored = restored;
    put(step, info, stops_after(1));
  };
  end(20, Restored{10, 1});
  EXPECT_EQ(find(stops_after(1)).path, checkpoint_path(folder(), 20));
  expect_error(ErrorKind::config,
               {"step-00000020.h5", "holds the weights of step 10", "goes on from a checkpoint before"},
               [&] { (void)find(stops_after(2)); });
  end(10, {});
  const FoundCheckpoint found = find(stops_after(2));
  EXPECT_EQ(found.path, checkpoint_path(folder(), 10));
  ASSERT_EQ(found.skipped.size(), 1U);
  EXPECT_EQ(find(stops_after(1)).path, checkpoint_path(folder(), 20));
}

TEST_F(FindNewestGood, SkipsOneUnderTheNameOfAnotherStep) {
  write(5);
  write(20, kRun, 5);
  const FoundCheckpoint found = find();
  EXPECT_EQ(found.path, checkpoint_path(folder(), 5));
  ASSERT_EQ(found.skipped.size(), 1U);
  EXPECT_NE(found.skipped[0].find("holds step 5"), std::string::npos) << found.skipped[0];
}

TEST_F(FindNewestGood, WhereAllAreOfAnotherRunTheRunIsToBlame) {
  write(5);
  write(20);
  expect_error(ErrorKind::config, {"step-00000020.h5", "seed: 1 -> 2"},
               [this] { (void)find(std::string("seed = 2\n") + kRun); });
}

TEST_F(FindNewestGood, TakesTheNewest) {
  write(5);
  write(20);
  const FoundCheckpoint found = find();
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
  const FoundCheckpoint found = find();
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
  const FoundCheckpoint found = find();
  EXPECT_EQ(found.path, checkpoint_path(folder(), 5));
  EXPECT_EQ(found.skipped.size(), 1U);
}

TEST_F(FindNewestGood, FindsNoneWhenAllAreDamagedOrThereAreNone) {
  EXPECT_FALSE(find().checkpoint.has_value());
  EXPECT_FALSE(find_newest_good(folder() + "/none", parse_run(kRun, "run.toml")).checkpoint.has_value());
  std::ofstream(checkpoint_path(folder(), 3)) << "x";
  const FoundCheckpoint found = find();
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

TEST(CheckResumable, KeepsWhatTheRunHasStartedWith) {
  RunConfig kept = parse_run(kKept, "kept");
  kept.model.initial = "/net/runs/old/checkpoints/step-00000042.h5";
  CheckpointInfo info;
  info.run = format_run(kept);
  for (const auto& [name, notices_expected] : {std::pair{"/net/runs/old", 0U},
                                               {"step-00000042.h5", 0U},
                                               {"/net/runs/old/checkpoints/step-00000042.h5", 0U},
                                               {"/net/runs/new", 1U}}) {
    RunConfig now = now_with({});
    now.model.initial = name;
    std::vector<std::string> notices;
    check_resumable(info, now, "runs/digits", notices);
    EXPECT_EQ(now.model.initial, kept.model.initial);
    ASSERT_EQ(notices.size(), notices_expected) << name;
    if (!notices.empty()) {
      EXPECT_NE(notices[0].find("\"/net/runs/new\" is not read on resume"), std::string::npos) << notices[0];
    }
  }
  RunConfig now = now_with({"model.initial=late.h5"});
  std::vector<std::string> notices;
  check_resumable(kept_info(), now, "runs/digits", notices);
  EXPECT_FALSE(now.model.initial.has_value());
  EXPECT_EQ(notices.size(), 1U);
}

TEST(CheckResumable, TakesBalancedClassWeightsFromTheCheckpoint) {
  RunConfig kept = parse_run(kKept, "kept");
  kept.model.loss = {"softmax_cross_entropy", {{"class_weights", std::vector<double>{0.5, 2}}}};
  CheckpointInfo info;
  info.run = format_run(kept);
  RunConfig now = now_with({});
  std::vector<std::string> notices;
  now.model.loss = {"softmax_cross_entropy", {{"class_weights", "balanced"}}};
  check_resumable(info, now, "runs/digits", notices);
  EXPECT_EQ(now.model.loss, kept.model.loss);
  now.model.loss = {"softmax_cross_entropy", {{"class_weights", "balanced"}, {"label_smoothing", 0.1}}};
  expect_error(ErrorKind::config, {"model.loss"}, [&] { check_resumable(info, now, "runs/digits", notices); });
  now.model.loss = {"softmax_cross_entropy", {{"class_weights", "balanced"}}};
  expect_error(ErrorKind::config, {"model.loss"}, [&] { check_resumable(kept_info(), now, "runs/digits", notices); });
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

TEST(MachineDifferences, TellWhatComputesOtherBitsWhateverItsName) {
  const auto compute = make_compute();
  CheckpointInfo kept;
  kept.blas_kernel = "Atari";
  kept.simd_target = "none";
  kept.probe = probe_kernels(*compute);
  EXPECT_TRUE(machine_differences(kept, *compute).empty());
  kept.probe["of another version"] = "0123456789abcdef";
  EXPECT_TRUE(machine_differences(kept, *compute).empty());
  kept.probe["tanh"] = kept.probe["exp"];
  kept.probe["forward"] = "0123456789abcdef";
  const std::vector<std::string> texts = machine_differences(kept, *compute);
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_NE(texts[0].find("Atari kernels and none vectors"), std::string::npos) << texts[0];
  EXPECT_NE(texts[0].find("(forward, tanh)"), std::string::npos) << texts[0];
}

TEST(MachineDifferences, GoByNamesForCheckpointsWithoutAProbe) {
  const auto compute = make_compute();
  CheckpointInfo kept;
  kept.blas_kernel = compute->kernel();
  kept.simd_target = simd_target();
  EXPECT_TRUE(machine_differences(kept, *compute).empty());
  kept.blas_kernel = "Atari";
  ASSERT_EQ(machine_differences(kept, *compute).size(), 1U);
  EXPECT_NE(machine_differences(kept, *compute)[0].find("BLAS kernel Atari"), std::string::npos);
  kept.simd_target = "none";
  EXPECT_EQ(machine_differences(kept, *compute).size(), 2U);
}

}  // namespace
}  // namespace lockstep
