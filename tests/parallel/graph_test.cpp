// Nets that are graphs, with sums over the batch: equal bits at any rank count, state that runs, nothing allocated.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "parallel/allocations.hpp"
#include "parallel/training.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

using test::make_dataset;
using test::make_engine;
using test::train;

// Two residual blocks with norms and dropout.
RunConfig graph_run(std::int64_t shards, const std::string& exchange) {
  RunConfig run = test::make_run(shards, exchange);
  run.model.layers = {{"dense", {{"units", 8}}}};
  std::string from = "dense1";
  for (int block = 1; block <= 2; ++block) {
    const std::string n = std::to_string(block);
    run.model.layers.push_back({"dense", {{"units", 8}}, "first" + n});
    run.model.layers.push_back({"batch_norm", {}, "norm" + n});
    run.model.layers.push_back({"relu"});
    run.model.layers.push_back({"dropout", {{"rate", 0.2}}});
    run.model.layers.push_back({"dense", {{"units", 8}}, "second" + n});
    run.model.layers.push_back({"add", {}, "sum" + n, {from, "second" + n}});
    from = "sum" + n;
  }
  run.model.layers.push_back({"layer_norm"});
  run.model.layers.push_back({"dense", {{"units", 3}}});
  return run;
}

std::vector<float> values_of(Engine& engine, const std::string& layer, const std::string& name) {
  engine.settle();
  for (const Parameter& parameter : engine.model().parameters().entries()) {
    if (parameter.layer != layer || parameter.name != name) continue;
    const auto part = engine.weights().subspan(parameter.range.begin, parameter.range.size());
    return {part.begin(), part.end()};
  }
  ADD_FAILURE() << "no " << layer << "/" << name;
  return {};
}

class GraphTest : public testing::Test {
 protected:
  Communicator world{MPI_COMM_WORLD};
  Communicator self{MPI_COMM_SELF};
  Dataset data = make_dataset(70);  // batches of 32, 32 and 6: with 8 shards two of the last are empty
};

TEST_F(GraphTest, AllRanksTogetherMakeTheBitsOfOneRank) {
  for (const std::int64_t shards : {4, 5, 8, 11}) {
    for (const char* optimizer : {"adam", "lamb"}) {
      const auto run_with = [&](const char* exchange) {
        RunConfig run = graph_run(shards, exchange);
        run.optimizer.type = optimizer;
        run.train.ema = 0.9;
        return run;
      };
      const auto alone = make_engine(self, run_with("tree"));
      const std::vector<double> losses = train(*alone, data, 32, 2);
      EXPECT_LT(losses.back(), losses.front());
      for (const char* exchange : {"tree", "node"}) {
        const auto together = make_engine(world, run_with(exchange));
        EXPECT_EQ(train(*together, data, 32, 2), losses) << exchange << ", " << shards << " shards";
        EXPECT_EQ(together->digest(), alone->digest()) << exchange << ", " << shards << " shards";
        together->swap_ema();  // the average of what runs is itself
        EXPECT_EQ(values_of(*together, "norm1", "running_var"), values_of(*alone, "norm1", "running_var"));
      }
    }
  }
}

// Statistics are those of the whole batch: as of one shard, but for rounding.
TEST_F(GraphTest, ShardsDoNotChangeWhatANormSees) {
  const auto run_with = [](std::int64_t shards, const char* exchange) {
    RunConfig run = graph_run(shards, exchange);
    run.optimizer.type = "sgd";  // adam makes much of a rounding where a gradient is small
    run.optimizer.lr = 0.1;
    return run;
  };
  const auto whole = make_engine(self, run_with(1, "tree"));
  const auto parts = make_engine(world, run_with(7, "node"));
  const std::vector<double> losses = train(*whole, data, 32, 1);
  const std::vector<double> found = train(*parts, data, 32, 1);
  for (std::size_t i = 0; i < losses.size(); ++i) EXPECT_NEAR(found[i], losses[i], 1e-5);
  for (const char* name : {"running_mean", "running_var"}) {
    const auto expected = values_of(*whole, "norm2", name);
    const auto values = values_of(*parts, "norm2", name);
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(values[i], expected[i], 1e-5) << name;
    EXPECT_NE(values, std::vector<float>(8, name == std::string("running_var") ? 1.0F : 0.0F));
  }
}

TEST_F(GraphTest, GoesOnFromASavedState) {
  const RunConfig run = graph_run(5, "node");
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

TEST_F(GraphTest, AFrozenNormUsesWhatItHasAndMovesNothing) {
  RunConfig run = graph_run(4, "node");
  run.model.freeze = {"norm1", "norm2"};
  const auto engine = make_engine(world, run);
  EXPECT_EQ(engine->model().num_stages(), 1U);
  train(*engine, data, 32, 1);
  EXPECT_EQ(values_of(*engine, "norm1", "running_mean"), std::vector<float>(8, 0.0F));
  EXPECT_EQ(values_of(*engine, "norm1", "running_var"), std::vector<float>(8, 1.0F));
  EXPECT_EQ(values_of(*engine, "norm1", "weight"), std::vector<float>(8, 1.0F));
  const auto free = make_engine(world, graph_run(4, "node"));
  train(*free, data, 32, 1);
  EXPECT_NE(values_of(*free, "norm1", "running_mean"), std::vector<float>(8, 0.0F));
}

TEST_F(GraphTest, DecayAndNormsLeaveWhatRunsAlone) {
  const auto trained = [&](double decay, double clip) {
    RunConfig run = graph_run(4, "tree");
    run.optimizer.type = "sgd";
    run.optimizer.lr = 0.0;  // so that the batches are seen by the same weights
    run.optimizer.options.set("weight_decay", decay);
    run.optimizer.clip_norm = clip;
    const auto engine = make_engine(world, run);
    train(*engine, data, 32, 1);
    return values_of(*engine, "norm1", "running_var");
  };
  EXPECT_EQ(trained(0.5, 0), trained(0, 0));
  EXPECT_EQ(trained(0, 1e-3), trained(0, 0));
}

TEST_F(GraphTest, AStepAllocatesNothingAfterTheFirst) {
  const Normalization plain;
  for (const char* exchange : {"node", "tree"}) {
    const auto engine = make_engine(world, graph_run(8, exchange));
    DatasetBatch batches(data, plain, {70, 32}, engine->shards(), 5);
    batches.start_epoch(0);
    batches.select(0);
    engine->train_step(batches);
    const std::size_t before = test::allocations();
    for (std::size_t b = 0; b < 3; ++b) {
      batches.select(b);
      engine->train_step(batches);
    }
    EXPECT_EQ(test::allocations(), before) << exchange;
  }
}

// What one shard brings spoils the sums of all: told is where it began.
TEST_F(GraphTest, ANumberThatIsNotFiniteIsTracedToWhereItBegan) {
  Dataset bad = make_dataset(70);
  std::vector<float> x(70 * 6);
  fill_uniform({3, RandomPurpose::bench, 0, 0, 0}, -1.0F, 1.0F, x);
  for (std::size_t column = 0; column < 6; ++column) x[20 * 6 + column] = 3e38F;
  bad.x = make_table(6, std::move(x));
  for (const char* exchange : {"node", "tree"}) {
    const auto engine = make_engine(world, graph_run(6, exchange));
    expect_error(ErrorKind::diverged, {"the output of ", " is not finite for samples 20 in shard "},
                 [&] { train(*engine, bad, 70, 1); });
    EXPECT_EQ(values_of(*engine, "norm1", "running_mean"), std::vector<float>(8, 0.0F));
  }
}

}  // namespace
}  // namespace lockstep
