// Frozen layers, class weights and starting from another net: equal bits at any rank count.
#include "run/warm_start.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <optional>

#include "lockstep/trainer.hpp"
#include "parallel/allocations.hpp"
#include "parallel/training.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

using test::make_dataset;
using test::make_engine;
using test::make_run;
using test::train;

class WarmStartTest : public testing::Test {
 protected:
  WarmStartTest() {
    const Communicator plain(MPI_COMM_WORLD);
    if (plain.nodes() == 1) halves.emplace(MPI_COMM_WORLD, Communicator::Order::by_host, plain.rank() % 2);
  }

  // Three dense layers, of which `frozen` stay; several buckets between hosts.
  static RunConfig run_with(const std::string& exchange, std::vector<std::string> frozen) {
    RunConfig run = make_run(7, exchange);
    run.model.layers[0].options.set("units", 520);
    run.model.freeze = std::move(frozen);
    run.optimizer.options.set("weight_decay", 0.1);
    return run;
  }
  static RunConfig weighted(RunConfig run) {
    run.model.loss.options.set("class_weights", std::vector<double>{0.3, 1, 2.7});
    return run;
  }
  // The bits of one rank, on this job's ranks in any exchange and on two hosts of them.
  void expect_same_bits(const RunConfig& run) {
    const auto alone = make_engine(self, run);
    const std::vector<double> losses = train(*alone, data, 32, 3);
    const auto check = [&](const Communicator& comm, const char* exchange) {
      RunConfig there = run;
      there.train.exchange = exchange;
      const auto together = make_engine(comm, there);
      EXPECT_EQ(train(*together, data, 32, 3), losses) << exchange << " on " << comm.nodes() << " hosts";
      EXPECT_EQ(together->digest(), alone->digest()) << exchange << " on " << comm.nodes() << " hosts";
      EXPECT_NO_THROW(together->audit());
    };
    check(world, "tree");
    check(world, "node");
    if (halves) check(*halves, "node");
  }
  [[nodiscard]] std::string shared(const TemporaryFolder& folder, const char* name) const {
    return world.broadcast_text((folder.path() / name).string());
  }
  static std::vector<float> weights_of(const Engine& engine, std::size_t parameter) {
    const Range range = engine.model().parameters().entries()[parameter].range;
    const auto part = engine.weights().subspan(range.begin, range.size());
    return {part.begin(), part.end()};
  }

  Communicator world{MPI_COMM_WORLD};
  Communicator self{MPI_COMM_SELF};
  std::optional<Communicator> halves;
  Dataset data = make_dataset(70);
};

TEST_F(WarmStartTest, FrozenLayersKeepTheirBitsAndTheRestIsTheSameAtAnyRankCount) {
  for (const char* optimizer : {"adamw", "sgd", "lamb"}) {
    for (const std::vector<std::string>& frozen :
         std::initializer_list<std::vector<std::string>>{{"dense1"}, {"dense2"}, {"dense1", "dense3"}}) {
      RunConfig run = run_with("node", frozen);
      run.optimizer.type = optimizer;
      if (run.optimizer.type == "sgd") run.optimizer.options.set("momentum", 0.9);
      expect_same_bits(run);
      const auto engine = make_engine(world, run);
      const auto untrained = make_engine(world, run);
      train(*engine, data, 32, 2);
      engine->settle();
      for (std::size_t i = 0; i < engine->model().trained().size(); ++i) {
        EXPECT_EQ(weights_of(*engine, i) == weights_of(*untrained, i), !engine->model().trained()[i]) << i;
      }
    }
  }
}

// A frozen weight is its own average, though nobody moves it.
TEST_F(WarmStartTest, TheAverageHasTheWeightsOfFrozenLayers) {
  const TemporaryFolder folder;
  const std::string first = shared(folder, "first.h5");
  make_engine(world, run_with("node", {}))->save(first);
  RunConfig run = run_with("node", {"dense2"});
  run.train.ema = 0.9;
  run.seed = 6;
  std::vector<const Communicator*> comms{&world};
  if (halves) comms.push_back(&*halves);
  std::vector<std::string> digests;
  for (const Communicator* comm : comms) {
    const auto engine = make_engine(*comm, run);
    WarmStart start(*comm, first);
    start.match(engine->model());
    start.apply(*engine);
    const std::string path = shared(folder, "begun.h5");
    for (const std::uint64_t epochs : {0U, 2U}) {
      train(*engine, data, 32, epochs);
      engine->save(path);
      digests.push_back(engine->digest());
      if (!world.is_root()) continue;
      const Checkpoint saved = read_checkpoint(path);
      for (std::size_t i = 0; i < saved.table.entries().size(); ++i) {
        const Range range = saved.table.entries()[i].range;
        const auto part = [&](const std::vector<float>& all) {
          return std::span(all).subspan(range.begin, range.size());
        };
        EXPECT_EQ(std::ranges::equal(part(saved.ema), part(saved.weights)), epochs == 0 || i == 2 || i == 3) << i;
      }
    }
  }
  for (std::size_t i = 2; i < digests.size(); ++i) EXPECT_EQ(digests[i], digests[i - 2]);
}

TEST_F(WarmStartTest, RoundedGradientsLeaveFrozenLayersAlone) {
  if (!halves) return;  // several hosts in truth: tests/cluster
  RunConfig run = run_with("node", {"dense2"});
  run.train.wire = "bfloat16";
  const auto engine = make_engine(*halves, run);
  const auto untrained = make_engine(*halves, run);
  const std::vector<double> losses = train(*engine, data, 32, 3);
  engine->settle();
  EXPECT_LT(losses.back(), losses.front());
  EXPECT_NO_THROW(engine->audit());
  for (std::size_t i = 0; i < engine->model().trained().size(); ++i) {
    EXPECT_EQ(weights_of(*engine, i) == weights_of(*untrained, i), !engine->model().trained()[i]) << i;
  }
}

TEST_F(WarmStartTest, ClassWeightsGiveTheSameBitsAtAnyRankCount) {
  expect_same_bits(weighted(run_with("node", {})));
  expect_same_bits(weighted(run_with("node", {"dense1"})));
}

TEST_F(WarmStartTest, AStepWithThemAllocatesNothing) {
  for (const char* exchange : {"node", "tree"}) {
    const auto engine = make_engine(world, weighted(run_with(exchange, {"dense2"})));
    const Normalization plain;
    DatasetBatch batches(data, plain, {70, 32}, engine->shards(), 5);
    batches.start_epoch(0);
    batches.select(0);
    engine->train_step(batches);
    const std::size_t before = test::allocations();
    batches.select(1);
    engine->train_step(batches);
    EXPECT_EQ(test::allocations(), before) << exchange;
  }
}

TEST_F(WarmStartTest, ABatchWithoutWeightIsLeftOut) {
  Dataset first = data;  // the first 32 samples have class 0 alone
  std::vector<std::int32_t> labels(70, 0);
  for (std::size_t i = 32; i < 70; ++i) labels[i] = static_cast<std::int32_t>(i % 3);
  first.y = make_table(1, std::move(labels));
  class InOrder final : public Batch {
   public:
    InOrder(const Dataset& data, ShardPlan plan) : data_(data), plan_(plan) {}
    [[nodiscard]] std::size_t samples() const override { return range.size(); }
    [[nodiscard]] std::size_t rows(std::size_t shard) const override { return plan_.rows(samples(), shard).size(); }
    void gather(std::size_t shard, const BatchRows& rows) override {
      const Range part = plan_.rows(samples(), shard);
      for (std::size_t i = 0; i < part.size(); ++i)
        rows.samples[i] = static_cast<std::uint32_t>(range.begin + part.begin + i);
      gather_samples(data_, Normalization{}, rows.samples, rows);
    }
    Range range{0, 32};

   private:
    const Dataset& data_;
    ShardPlan plan_;
  };
  for (const double smoothing : {0.0, 0.1}) {
    RunConfig run = run_with("node", {});
    run.model.loss.options = {{"class_weights", std::vector<double>{0, 1, 2}}, {"label_smoothing", smoothing}};
    const auto engine = make_engine(world, run);
    InOrder batch(first, engine->shards());
    const std::vector<float> before(engine->weights().begin(), engine->weights().end());
    const StepResult left_out = engine->train_step(batch);
    EXPECT_EQ(left_out.skipped, "all its samples are of classes with weight 0");
    EXPECT_EQ(left_out.weight, 0.0);
    EXPECT_FALSE(std::isfinite(left_out.loss));
    EXPECT_TRUE(std::ranges::equal(before, engine->weights()));
    batch.range = {32, 70};
    const StepResult next = engine->train_step(batch);
    engine->settle();
    EXPECT_EQ(next.skipped, "");
    EXPECT_EQ(next.step, 2U);
    EXPECT_EQ(next.weight, 12 + 2 * 13);  // 34, 37, ..., 67 and 32, 35, ..., 68
    EXPECT_FALSE(std::ranges::equal(before, engine->weights()));
  }
}

TEST_F(WarmStartTest, WhatFitsIsTakenByAllRanksAndTheRestIsOfTheSeed) {
  const TemporaryFolder folder;
  const std::string path = shared(folder, "other.h5");
  RunConfig other = run_with("node", {});
  other.seed = 77;
  other.model.layers.back() = {"dense", {{"units", 3}}, "head"};
  const auto source = make_engine(world, other);
  train(*source, data, 32, 1);
  source->save(path);
  std::vector<const Communicator*> comms{&world};
  if (halves) comms.push_back(&*halves);
  for (const Communicator* comm : comms) {
    const RunConfig run = run_with("node", {"dense1"});
    WarmStart start(*comm, path);
    EXPECT_EQ(start.path(), path);
    const auto engine = make_engine(*comm, run);
    const auto plain = make_engine(*comm, run);
    start.match(engine->model());
    start.apply(*engine);
    for (std::size_t i = 0; i < 6; ++i) {  // dense1, dense2 and dense3, which is not there
      EXPECT_EQ(weights_of(*engine, i), weights_of(i < 4 ? *source : *plain, i)) << i;
    }
    EXPECT_EQ(engine->info.position.step, 0U);
    if (comm->is_root()) {
      const auto texts = start.texts(nullptr);
      ASSERT_EQ(texts.size(), 2U);
      EXPECT_NE(texts[0].second.find("dense1/weight, dense1/bias, dense2/weight, dense2/bias of " + path),
                std::string::npos)
          << texts[0].second;
      EXPECT_EQ(texts[1].first, LogLevel::notice);
      EXPECT_NE(texts[1].second.find("dense3/weight (not there), dense3/bias (not there)"), std::string::npos)
          << texts[1].second;
      EXPECT_NE(texts[1].second.find("not used: head/weight, head/bias"), std::string::npos) << texts[1].second;
    }
    EXPECT_EQ(frozen_notice(engine->model(), comm->is_root() ? &start : nullptr).empty(), comm->is_root());
    const RunConfig alien = [] {
      RunConfig config = make_run(7, "node");
      config.model.layers = {{"dense", {{"units", 5}}}, {"dense", {{"units", 3}}}};
      return config;
    }();
    const auto has_nothing = make_engine(*comm, alien);
    comm->barrier();
    if (comm->is_root()) {
      expect_error(ErrorKind::config, {"model.initial", path.c_str(), "dense1/weight [520, 6]", "dense1/weight [5, 6]"},
                   [&] { start.match(has_nothing->model()); });
    }
  }
}

TEST_F(WarmStartTest, ADamagedOrMissingSourceIsRefusedOnEveryRank) {
  const TemporaryFolder folder;
  const std::string path = shared(folder, "other.h5");
  make_engine(world, make_run(7, "node"))->save(path);
  world.at_root([&] { std::filesystem::resize_file(path, std::filesystem::file_size(path) - 5); });
  expect_error(ErrorKind::data, {"model.initial: ", path.c_str()}, [&] { WarmStart(world, path); });
  expect_error(ErrorKind::data, {"model.initial: no file or folder", "gone.h5"}, [&] { WarmStart(world, "gone.h5"); });
  const std::string empty = shared(folder, "");
  expect_error(ErrorKind::data, {"model.initial: there is no checkpoint in"}, [&] { WarmStart(world, empty); });
}

TEST_F(WarmStartTest, ATrainerStartsFromACheckpointToo) {
  const TemporaryFolder folder;
  const std::string path = shared(folder, "other.h5");
  RunConfig run = weighted(make_run(7, "node"));
  const auto source = make_engine(world, run);
  train(*source, data, 32, 1);
  source->save(path);
  run.seed = 8;
  run.model.initial = path;
  run.model.freeze = {"dense2"};
  std::string said;
  Trainer trainer(MPI_COMM_WORLD, run, 6, {.log = [&](LogLevel, std::string_view text) { said += text; }});
  EXPECT_EQ(trainer.steps(), 0U);
  EXPECT_EQ(said.find("starts with dense1/weight") != std::string::npos, world.is_root());
  std::vector<float> outputs(3);
  const std::vector<float> x{1, 2, 3, 4, 5, 6};
  trainer.predict(x, outputs);
  const Trainer same = [&] {
    RunConfig plain = run;
    plain.model.initial.reset();
    plain.model.freeze = {};
    Trainer loaded(MPI_COMM_WORLD, plain, 6);
    loaded.load(path);
    return loaded;
  }();
  std::vector<float> expected(3);
  same.predict(x, expected);
  EXPECT_EQ(outputs, expected);
  run.model.loss.options.set("class_weights", "balanced");
  expect_error(ErrorKind::config, {"class_weights", "\"balanced\" needs the labels", "give a list"},
               [&] { Trainer(MPI_COMM_WORLD, run, 6); });
}

// Zeros stand for the state of what is frozen, wherever the hosts hold it.
TEST_F(WarmStartTest, FreezingAfterACheckpointClearsTheStateOfWhatIsFrozen) {
  const TemporaryFolder folder;
  const std::string path = shared(folder, "half.h5");
  const auto source = make_engine(world, run_with("node", {}));
  train(*source, data, 32, 1);
  source->save(path);
  std::optional<Checkpoint> read;
  if (world.is_root()) read = read_checkpoint(path);
  const auto go_on = [&](const Communicator& comm) {
    const auto engine = make_engine(comm, run_with("node", {"dense1"}));
    engine->load(comm.is_root() ? &*read : nullptr, path);
    const std::vector<double> losses = train(*engine, data, 32, 1);
    return std::pair{engine->digest(), losses};
  };
  const auto expected = go_on(world);
  if (halves) {
    EXPECT_EQ(go_on(*halves), expected);
  }
  const TemporaryFolder other;
  const auto engine = make_engine(world, run_with("node", {"dense1"}));
  engine->load(world.is_root() ? &*read : nullptr, path);
  const std::string saved = shared(other, "saved.h5");
  engine->save(saved);
  if (!world.is_root()) return;
  const Checkpoint checkpoint = read_checkpoint(saved);
  const Range range = checkpoint.table.entries()[0].range;
  ASSERT_EQ(checkpoint.slots.size(), 2U);
  for (const std::vector<float>& slot : checkpoint.slots) {
    EXPECT_TRUE(std::all_of(slot.begin(), slot.begin() + static_cast<std::ptrdiff_t>(range.end),
                            [](float value) { return value == 0; }));
  }
}

}  // namespace
}  // namespace lockstep
