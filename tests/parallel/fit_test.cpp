// A run that is told to stop at any moment, and goes on: the same weights and the same scores as one that was not.
#include "run/fit.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "checkpoint/retention.hpp"
#include "compute/compute.hpp"
#include "parallel/training.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

class FitTest : public testing::Test {
 protected:
  FitTest() {
    run_ = test::make_run(6, "node");
    run_.model.layers[0].options.set("units", 256);  // enough for the BLAS to use more than one thread, if it may
    run_.model.layers.back() = {"dense", {{"units", 10}}};
    run_.data.train = {LOCKSTEP_SOURCE_DIR "/data/digits.h5:/train"};
    run_.data.test = {LOCKSTEP_SOURCE_DIR "/data/digits.h5:/test"};
    run_.train.batch = 400;  // 4 batches an epoch
    run_.train.epochs = 4;
    run_.train.time_limit = "none";
    run_.checkpoint.every_epochs = 0;
    run_.checkpoint.monitor = "train.loss";
  }

  // Asked for the `call`-th time whether to stop, rank `rank` says so. 0: never.
  FitSummary train(const std::string& name, bool resume, int call, int rank = 0) {
    int calls = 0;
    FitOptions options;
    options.output = folder(name);
    options.resume = resume;
    options.stop_wanted = [&] { return ++calls == call && world.rank() == rank % world.size(); };
    return fit(world, run_, options);
  }
  [[nodiscard]] std::string folder(const std::string& name) const { return (place_ / name).string(); }
  // Of the newest checkpoint, on rank 0.
  [[nodiscard]] CheckpointInfo newest(const std::string& name) const {
    return read_checkpoint(list_checkpoints(folder(name) + "/checkpoints").front().path).info;
  }
  // Epoch, losses and scores, without the times, which stand in the last two columns.
  static std::vector<double> scores(const CheckpointInfo& info) {
    std::vector<double> values;
    const std::size_t columns = info.history.columns.size();
    for (std::size_t i = 0; i < info.history.rows.size(); ++i) {
      if (i % columns < columns - 2) values.push_back(info.history.rows[i]);
    }
    return values;
  }

  Communicator world{MPI_COMM_WORLD};
  TemporaryFolder own_;
  std::filesystem::path place_{world.broadcast_text(own_.path().string())};
  RunConfig run_;
};

TEST_F(FitTest, StoppedAnywhereItGoesOnToTheSameBitsAndScores) {
  const FitSummary whole = train("whole", false, 0);
  EXPECT_TRUE(whole.trained);
  EXPECT_FALSE(whole.stopped);
  EXPECT_EQ(whole.steps, 16U);
  // It is asked before each step and behind each epoch: the 4th time before the last batch of the first epoch, so that
  // its scores are still to come; the 5th behind them.
  for (const int call : {1, 3, 4, 5, 6, 9, 19}) {
    SCOPED_TRACE(call);
    const std::string name = "stopped-" + std::to_string(call);
    const FitSummary stopped = train(name, false, call, 2);
    EXPECT_TRUE(stopped.stopped);
    EXPECT_FALSE(stopped.trained);
    EXPECT_EQ(stopped.failure, "");
    EXPECT_EQ(stopped.steps, static_cast<std::uint64_t>(call - (call >= 5) - (call >= 10) - (call >= 15)));
    if (world.is_root()) {
      const Position position = newest(name).position;
      EXPECT_EQ(position.step, stopped.steps);
      EXPECT_EQ(position.position, call == 5                              ? 0U
                                   : call == 4 || call == 9 || call == 19 ? 1438U
                                                                          : 400 * (stopped.steps % 4));
      EXPECT_FALSE(std::filesystem::exists(folder(name) + "/summary.json"));
    }
    make_compute({.threads = 2})->prepare();  // as a fresh process has it; other scores come of it
    const FitSummary resumed = train(name, true, 0);
    EXPECT_TRUE(resumed.trained);
    EXPECT_EQ(resumed.digest, whole.digest);
    EXPECT_EQ(resumed.scores.train_loss, whole.scores.train_loss);
    EXPECT_EQ(resumed.scores.test->named(), whole.scores.test->named());
    if (world.is_root()) {
      EXPECT_EQ(scores(newest(name)), scores(newest("whole")));
    }
  }
}

TEST_F(FitTest, OneThatIsDoneDoesNotStop) {
  const FitSummary done = train("done", false, 20);  // asked only 19 times: not behind the last epoch
  EXPECT_TRUE(done.trained);
  EXPECT_FALSE(done.stopped);
}

TEST_F(FitTest, TellsWhatItsCheckpointsCost) {
  const FitSummary done = train("cost", false, 0);
  if (!world.is_root()) return;
  EXPECT_GT(done.checkpoint_seconds, 0);
  EXPECT_GT(done.checkpoint_stall_seconds, 0);
  EXPECT_TRUE(std::filesystem::exists(done.checkpoint));
}

}  // namespace
}  // namespace lockstep
