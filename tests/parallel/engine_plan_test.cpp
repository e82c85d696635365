// What an engine is said to need, before there is one, against what it holds; and one that does not fit.
#include "step/engine_plan.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "parallel/training.hpp"

namespace lockstep {
namespace {

class EnginePlanTest : public testing::Test {
 protected:
  EnginePlanTest() {
    if (world.nodes() > 1) return;  // the ranks are on several hosts in truth
    halves.emplace(MPI_COMM_WORLD, Communicator::Order::by_host, world.rank() < (world.size() + 1) / 2 ? 0 : 1);
    turns.emplace(MPI_COMM_WORLD, Communicator::Order::of_parent, world.rank() % 2);
    each.emplace(MPI_COMM_WORLD, Communicator::Order::of_parent, world.rank());
  }
  [[nodiscard]] std::vector<const Communicator*> placements() const {
    std::vector<const Communicator*> all{&world};
    for (const auto* comm : {&halves, &turns, &each}) {
      if (*comm) all.push_back(&**comm);
    }
    return all;
  }
  static RunConfig wide_run(const std::string& exchange, std::int64_t shards) {
    RunConfig run = test::make_run(shards, exchange);
    run.model.layers = {{"dense", {{"units", 3000}}}, {"relu"}, {"dropout", {{"rate", 0.1}}},
                        {"dense", {{"units", 40}}},   {"gelu"}, {"dense", {{"units", 3}}}};
    return run;
  }
  static EnginePlan plan_of(const Communicator& comm, const RunConfig& run, std::size_t rows) {
    return {comm, run, EngineParts(run, 6, 100), rows};
  }

  Communicator world{MPI_COMM_WORLD};
  std::optional<Communicator> halves, turns, each;
};

TEST_F(EnginePlanTest, TellsTheBytesThatAnEngineHolds) {
  for (const Communicator* comm : placements()) {
    for (const auto& [shards, optimizer] : {std::pair{std::int64_t{4}, "sgd"}, {7, "adam"}, {16, "lamb"}}) {
      for (const std::string exchange : {"node", "bfloat16", "tree", "allreduce"}) {
        const bool rounds = exchange == "bfloat16";
        RunConfig run = wide_run(rounds ? "node" : exchange, shards);
        if (rounds) run.train.wire = "bfloat16";
        run.optimizer.type = optimizer;
        run.train.ema = shards == 7 ? 0.9 : 0;
        if (shards == 16) run.model.freeze = {"dense1"};
        EnginePlan plan = plan_of(*comm, run, 5 + static_cast<std::size_t>(shards));
        const std::size_t told = plan.bytes();
        const std::size_t saving = plan.saving_bytes();
        const Engine engine(std::move(plan));
        const std::string which = exchange + " " + optimizer + " " + std::to_string(comm->nodes());
        EXPECT_EQ(told, engine.bytes()) << which;
        std::size_t room = 0;
        for (const Buffer<float>& array : engine.make_state().room) room += array.size() * sizeof(float);
        if (comm->is_root()) {
          EXPECT_EQ(saving, engine.checkpoint_bytes() + room) << which;
        }
      }
    }
  }
}

TEST_F(EnginePlanTest, TellsOfHostsWhatTheirExchangeDoes) {
  for (const Communicator* comm : placements()) {
    if (comm->nodes() == 1) continue;
    RunConfig run = wide_run("node", 4);
    const EnginePlan plain = plan_of(*comm, run, 1);
    EXPECT_GT(plain.exchange.traffic, 0.99);  // of 1, but for the padding between hosts' slices
    EXPECT_EQ(plain.exchange.bits_depend_on, "");
    EXPECT_FALSE(plain.exchange.copies_have_slots);
    EXPECT_GT(plain.exchange.own_bytes, 0U);  // what goes over the network lies twice
    run.train.wire = "bfloat16";
    const EnginePlan rounded = plan_of(*comm, run, 1);
    EXPECT_EQ(rounded.exchange.traffic, plain.exchange.traffic / 2);
    EXPECT_EQ(rounded.exchange.own_bytes, plain.exchange.own_bytes / 2);
    EXPECT_NE(rounded.exchange.bits_depend_on, "");
    EXPECT_TRUE(rounded.exchange.copies_have_slots);
  }
}

TEST_F(EnginePlanTest, ANetThatDoesNotFitIsRefusedByAllBeforeItTakesMemory) {
  for (const char* exchange : {"node", "tree", "allreduce"}) {
    RunConfig run = test::make_run(4, exchange);
    run.model.layers = {{"dense", {{"units", 180'000}}},
                        {"relu"},
                        {"dense", {{"units", 180'000}}},
                        {"relu"},
                        {"dense", {{"units", 3}}}};  // 32 billion weights
    try {
      const Engine engine(plan_of(world, run, 8));
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_TRUE(error.agreed());
      EXPECT_EQ(error.kind(), ErrorKind::config);
      const std::string told = error.what();
      EXPECT_TRUE(told.starts_with("this run needs ")) << told;
      const bool advises = told.find("train.exchange = \"node\"") != std::string::npos;
      EXPECT_EQ(advises, std::string(exchange) != "node" && world.size() > world.nodes()) << told;
    }
  }
}

// Rows and widths that multiply beyond what 64 bits hold.
TEST_F(EnginePlanTest, ABatchBeyondAllMemoryIsRefused) {
  const RunConfig run = wide_run("tree", 4);
  EXPECT_EQ(plan_of(world, run, std::size_t{1} << 60U).activation_bytes(), Model::kMostBytes);
  EXPECT_THROW(plan_of(world, run, std::size_t{1} << 60U).require_memory(), Error);
}

}  // namespace
}  // namespace lockstep
