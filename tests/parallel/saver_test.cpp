// A run's checkpoints while it trains: which stay when some cannot be written, and what is told of it.
#include "run/saver.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "checkpoint/retention.hpp"
#include "io/files.hpp"
#include "parallel/training.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

class SaverTest : public testing::Test {
 protected:
  SaverTest() {
    engine_ = test::make_engine(world, test::make_run(5, "node"));
    saver_.emplace(world, folder(), [this](LogLevel level, std::string_view text) {
      EXPECT_EQ(level, LogLevel::warning);
      told_.emplace_back(text);
    });
    config_.keep = 1;
  }

  // As a run that saves after so many steps, of which `best` is the best so far.
  void save(std::uint64_t step, std::optional<std::uint64_t> best = {}) {
    engine_->info.position.step = step;
    if (best) engine_->info.best = Best{"test.loss", 1, *best, 1};
    saver_->save(*engine_, config_);
    saver_->finish();
  }
  void block(std::uint64_t step) const { std::filesystem::create_directories(checkpoint_path(folder(), step) + "/in"); }
  [[nodiscard]] std::string folder() const { return (folder_.path() / "checkpoints").string(); }
  [[nodiscard]] std::vector<std::uint64_t> steps() const {
    std::vector<std::uint64_t> found;
    for (const CheckpointFile& file : list_checkpoints(folder())) {
      if (std::filesystem::is_regular_file(file.path)) found.push_back(file.step);
    }
    return found;
  }
  using Steps = std::vector<std::uint64_t>;

  Communicator world{MPI_COMM_WORLD};
  TemporaryFolder folder_;
  std::unique_ptr<Engine> engine_;
  CheckpointConfig config_;
  std::vector<std::string> told_;
  std::optional<Saver> saver_;
};

TEST_F(SaverTest, SavesFromRankZeroAlone) {
  save(7);
  EXPECT_EQ(steps(), world.is_root() ? Steps{7} : Steps{});
  EXPECT_EQ(saver_->has(7), world.is_root());
  EXPECT_TRUE(told_.empty());
  if (!world.is_root()) return;
  EXPECT_EQ(saver_->newest(), checkpoint_path(folder(), 7));
  EXPECT_EQ(read_checkpoint(saver_->newest()).info.position.step, 7U);
  EXPECT_GT(saver_->stall_seconds(), 0);
  EXPECT_GT(saver_->seconds(), 0);
  EXPECT_GT(saver_->expected_seconds(*engine_), 0);
}

TEST_F(SaverTest, TheSameStateIsSavedOnce) {
  save(7);
  const auto identity = [&] { return world.is_root() ? file_identity(checkpoint_path(folder(), 7)) : std::string(); };
  const std::string first = identity();
  save(7);
  EXPECT_EQ(identity(), first);
}

TEST_F(SaverTest, AStateWhoseFileIsGoneIsSavedAgain) {
  save(7);
  if (world.is_root()) std::filesystem::remove(checkpoint_path(folder(), 7));
  save(7);
  EXPECT_EQ(steps(), world.is_root() ? Steps{7} : Steps{});
}

TEST_F(SaverTest, AFailureIsToldTheOldOneStaysAndTheNextIsTried) {
  save(7);
  block(8);
  save(8);
  if (world.is_root()) {
    ASSERT_EQ(told_.size(), 1U);
    EXPECT_NE(told_[0].find("step-00000008.h5"), std::string::npos) << told_[0];
    EXPECT_NE(saver_->last_error(), "");
    EXPECT_EQ(steps(), Steps{7});
  }
  EXPECT_FALSE(saver_->has(8));
  std::filesystem::remove_all(checkpoint_path(folder(), 8));
  save(8);  // the same state once more, for it is not there
  EXPECT_EQ(saver_->has(8), world.is_root());
  EXPECT_EQ(saver_->last_error(), "");
  EXPECT_EQ(steps(), world.is_root() ? Steps{8} : Steps{});
}

TEST_F(SaverTest, TheBestThatIsThereStaysUntilABetterOneIs) {
  const auto expect_steps = [&](const Steps& expected) { EXPECT_EQ(steps(), world.is_root() ? expected : Steps{}); };
  save(1, 1);
  save(2, 1);
  expect_steps({2, 1});
  block(3);
  save(3, 3);  // the new best cannot be saved
  std::filesystem::remove_all(checkpoint_path(folder(), 3));
  save(4, 3);
  expect_steps({4, 1});
  save(5, 5);
  expect_steps({5});
  save(6, 5);
  expect_steps({6, 5});
}

TEST_F(SaverTest, IsOfNoAgeWhileASaveIsUnderWay) {
  EXPECT_GT(saver_->age(), 0);
  engine_->info.position.step = 3;
  saver_->save(*engine_, config_);
  EXPECT_EQ(saver_->age() == 0, world.is_root());
  saver_->finish();
  EXPECT_GT(saver_->age(), 0);
}

}  // namespace
}  // namespace lockstep
