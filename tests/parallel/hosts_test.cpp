// Training over several hosts, which are groups of the ranks here: the bits of one rank, and what goes with them.
#include <gtest/gtest.h>

#include <optional>

#include "parallel/training.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

using test::make_dataset;
using test::make_engine;
using test::make_run;
using test::train;

class HostsTest : public testing::Test {
 protected:
  HostsTest() {
    const Communicator plain(MPI_COMM_WORLD);
    if (plain.nodes() > 1) return;  // the ranks are on several hosts in truth
    // Of three ranks, two and one; of two, each for itself.
    halves.emplace(MPI_COMM_WORLD, Communicator::Order::by_host, plain.rank() < (plain.size() + 1) / 2 ? 0 : 1);
    turns.emplace(MPI_COMM_WORLD, Communicator::Order::by_host, plain.rank() % 2);
  }
  [[nodiscard]] std::vector<const Communicator*> placements() const {
    if (!halves) return {&world};
    return {&*halves, &*turns};
  }

  // Wide enough for several buckets, and for a gradient that comes in two parts.
  static RunConfig wide_run(const char* optimizer) {
    RunConfig run = make_run(7, "node");
    run.model.layers = {{"dense", {{"units", 520}}}, {"relu"}, {"dropout", {{"rate", 0.1}}},
                        {"dense", {{"units", 40}}},  {"tanh"}, {"dense", {{"units", 3}}}};
    run.optimizer.type = optimizer;
    return run;
  }

  Communicator world{MPI_COMM_WORLD};
  Communicator self{MPI_COMM_SELF};
  std::optional<Communicator> halves;
  std::optional<Communicator> turns;
};

TEST_F(HostsTest, AnyPlacementMakesTheBitsOfOneRank) {
  const Dataset data = make_dataset(70);
  for (const char* optimizer : {"adam", "lamb", "sgd"}) {
    const RunConfig run = wide_run(optimizer);
    const auto alone = make_engine(self, run);
    const std::vector<double> losses = train(*alone, data, 32, 3);
    for (const Communicator* comm : placements()) {
      for (const bool overlap : {true, false}) {
        RunConfig there = run;
        there.train.overlap = overlap;
        const auto together = make_engine(*comm, there);
        EXPECT_EQ(train(*together, data, 32, 3), losses) << optimizer << " on " << comm->nodes() << " hosts";
        EXPECT_EQ(together->digest(), alone->digest()) << optimizer << " on " << comm->nodes() << " hosts";
        EXPECT_NO_THROW(together->audit());
      }
    }
  }
}

TEST_F(HostsTest, AStateSavedOnSeveralHostsGoesOnOnAnyOther) {
  const Dataset data = make_dataset(70);
  const RunConfig run = wide_run("adam");
  const auto alone = make_engine(self, run);
  train(*alone, data, 32, 1);
  for (const Communicator* comm : placements()) {
    const auto first = make_engine(*comm, run);
    train(*first, data, 32, 1);
    const TemporaryFolder folder;
    const std::string path = comm->broadcast_text((folder.path() / "half.h5").string());
    first->save(path);
    for (const Communicator* next : {static_cast<const Communicator*>(&world), placements().back()}) {
      const auto resumed = make_engine(*next, run);
      std::optional<Checkpoint> read;
      if (next->is_root()) read = read_checkpoint(path);
      resumed->load(read ? &*read : nullptr, path);
      EXPECT_EQ(resumed->digest(), first->digest());
      EXPECT_EQ(train(*resumed, data, 32, 1).size(), 3U);
    }
    comm->barrier();  // the folder goes with rank 0's copy of it
  }
}

// Who waits for each other has begun as many waits: the watchdog goes by that.
TEST_F(HostsTest, AllRanksBeginAsManyWaits) {
  const Dataset data = make_dataset(70);
  for (const Communicator* comm : placements()) {
    for (const char* optimizer : {"adam", "lamb"}) {
      for (const char* wire : {"float32", "bfloat16"}) {
        RunConfig run = wide_run(optimizer);
        run.train.wire = wire;
        const std::uint64_t before = comm->pulse().waits_begun.load();
        {
          const auto engine = make_engine(*comm, run);
          train(*engine, data, 32, 2);
          (void)engine->digest();
        }
        const std::string mine = std::to_string(comm->pulse().waits_begun.load() - before);
        for (const std::string& other : comm->gather_texts(mine)) EXPECT_EQ(other, mine) << optimizer << ", " << wire;
      }
    }
  }
}

// Of a rank's shards, some are added up and on their way to other hosts when the last one fails.
TEST_F(HostsTest, ABatchThatFailsOnOneRankFailsOnAllAndChangesNothing) {
  class FailingBatch final : public Batch {
   public:
    explicit FailingBatch(Batch& good) : good_(good) {}
    [[nodiscard]] std::size_t samples() const override { return good_.samples(); }
    [[nodiscard]] std::size_t rows(std::size_t shard) const override { return good_.rows(shard); }
    void gather(std::size_t shard, const BatchRows& rows) override {
      if (shard == bad) throw Error(ErrorKind::data, "a sensor is gone");
      good_.gather(shard, rows);
    }
    std::size_t bad = 0;

   private:
    Batch& good_;
  };
  const Dataset data = make_dataset(70);
  const Normalization plain;
  for (const Communicator* comm : placements()) {
    for (const char* wire : {"float32", "bfloat16"}) {
      RunConfig run = wide_run("adam");
      run.train.wire = wire;
      const auto engine = make_engine(*comm, run);
      train(*engine, data, 32, 1);
      const std::string before = engine->digest();
      DatasetBatch good(data, plain, {70, 32}, engine->shards(), 5);
      good.start_epoch(0);
      good.select(0);
      FailingBatch batch(good);
      for (const std::size_t bad : {6, 0, 3}) {
        batch.bad = bad;
        try {
          engine->train_step(batch);
          ADD_FAILURE() << "no error";
        } catch (const Error& error) {
          EXPECT_TRUE(error.agreed());
          EXPECT_NE(std::string(error.what()).find("a sensor is gone"), std::string::npos) << error.what();
        }
      }
      EXPECT_EQ(engine->digest(), before);
      EXPECT_EQ(engine->train_step(good).step, 4U);
    }
  }
}

TEST_F(HostsTest, WithBfloat16AllHostsHaveTheSameWeights) {
  const Dataset data = make_dataset(70);
  for (const Communicator* comm : placements()) {
    RunConfig run = wide_run("adam");
    run.train.wire = "bfloat16";
    const auto engine = make_engine(*comm, run);
    EXPECT_EQ(engine->exchange().same_bits_at_any_rank_count(), comm->nodes() == 1);
    const std::vector<double> losses = train(*engine, data, 32, 6);
    EXPECT_NO_THROW(engine->audit());
    EXPECT_LT(losses.back(), losses.front());
  }
}

}  // namespace
}  // namespace lockstep
