// The moving average of the weights: the same bits on any ranks and hosts, seen by all, and back again.
#include "optim/ema.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <optional>

#include "parallel/training.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

using test::make_dataset;
using test::make_engine;
using test::make_run;

class EmaTest : public testing::Test {
 protected:
  EmaTest() {
    const Communicator plain(MPI_COMM_WORLD);
    if (plain.nodes() == 1) turns.emplace(MPI_COMM_WORLD, Communicator::Order::by_host, plain.rank() % 2);
  }
  // Wide enough for several blocks a rank and several buckets between hosts.
  static RunConfig run_with(const char* exchange, const char* optimizer = "adam", const char* wire = "float32") {
    RunConfig run = make_run(6, exchange);
    run.model.layers[0].options.set("units", 3000);
    run.optimizer.type = optimizer;
    run.train.wire = wire;
    run.train.ema = 0.75;
    return run;
  }
  static std::vector<float> weights_of(Engine& engine) {
    engine.settle();
    return {engine.weights().begin(), engine.weights().end()};
  }
  // Two epochs; the average that the weights behind each step make.
  std::vector<float> train(Engine& engine) const {
    const Normalization plain;
    const EpochPlan plan{data.samples(), 32};
    DatasetBatch batches(data, plain, plan, engine.shards(), 5);
    std::vector<float> average = weights_of(engine);
    for (std::uint64_t epoch = 0; epoch < 2; ++epoch) {
      batches.start_epoch(epoch);
      for (std::size_t b = 0; b < plan.batches(); ++b) {
        batches.select(b);
        engine.train_step(batches);
        move_average(weights_of(engine), 0.25F, average);
      }
    }
    return average;
  }

  Communicator world{MPI_COMM_WORLD};
  Communicator self{MPI_COMM_SELF};
  std::optional<Communicator> turns;  // ranks that are on two hosts by turns
  const Dataset data = make_dataset(70);
};

TEST_F(EmaTest, IsThatOfTheWeightsBehindEachStepOnAnyRanks) {
  const auto alone = make_engine(self, run_with("tree"));
  const std::vector<float> expected = train(*alone);
  const std::string digest = alone->digest();
  std::vector<std::pair<const Communicator*, RunConfig>> jobs = {
      {&world, run_with("node")}, {&world, run_with("tree")}, {&world, run_with("allreduce")}};
  if (turns) {
    jobs.emplace_back(&*turns, run_with("node"));
    jobs.emplace_back(&*turns, run_with("node", "lamb"));
    jobs.emplace_back(&*turns, run_with("node", "adam", "bfloat16"));
  }
  for (const auto& [comm, run] : jobs) {
    SCOPED_TRACE(run.train.exchange + " " + run.train.wire + " " + run.optimizer.type);
    const auto engine = make_engine(*comm, run);
    const std::vector<float> own = train(*engine);
    const std::vector<float> weights = weights_of(*engine);
    const std::string before = engine->digest();
    engine->swap_ema();
    EXPECT_EQ(weights_of(*engine), own);
    EXPECT_NE(own, weights);
    engine->swap_ema();
    EXPECT_EQ(weights_of(*engine), weights);
    EXPECT_EQ(engine->digest(), before);
    EXPECT_NO_THROW(engine->audit());
    if (!engine->exchange().same_bits_at_any_rank_count() || run.optimizer.type != "adam") continue;
    EXPECT_EQ(own, expected);
    EXPECT_EQ(before, digest);
    (void)train(*engine);  // looking at it has changed nothing for later steps
    const auto straight = make_engine(self, run_with("tree"));
    (void)train(*straight);
    (void)train(*straight);
    EXPECT_EQ(engine->digest(), straight->digest());
  }
}

TEST_F(EmaTest, GoesThroughACheckpointToOtherRanksAndHosts) {
  const Communicator& first = turns ? *turns : world;
  const auto engine = make_engine(first, run_with("node"));
  (void)train(*engine);
  const TemporaryFolder folder;
  const std::string path = world.broadcast_text((folder.path() / "half.h5").string());
  engine->save(path);
  world.barrier();
  std::optional<Checkpoint> read;
  if (world.is_root()) read = read_checkpoint(path);
  const auto resumed = make_engine(world, run_with("node"));
  resumed->load(read ? &*read : nullptr, path);
  EXPECT_EQ(resumed->digest(), engine->digest());
  engine->swap_ema();
  resumed->swap_ema();
  EXPECT_EQ(weights_of(*resumed), weights_of(*engine));
  if (read) {
    EXPECT_TRUE(std::ranges::equal(read->net(), resumed->weights()));
  }
  RunConfig without = run_with("node");
  without.train.ema = 0;
  const auto other = make_engine(world, without);
  expect_error(ErrorKind::data, {"half.h5 holds a moving average", "train.ema is 0"},
               [&] { other->load(read ? &*read : nullptr, path); });
  world.barrier();
}

TEST_F(EmaTest, AStepThatIsLeftOutLeavesItAlone) {
  RunConfig run = run_with("node");
  run.train.on_nonfinite = "skip";
  const auto engine = make_engine(world, run);
  (void)train(*engine);
  engine->swap_ema();
  const std::vector<float> before = weights_of(*engine);
  engine->swap_ema();
  std::vector<float> x(70 * 6, std::numeric_limits<float>::infinity());
  Dataset bad = data;
  bad.x = make_table(6, std::move(x));
  const Normalization plain;
  DatasetBatch batches(bad, plain, {70, 32}, engine->shards(), 5);
  batches.start_epoch(0);
  batches.select(0);
  EXPECT_FALSE(engine->train_step(batches).skipped.empty());
  engine->swap_ema();
  EXPECT_EQ(weights_of(*engine), before);
}

}  // namespace
}  // namespace lockstep
