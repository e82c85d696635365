// The training step: equal bits at any rank count, nothing allocated, errors on all ranks.
#include "step/engine.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "parallel/allocations.hpp"
#include "parallel/training.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

using test::make_dataset;
using test::make_engine;
using test::make_run;
using test::train;

class EngineTest : public testing::Test {
 protected:
  Communicator world{MPI_COMM_WORLD};
  Communicator self{MPI_COMM_SELF};

  void go_on_from_a_saved_state(const char* optimizer) {
    SCOPED_TRACE(optimizer);
    RunConfig run = make_run(5, "node");
    run.optimizer.type = optimizer;
    const Dataset data = make_dataset(70);
    const auto straight = make_engine(world, run);
    train(*straight, data, 32, 1);
    const TemporaryFolder folder;
    const std::string path = world.broadcast_text((folder.path() / "half.h5").string());
    straight->save(path);
    const auto resumed = make_engine(world, run);
    std::optional<Checkpoint> read;
    if (world.is_root()) read = read_checkpoint(path);
    resumed->load(read ? &*read : nullptr, path);
    EXPECT_EQ(resumed->digest(), straight->digest());
    EXPECT_EQ(train(*resumed, data, 32, 2), train(*straight, data, 32, 2));
    EXPECT_EQ(resumed->digest(), straight->digest());
  }
};

TEST_F(EngineTest, AllRanksTogetherMakeTheBitsOfOneRank) {
  const Dataset data = make_dataset(70);  // batches of 32, 32 and 6: with 8 shards two of the last are empty
  for (const std::int64_t shards : {4, 5, 8, 11}) {
    const auto alone = make_engine(self, make_run(shards, "tree"));
    const std::vector<double> losses = train(*alone, data, 32, 3);
    for (const char* exchange : {"tree", "node"}) {
      const auto together = make_engine(world, make_run(shards, exchange));
      EXPECT_EQ(train(*together, data, 32, 3), losses) << exchange << ", " << shards << " shards";
      EXPECT_EQ(together->digest(), alone->digest()) << exchange << ", " << shards << " shards";
    }
  }
}

TEST_F(EngineTest, NormsOfParametersAreTheSameAtAnyRankCount) {
  const Dataset data = make_dataset(70);
  for (const char* type : {"lars", "lamb"}) {
    for (const double clip_norm : {0.0, 0.5}) {
      const auto run_with = [&](const char* exchange) {
        RunConfig run = make_run(5, exchange);
        run.model.layers[0].options.set("units", 700);  // three blocks a parameter
        run.optimizer.type = type;
        run.optimizer.clip_norm = clip_norm;
        return run;
      };
      const auto alone = make_engine(self, run_with("tree"));
      const std::vector<double> losses = train(*alone, data, 32, 2);
      EXPECT_LT(losses.back(), losses.front());
      for (const char* exchange : {"tree", "node"}) {
        const auto together = make_engine(world, run_with(exchange));
        EXPECT_EQ(train(*together, data, 32, 2), losses) << type << ", " << exchange << ", clip_norm " << clip_norm;
        EXPECT_EQ(together->digest(), alone->digest()) << type << ", " << exchange << ", clip_norm " << clip_norm;
      }
    }
  }
}

TEST_F(EngineTest, AnotherShardCountGivesOtherBits) {  // or the test above could not fail
  const Dataset data = make_dataset(70);
  const auto four = make_engine(world, make_run(4, "tree"));
  const auto five = make_engine(world, make_run(5, "tree"));
  train(*four, data, 32, 2);
  train(*five, data, 32, 2);
  EXPECT_NE(four->digest(), five->digest());
}

TEST_F(EngineTest, AllreduceComesCloseToTheTree) {
  const Dataset data = make_dataset(70);
  const auto tree = make_engine(world, make_run(8, "tree"));
  const auto allreduce = make_engine(world, make_run(8, "allreduce"));
  const std::vector<double> expected = train(*tree, data, 32, 2);
  const std::vector<double> found = train(*allreduce, data, 32, 2);
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(found[i], expected[i], 1e-4);  // rounding, six Adam steps
  EXPECT_EQ(allreduce->exchange().same_bits_at_any_rank_count(), world.size() == 1);
}

TEST_F(EngineTest, AStepAllocatesNothingAfterTheFirst) {
  const Dataset data = make_dataset(70);
  const Normalization plain;
  for (const auto& [exchange, optimizer] :
       {std::pair{"node", "adam"}, {"node", "lamb"}, {"tree", "adam"}, {"tree", "lamb"}, {"allreduce", "adam"}}) {
    RunConfig run = make_run(8, exchange);
    run.optimizer.type = optimizer;
    run.train.ema = 0.9;
    const auto engine = make_engine(world, run);
    DatasetBatch batches(data, plain, {70, 32}, engine->shards(), 5);
    batches.start_epoch(0);
    batches.select(0);
    engine->train_step(batches);
    Timeline timeline(50);  // soon used up
    world.pulse().timeline = &timeline;
    const std::size_t before = test::allocations();
    for (std::size_t b = 0; b < 3; ++b) {
      batches.select(b);
      engine->train_step(batches);
    }
    world.pulse().timeline = nullptr;
    EXPECT_EQ(test::allocations(), before) << exchange << ", " << optimizer;
    EXPECT_FALSE(timeline.events().empty());
  }
}

TEST_F(EngineTest, ClipsToTheNormAsPyTorchDoes) {
  RunConfig run = make_run(4, "tree");
  run.optimizer.type = "sgd";
  run.optimizer.lr = 1.0;
  run.optimizer.clip_norm = 1e-3;
  const Dataset data = make_dataset(32);
  const auto engine = make_engine(world, run);
  const std::vector<float> before(engine->weights().begin(), engine->weights().end());
  train(*engine, data, 32, 1);
  double moved = 0;
  for (std::size_t i = 0; i < before.size(); ++i)
    moved += std::pow(static_cast<double>(engine->weights()[i]) - before[i], 2);
  EXPECT_NEAR(std::sqrt(moved), 1e-3, 1e-5);  // lr 1: the step is the clipped gradient; weights round to 1e-8
}

TEST_F(EngineTest, ANonFiniteLossIsThrownOnEveryRank) {
  RunConfig run = make_run(4, "tree");
  run.optimizer.type = "sgd";
  run.optimizer.lr = 1e30;
  run.optimizer.clip_norm = 0;
  const auto engine = make_engine(world, run);
  const Dataset data = make_dataset(32);
  try {
    train(*engine, data, 8, 5);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::diverged);
    EXPECT_TRUE(error.agreed());
  }
}

TEST_F(EngineTest, ASavedStateGoesOnToTheSameBits) {
  for (const char* optimizer : {"adam", "lars", "lamb"}) go_on_from_a_saved_state(optimizer);
}

TEST_F(EngineTest, ACheckpointOfAnotherNetChangesNothing) {
  const TemporaryFolder folder;
  const std::string path = world.broadcast_text((folder.path() / "other.h5").string());
  RunConfig other = make_run(5, "tree");
  other.model.layers[0].options.set("units", 10);
  make_engine(world, other)->save(path);
  const auto engine = make_engine(world, make_run(5, "tree"));
  const std::string before = engine->digest();
  std::optional<Checkpoint> read;
  if (world.is_root()) read = read_checkpoint(path);
  EXPECT_THROW(engine->load(read ? &*read : nullptr, path), Error);
  EXPECT_EQ(engine->digest(), before);
}

TEST_F(EngineTest, MoreRanksThanShardsIsRefused) {
  RunConfig run = make_run(world.size(), "tree");
  EXPECT_EQ(*resolve_run(run, world.size()).train.shards, world.size());
  EXPECT_THROW((void)resolve_run(run, world.size() + 1), Error);
}

}  // namespace
}  // namespace lockstep
