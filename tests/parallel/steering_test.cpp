// Runs with all that goes by scores: validation data, a rate that falls at plateaus, an average, an early end with the
// best state. Stopped anywhere, on any ranks and hosts, they end with the same bits.
#include "run/steering.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "checkpoint/retention.hpp"
#include "io/files.hpp"
#include "parallel/training.hpp"
#include "run/fit.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

class SteeringTest : public testing::Test {
 protected:
  SteeringTest() {
    run_ = test::make_run(6, "node");
    run_.model.layers.back() = {"dense", {{"units", 10}}};
    run_.data.train = {LOCKSTEP_SOURCE_DIR "/data/digits.h5:/train"};
    run_.data.test = {LOCKSTEP_SOURCE_DIR "/data/digits.h5:/test"};
    run_.data.validation = 0.2;
    run_.data.normalize = "minmax";
    run_.train.batch = 400;  // 3 batches an epoch
    run_.train.epochs = 12;
    run_.train.time_limit = "none";
    run_.train.ema = 0.5;
    run_.train.early_stop = EarlyStop{.monitor = "validation.loss", .patience = 2};
    run_.optimizer.lr = 0.5;  // too much, so that the loss soon rises
    run_.optimizer.schedule = {"plateau", {{"patience", 0}, {"factor", 0.5}, {"warmup_steps", 5}}};
    run_.checkpoint.every_epochs = 0;
  }

  struct Job {
    bool resume = false;
    int stop_at = 0;  // asked for the so-many-th time, rank 0 says stop
  };
  FitSummary train(const Communicator& comm, const std::string& name, Job job) {
    int calls = 0;
    log_.clear();
    FitOptions options;
    options.output = folder(name);
    options.resume = job.resume;
    options.stop_wanted = [&] { return ++calls == job.stop_at && comm.is_root(); };
    options.log = [this](LogLevel, std::string_view text) { log_ += std::string(text) + "\n"; };
    return fit(comm, run_, options);
  }
  FitSummary train(const std::string& name, Job job) { return train(world, name, job); }

  [[nodiscard]] std::string folder(const std::string& name) const { return (place_ / name).string(); }
  [[nodiscard]] std::string newest_path(const std::string& name) const {
    return list_checkpoints(folder(name) + "/checkpoints").front().path;
  }
  [[nodiscard]] Checkpoint newest(const std::string& name) const { return read_checkpoint(newest_path(name)); }
  // Every file and what is in it.
  [[nodiscard]] std::map<std::string, std::vector<std::byte>> files(const std::string& name) const {
    std::map<std::string, std::vector<std::byte>> contents;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder(name))) {
      if (entry.is_regular_file()) contents[entry.path().string()] = read_file(entry.path().string());
    }
    return contents;
  }
  static void expect_same_scores(const FitSummary& a, const FitSummary& b) {
    EXPECT_EQ(a.digest, b.digest);
    EXPECT_EQ(a.scores.train_loss, b.scores.train_loss);
    EXPECT_EQ(a.scores.validation->named(), b.scores.validation->named());
    EXPECT_EQ(a.scores.test->named(), b.scores.test->named());
    EXPECT_EQ(a.stopped_early, b.stopped_early);
    ASSERT_EQ(a.restored.has_value(), b.restored.has_value());
    if (a.restored) {
      EXPECT_EQ(a.restored->step, b.restored->step);
    }
  }
  [[nodiscard]] bool told(const std::string& text) const { return log_.find(text) != std::string::npos; }

  Communicator world{MPI_COMM_WORLD};
  TemporaryFolder own_;
  std::filesystem::path place_{world.broadcast_text(own_.path().string())};
  RunConfig run_;
  std::string log_;  // rank 0
};

TEST_F(SteeringTest, EndsEarlyWithTheStateOfItsBestCheckpoint) {
  const FitSummary whole = train("whole", {});
  EXPECT_TRUE(whole.trained);
  EXPECT_TRUE(whole.stopped_early);
  EXPECT_LT(whole.epochs, 12U);
  EXPECT_EQ(whole.scores.validation->samples, 287U);
  ASSERT_TRUE(whole.restored);
  EXPECT_EQ(whole.restored->epoch + 2, whole.epochs);
  EXPECT_EQ(whole.best->monitor, "validation.loss");
  EXPECT_EQ(whole.scores.validation->loss, whole.best->value);  // the state is scored again, to the same bits
  if (world.is_root()) {
    EXPECT_TRUE(told("validation.loss has not improved for 2 epochs: early stopping ends the run"));
    const Checkpoint last = newest("whole");
    const Checkpoint best = read_checkpoint(checkpoint_path(folder("whole") + "/checkpoints", whole.best->step));
    EXPECT_EQ(last.info.position.step, 3 * whole.epochs);
    EXPECT_EQ(last.info.digest, whole.digest);
    EXPECT_EQ(last.weights, best.weights);
    EXPECT_EQ(last.slots, best.slots);
    EXPECT_EQ(last.ema, best.ema);
    EXPECT_NE(last.ema, last.weights);
    EXPECT_FALSE(best.info.restored);
    const History& history = last.info.history;
    EXPECT_EQ(history.num_rows(), whole.epochs);
    EXPECT_EQ(whole.scores.train_loss, history_value(history, whole.restored->epoch - 1, "train_loss"));
    // The first epoch warms up; the rate of an epoch behind a worse one is half.
    EXPECT_EQ(history_value(history, 0, "learning_rate"), 0.5 * 3 / 5);
    EXPECT_EQ(history_value(history, whole.epochs - 1, "learning_rate"), 0.25);
  }
  // One that has ended changes nothing any more.
  const auto before = world.is_root() ? files("whole") : decltype(files("whole")){};
  const FitSummary again = train("whole", {.resume = true});
  EXPECT_FALSE(again.trained);
  EXPECT_EQ(again.digest, whole.digest);
  if (world.is_root()) {
    EXPECT_TRUE(told("the run is finished, validation.loss has not improved for 2 epochs: there is nothing left"));
    EXPECT_TRUE(files("whole") == before);
  }
}

TEST_F(SteeringTest, StoppedAnywhereItEndsWithTheSameBits) {
  const FitSummary whole = train("whole", {});
  // Asked before each step and behind each epoch: within epochs, at their last batch, behind them.
  for (const int call : {2, 4, 7, static_cast<int>(4 * whole.epochs) - 1}) {
    SCOPED_TRACE(call);
    const std::string name = "stopped-" + std::to_string(call);
    EXPECT_TRUE(train(name, {.stop_at = call}).stopped);
    expect_same_scores(train(name, {.resume = true}), whole);
  }
}

TEST_F(SteeringTest, OnAnyRanksAndHostsItEndsWithTheSameBits) {
  const FitSummary whole = train("whole", {});
  std::string alone;
  if (world.is_root()) alone = train(Communicator(MPI_COMM_SELF), "alone", {}).digest;
  EXPECT_EQ(world.broadcast_text(alone), whole.digest);
  if (world.nodes() > 1) return;
  const Communicator turns(MPI_COMM_WORLD, Communicator::Order::by_host, world.rank() % 2);
  expect_same_scores(train(turns, "turns", {}), whole);
  EXPECT_TRUE(train(turns, "moved", {.stop_at = 6}).stopped);
  expect_same_scores(train("moved", {.resume = true}), whole);
}

TEST_F(SteeringTest, WithMorePatienceItGoesOnAsIfItHadHadItFromTheStart) {
  const FitSummary ended = train("run", {});
  ASSERT_TRUE(ended.restored);
  run_.train.early_stop->patience = 4;
  run_.train.epochs = static_cast<std::int64_t>(ended.epochs) + 1;
  const FitSummary longer = train("longer", {});
  EXPECT_GT(longer.steps, ended.steps);
  expect_same_scores(train("run", {.resume = true}), longer);
}

TEST_F(SteeringTest, WithoutItsBestCheckpointItEndsWithItsLastStateAndSaysSo) {
  const FitSummary whole = train("whole", {});
  for (const bool gone : {true, false}) {
    const std::string name = gone ? "gone" : "damaged";
    EXPECT_TRUE(train(name, {.stop_at = static_cast<int>(4 * whole.epochs) - 1}).stopped);  // the scores are to come
    if (world.is_root()) {
      const std::string best = checkpoint_path(folder(name) + "/checkpoints", whole.best->step);
      if (gone) {
        std::filesystem::remove(best);
      } else {
        std::filesystem::resize_file(best, std::filesystem::file_size(best) / 2);
      }
    }
    world.barrier();
    const FitSummary end = train(name, {.resume = true});
    EXPECT_TRUE(end.trained);
    EXPECT_TRUE(end.stopped_early);
    EXPECT_FALSE(end.restored);
    EXPECT_NE(end.digest, whole.digest);
    if (world.is_root()) {
      EXPECT_TRUE(told("the run ends with its last state: that of its best checkpoint, of step"));
      EXPECT_FALSE(newest(name).info.restored);
    }
    const auto before = world.is_root() ? files(name) : decltype(files(name)){};
    EXPECT_FALSE(train(name, {.resume = true}).trained);
    if (world.is_root()) {
      EXPECT_TRUE(files(name) == before);
    }
  }
}

TEST_F(SteeringTest, WithoutRestoreItEndsWithItsLastState) {
  run_.train.early_stop->restore_best = false;
  const FitSummary whole = train("whole", {});
  EXPECT_TRUE(whole.stopped_early);
  EXPECT_FALSE(whole.restored);
  EXPECT_NE(whole.scores.validation->loss, whole.best->value);
  EXPECT_FALSE(train("whole", {.resume = true}).trained);
  run_.train.early_stop.reset();
  run_.train.epochs = static_cast<std::int64_t>(whole.epochs);
  EXPECT_EQ(train("same", {}).digest, whole.digest);
}

TEST_F(SteeringTest, WhatIsHeldOutIsNotTrainedOnNorNormalisedBy) {
  run_.train.epochs = 1;
  const FitSummary done = train("split", {});
  if (world.is_root()) {
    const Checkpoint last = newest("split");
    EXPECT_EQ(last.info.position.step, 3U);  // 1151 samples, 400 a batch
    const Dataset data = read_dataset(run_.data.train, {});
    const Split split = split_rows(0.2, static_cast<std::uint64_t>(run_.seed), data.samples());
    EXPECT_EQ(last.info.normalization.at("x_scale"), fit_scaling(NormalizeMethod::minmax, data.x, split.train).scale);
    EXPECT_EQ(split.validation.size(), done.scores.validation->samples);
    EXPECT_TRUE(told("1151 training, 287 validation and 359 test samples"));
    std::string text;
    for (const std::string& column : last.info.history.columns) text += column + " ";
    EXPECT_NE(text.find("train_loss validation_loss validation_accuracy validation_top5 validation_macro_recall "
                        "validation_precision validation_f1 test_loss"),
              std::string::npos)
        << text;
  }
  run_.data.validation = 0;
  expect_error(ErrorKind::config, {"data.validation: 0.2 -> 0.0"}, [&] { (void)train("split", {.resume = true}); });
  run_.data.validation = 1e-6;
  expect_error(ErrorKind::config, {"data.validation", "1438 training samples"}, [&] { (void)train("none", {}); });
}

}  // namespace
}  // namespace lockstep
