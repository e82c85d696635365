// Steps that are not finite: seen by all ranks in the same step, told down to the layer, the shard and the samples,
// left out where the run says so; and copies of the weights that have drifted apart.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "comm/cores.hpp"
#include "parallel/training.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

using test::make_dataset;
using test::make_engine;
using test::make_run;

constexpr std::size_t kSamples = 70;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Six shards; the batch is the whole data set in its own order, so shard 4 has samples 46 to 57.
class PlainBatch final : public Batch {
 public:
  PlainBatch(const Dataset& data, const ShardPlan& plan) : data_(data), plan_(plan) {}
  [[nodiscard]] std::size_t samples() const override { return kSamples; }
  [[nodiscard]] std::size_t rows(std::size_t shard) const override { return plan_.rows(kSamples, shard).size(); }
  void gather(std::size_t shard, const BatchRows& rows) override {
    const Range range = plan_.rows(kSamples, shard);
    for (std::size_t i = 0; i < range.size(); ++i) rows.samples[i] = static_cast<std::uint32_t>(range.begin + i);
    gather_samples(data_, Normalization{}, rows.samples, rows);
    for (std::size_t i = 0; i < range.size(); ++i) {
      if (range.begin + i == bad_sample) rows.x[6 * i + 2] = bad_value;
    }
  }
  std::size_t bad_sample = kSamples;  // none
  float bad_value = 0;

 private:
  const Dataset& data_;
  const ShardPlan& plan_;
};

class Divergence : public testing::Test {
 protected:
  static RunConfig run_with(const std::string& exchange, double clip_norm, const std::string& on_nonfinite) {
    RunConfig run = make_run(6, exchange);
    run.optimizer.clip_norm = clip_norm;
    run.train.on_nonfinite = on_nonfinite;
    return run;
  }
  // The message of the step that diverges.
  std::string diverge(Engine& engine, Batch& batch) {
    try {
      engine.train_step(batch);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::diverged);
      EXPECT_TRUE(error.agreed());
      const std::string text = error.what();
      EXPECT_EQ(world.gather_texts(text), std::vector<std::string>(static_cast<std::size_t>(world.size()), text));
      return text;
    }
    ADD_FAILURE() << "no error";
    return "";
  }
  static void expect_in(const std::string& text, std::initializer_list<const char*> parts) {
    for (const char* part : parts) EXPECT_NE(text.find(part), std::string::npos) << part << " is not in: " << text;
  }

  Communicator world{MPI_COMM_WORLD};
  Dataset data = make_dataset(kSamples);
};

// The numbers of sample 50 are finite, but not what the second layer makes of them.
TEST_F(Divergence, ALossThatIsNotFiniteIsTracedToLayerShardAndSample) {
  for (const char* exchange : {"node", "tree", "allreduce"}) {
    for (const double clip_norm : {0.0, 0.5}) {
      RunConfig run = run_with(exchange, clip_norm, "stop");
      run.model.layers = {{"dense", {{"units", 4}, {"init", "constant"}, {"init_value", 1e3}}},
                          {"leaky_relu"},
                          {"dense", {{"units", 3}, {"init", "constant"}, {"init_value", 1e3}}}};
      const auto engine = make_engine(world, run);
      PlainBatch batch(data, engine->shards());
      batch.bad_sample = 50;
      batch.bad_value = 1e34F;
      const std::string before = engine->digest();
      const std::string text = diverge(*engine, batch);
      expect_in(text,
                {"in step 1", "the output of dense2 is not finite for samples 50 in shard 4 of 6", "46, 47, 48", "57"});
      EXPECT_EQ(engine->digest(), before);
    }
  }
}

TEST_F(Divergence, AnInputThatIsNotFiniteIsNamedAndChangesNothing) {
  for (const char* exchange : {"node", "tree"}) {
    for (const double clip_norm : {0.0, 0.5}) {
      const auto engine = make_engine(world, run_with(exchange, clip_norm, "stop"));
      PlainBatch batch(data, engine->shards());
      engine->train_step(batch);
      const std::string before = engine->digest();
      batch.bad_sample = 50;
      batch.bad_value = std::numeric_limits<float>::quiet_NaN();
      const std::string text = diverge(*engine, batch);
      expect_in(text, {"in step 2", "the input is not finite for samples 50 in shard 4 of 6", "46, 47, 48", "57"});
      EXPECT_EQ(engine->digest(), before);  // the loss told before anything was updated
    }
  }
}

// The loss is finite, being added in double, but the gradient is not: 1e30 times 1e30.
TEST_F(Divergence, AGradientThatIsNotFiniteIsTracedToItsShard) {
  int with_clip = 0;
  for (const char* exchange : {"node", "tree", "allreduce"}) {
    for (const std::int64_t units : {3, 3, 600}) {  // a large layer's gradient comes in two parts
      RunConfig run = run_with(exchange, ++with_clip % 2 == 0 ? 1.0 : 0.0, "stop");
      run.model.loss = {"mse"};
      run.model.layers = {{"dense", {{"units", units}}}};
      Dataset values = data;
      values.y = make_table(static_cast<std::size_t>(units),
                            std::vector<float>(kSamples * static_cast<std::size_t>(units), 0.5F));
      const auto engine = make_engine(world, run);
      PlainBatch batch(values, engine->shards());
      batch.bad_sample = 50;
      batch.bad_value = 1e30F;
      const std::string text = diverge(*engine, batch);
      expect_in(text, {"in step 1", "the gradient of dense1/weight is not finite", "shard 4 of 6", "46, 47, 48", "57"});
    }
  }
}

TEST_F(Divergence, SuchStepsAreLeftOutWhereTheRunSaysSo) {
  std::vector<std::string> digests;
  for (const char* exchange : {"node", "tree"}) {
    const auto engine = make_engine(world, run_with(exchange, 0, "skip"));
    PlainBatch batch(data, engine->shards());
    EXPECT_TRUE(engine->train_step(batch).skipped.empty());
    engine->settle();
    const std::vector<float> before(engine->weights().begin(), engine->weights().end());
    batch.bad_sample = 3;
    batch.bad_value = kInfinity;
    const StepResult skipped = engine->train_step(batch);
    expect_in(skipped.skipped, {"the input is not finite for samples 3 in shard 0 of 6"});
    EXPECT_EQ(skipped.step, 2U);
    EXPECT_TRUE(std::equal(before.begin(), before.end(), engine->weights().begin()));
    batch.bad_sample = kSamples;
    const StepResult next = engine->train_step(batch);
    EXPECT_EQ(next.step, 3U);
    engine->settle();
    EXPECT_TRUE(next.skipped.empty());
    EXPECT_TRUE(next.gradient_norm.has_value());
    EXPECT_FALSE(std::equal(before.begin(), before.end(), engine->weights().begin()));
    digests.push_back(engine->digest());
  }
  EXPECT_EQ(digests[0], digests[1]);
}

TEST_F(Divergence, AHundredInARowAreTooMany) {
  const auto engine = make_engine(world, run_with("node", 0, "skip"));
  PlainBatch batch(data, engine->shards());
  batch.bad_sample = 3;
  batch.bad_value = kInfinity;
  for (int step = 0; step < 99; ++step) EXPECT_FALSE(engine->train_step(batch).skipped.empty());
  expect_in(diverge(*engine, batch), {"in step 100", "100 in a row"});
}

// lars and lamb change their state while they take the norms, so the gradient is looked at before.
TEST_F(Divergence, OptimizersWithNormsLeaveTheirStateAlone) {
  for (const char* optimizer : {"lars", "lamb"}) {
    RunConfig run = run_with("node", 0, "stop");
    run.optimizer.type = optimizer;
    const auto engine = make_engine(world, run);
    PlainBatch batch(data, engine->shards());
    engine->train_step(batch);
    const std::string before = engine->digest();
    batch.bad_sample = 50;
    batch.bad_value = kInfinity;
    expect_in(diverge(*engine, batch), {"in step 2", "the input is not finite for samples 50 in shard 4 of 6"});
    EXPECT_EQ(engine->digest(), before);
  }
}

TEST_F(Divergence, ATrainingGoesOnFromACheckpointAfterIt) {
  const TemporaryFolder folder;
  const std::string path = world.broadcast_text((folder.path() / "good.h5").string());
  RunConfig run = run_with("node", 0, "stop");
  run.model.loss = {"mse"};
  run.model.layers = {{"dense", {{"units", 3}}}};
  Dataset values = data;
  values.y = make_table(3, std::vector<float>(kSamples * 3, 0.5F));
  const auto engine = make_engine(world, run);
  PlainBatch batch(values, engine->shards());
  engine->train_step(batch);
  engine->save(path);
  batch.bad_sample = 50;
  batch.bad_value = 1e30F;
  diverge(*engine, batch);  // the weights are spoilt
  std::optional<Checkpoint> read;
  if (world.is_root()) read = read_checkpoint(path);
  engine->load(read ? &*read : nullptr, path);
  batch.bad_sample = kSamples;
  EXPECT_EQ(engine->train_step(batch).step, 2U);
}

TEST_F(Divergence, LookingForThemChangesNoBit) {
  const auto stop = make_engine(world, run_with("node", 0, "stop"));
  const auto skip = make_engine(world, run_with("node", 0, "skip"));
  EXPECT_EQ(test::train(*skip, data, 32, 2), test::train(*stop, data, 32, 2));
  EXPECT_EQ(skip->digest(), stop->digest());
}

TEST_F(Divergence, TheNotesOfAStepReachAllRanks) {
  for (const char* exchange : {"node", "tree", "allreduce"}) {
    const auto engine = make_engine(world, run_with(exchange, 0.5, "stop"));
    PlainBatch batch(data, engine->shards());
    engine->train_step(batch, world.rank() == world.size() - 1 ? 8 : 0);
    EXPECT_EQ(engine->notes(), 8U);
    engine->train_step(batch);
    EXPECT_EQ(engine->notes(), 0U);
  }
}

TEST_F(Divergence, AnAuditNamesWhoseWeightsHaveDrifted) {
  const auto shared = make_engine(world, run_with("node", 0, "stop"));
  EXPECT_NO_THROW(shared->audit());  // one copy a host
  for (const char* exchange : {"tree", "allreduce"}) {
    const auto engine = make_engine(world, run_with(exchange, 0, "stop"));
    PlainBatch batch(data, engine->shards());
    engine->train_step(batch);
    EXPECT_NO_THROW(engine->audit());
    if (world.size() == 1) continue;
    const int odd = world.size() - 1;
    const std::string host = world.gather_texts(host_name()).back();
    if (world.rank() == odd) const_cast<float&>(engine->weights()[3]) += 1e-3F;
    try {
      engine->audit();
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_TRUE(error.agreed());
      expect_in(error.what(), {"by step 1", ("rank " + std::to_string(odd) + " on " + host).c_str(), "1 of "});
      EXPECT_EQ(std::string(error.what()).find("rank 0"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace lockstep
