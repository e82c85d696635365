// A Trainer whose ranks do not all do their part: one throws in its batch or its log, stays away or gets stuck. Nobody
// waits for ever.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <optional>
#include <stdexcept>

#include "comm/patience.hpp"
#include "lockstep/trainer.hpp"
#include "parallel/training.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kFaultSamples = 24;

RunConfig classification(const std::string& exchange) {
  RunConfig run = test::make_run(12, exchange);
  run.model.layers = {{"dense", {{"units", 8}}}, {"tanh"}, {"dense", {{"units", 3}}}};
  return run;
}

// Two samples a shard. `before` is called in gather(), before the rows are filled, `after` behind that.
class ShardBatch final : public Batch {
 public:
  [[nodiscard]] std::size_t samples() const override {
    if (asked_for_samples) asked_for_samples();
    return kFaultSamples;
  }
  [[nodiscard]] std::size_t rows(std::size_t /*shard*/) const override { return 2; }
  void gather(std::size_t shard, const BatchRows& rows) override {
    if (before) before(shard);
    for (std::size_t i = 0; i < rows.samples.size(); ++i) {
      rows.samples[i] = static_cast<std::uint32_t>(2 * shard + i);
      rows.labels[i] = static_cast<std::int32_t>((shard + i) % 3);
    }
    for (std::size_t i = 0; i < rows.x.size(); ++i) rows.x[i] = static_cast<float>((7 * shard + i) % 11) / 11;
    if (after) after(shard, rows);
  }
  std::function<void()> asked_for_samples;
  std::function<void(std::size_t shard)> before;
  std::function<void(std::size_t shard, const BatchRows& rows)> after;
};

class TrainerFaults : public testing::Test {
 protected:
  // The message of an agreed error of that kind, which all ranks must have.
  std::string failure(ErrorKind kind, const std::function<void()>& work) {
    std::string text;
    try {
      work();
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      EXPECT_TRUE(error.agreed()) << error.what();
      text = error.what();
    }
    EXPECT_EQ(comm.gather_texts(text), std::vector<std::string>(static_cast<std::size_t>(comm.size()), text));
    return text;
  }
  void expect_in(const std::string& text, std::initializer_list<std::string> parts) const {
    for (const std::string& part : parts)
      EXPECT_NE(text.find(part), std::string::npos) << part << " is not in: " << text;
  }
  // Whoever looks first names who is to blame; others may see that rank giving up.
  [[nodiscard]] std::string told_by_all(const std::string& told) const {
    std::string all;
    for (const std::string& text : comm.gather_texts(told)) all += text + "\n";
    return all;
  }
  [[nodiscard]] bool is_last() const { return comm.rank() == comm.size() - 1; }
  [[nodiscard]] std::size_t shards_a_rank() const { return 12 / static_cast<std::size_t>(comm.size()); }

  Communicator comm{MPI_COMM_WORLD};
};

TEST_F(TrainerFaults, ABatchThatThrowsOnOneRankThrowsOnAllAndChangesNothing) {
  const std::string who = comm.size() == 1 ? "" : "rank " + std::to_string(comm.size() - 1) + ": ";
  for (const char* exchange : {"node", "tree", "allreduce"}) {
    Trainer trainer(MPI_COMM_WORLD, classification(exchange), 6);
    Trainer undisturbed(MPI_COMM_WORLD, classification(exchange), 6);
    ShardBatch good;
    trainer.train_step(good);
    undisturbed.train_step(good);
    const std::string before = trainer.digest();
    for (const std::size_t bad : {12 - shards_a_rank(), std::size_t{11}}) {  // the first and the last of the last rank
      ShardBatch batch;
      const std::string where =
          who + "the batch could not give the samples of shard " + std::to_string(bad) + " of 12: ";
      const auto fail_with = [&](const auto& thrown) {
        batch.before = [thrown, bad](std::size_t shard) {
          if (shard == bad) throw thrown;
        };
      };
      fail_with(Error(ErrorKind::data, "a sensor is gone"));
      EXPECT_EQ(failure(ErrorKind::data, [&] { trainer.train_step(batch); }), where + "a sensor is gone");
      fail_with(std::runtime_error("no such simulation"));
      EXPECT_EQ(failure(ErrorKind::usage, [&] { trainer.train_step(batch); }), where + "no such simulation");
      fail_with(std::bad_alloc());
      EXPECT_EQ(failure(ErrorKind::io, [&] { trainer.train_step(batch); }), where + "out of memory");
      fail_with(7);
      expect_in(failure(ErrorKind::usage, [&] { trainer.train_step(batch); }), {where, "no std::exception"});
    }
    EXPECT_EQ(trainer.digest(), before);
    EXPECT_EQ(trainer.steps(), 1U);
    EXPECT_EQ(trainer.train_step(good).loss, undisturbed.train_step(good).loss);
    EXPECT_EQ(trainer.digest(), undisturbed.digest());
  }
}

TEST_F(TrainerFaults, ABatchThatCannotTellItsSizeThrowsOnAll) {
  Trainer trainer(MPI_COMM_WORLD, classification("node"), 6);
  ShardBatch batch;
  if (is_last()) batch.asked_for_samples = [] { throw Error(ErrorKind::io, "not counted"); };
  expect_in(failure(ErrorKind::io, [&] { trainer.train_step(batch); }), {"its number of samples", "not counted"});
  batch.asked_for_samples = {};
  EXPECT_EQ(trainer.train_step(batch).step, 1U);
}

TEST_F(TrainerFaults, ALabelThatIsNoClassIsAnErrorOnAllRanks) {
  Trainer trainer(MPI_COMM_WORLD, classification("node"), 6);
  for (const std::int32_t label : {3, -1}) {
    ShardBatch batch;
    batch.after = [&](std::size_t shard, const BatchRows& rows) {
      if (shard == 11) rows.labels[0] = label;
    };
    expect_in(failure(ErrorKind::usage, [&] { trainer.train_step(batch); }),
              {"shard 11 of 12", "label " + std::to_string(label) + " is not in 0 to 2"});
  }
}

// The batch is asked once more, to find where a number is not finite.
TEST_F(TrainerFaults, ABatchThatThrowsWhenItIsAskedAgainThrowsOnAll) {
  Trainer trainer(MPI_COMM_WORLD, classification("node"), 6);
  ShardBatch batch;
  int asked = 0;
  batch.after = [&](std::size_t shard, const BatchRows& rows) {
    if (shard != 11) return;
    if (++asked > 1) throw Error(ErrorKind::data, "gone");
    rows.x[0] = std::numeric_limits<float>::infinity();
  };
  expect_in(failure(ErrorKind::data, [&] { trainer.train_step(batch); }), {"gone"});
}

TEST_F(TrainerFaults, ALogThatThrowsThrowsOnAllRanks) {
  const auto log = [](LogLevel, std::string_view) { throw std::runtime_error("the log is full"); };
  const auto make = [&] { Trainer(MPI_COMM_WORLD, classification("allreduce"), 6, {.log = log}); };
  if (comm.size() == 1) {
    EXPECT_NO_THROW(make());  // there is nothing to tell
  } else {
    expect_in(failure(ErrorKind::usage, make), {"the log could not take a message: the log is full"});
  }
}

// What is left to do with a trainer that has given up is to let go of it.
void expect_no_more_use(Trainer& trainer) {
  ShardBatch batch;
  std::vector<float> x(6);
  std::vector<float> y(3);
  const std::initializer_list<const char*> told{"this Trainer is of no more use"};
  expect_error(ErrorKind::comm, told, [&] { trainer.train_step(batch); });
  expect_error(ErrorKind::comm, told, [&] { trainer.train_step(LocalSamples{.x = {}}); });
  expect_error(ErrorKind::comm, told, [&] { (void)trainer.evaluate({.x = {}}); });
  expect_error(ErrorKind::comm, told, [&] { trainer.predict(x, y); });
  expect_error(ErrorKind::comm, told, [&] { trainer.save("never.h5"); });
  expect_error(ErrorKind::comm, told, [&] { trainer.load("never.h5"); });
  expect_error(ErrorKind::comm, told, [&] { (void)trainer.digest(); });
}

// An error of kind comm comes to all ranks here, so that this one needs no time.
TEST_F(TrainerFaults, AfterAnErrorOfKindCommATrainerIsOfNoMoreUse) {
  for (const char* exchange : {"node", "tree", "allreduce"}) {
    Trainer trainer(MPI_COMM_WORLD, classification(exchange), 6);
    ShardBatch batch;
    trainer.train_step(batch);
    batch.before = [](std::size_t shard) {
      if (shard == 11) throw Error(ErrorKind::comm, "the cable is cut");
    };
    expect_in(failure(ErrorKind::comm, [&] { trainer.train_step(batch); }), {"the cable is cut"});
    expect_no_more_use(trainer);
  }
  Trainer next(MPI_COMM_WORLD, classification("node"), 6);  // nothing else has come to harm
  ShardBatch batch;
  EXPECT_EQ(next.train_step(batch).step, 1U);
}

TEST_F(TrainerFaults, ARankThatStaysAwayIsWaitedForNoLongerThanTheRunSays) {
  RunConfig run = classification("node");
  run.train.stall_timeout = 3;  // those that come are never as late as that
  MPI_Comm host = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host), "MPI_Comm_split_type");
  {
    Communicator here(host);
    const bool last = here.rank() == here.size() - 1;
    Trainer trainer(host, run, 6);
    ShardBatch batch;
    EXPECT_EQ(trainer.train_step(batch).step, 1U);
    if (here.size() > 1) {
      if (last) here.barrier();
      expect_error(ErrorKind::comm, {last ? "has given up, and takes part no more" : "rank "},
                   [&] { trainer.train_step(batch); });
      if (!last) here.barrier();
      expect_no_more_use(trainer);
    }
  }
  check_mpi(MPI_Comm_free(&host), "MPI_Comm_free");
}

// An engine in a program that uses the library. Nobody is impatient until the test says so.
struct LimitedEngine {
  LimitedEngine(std::optional<int> host, const RunConfig& run)
      : comm(MPI_COMM_WORLD, Communicator::Order::by_host, host, &patience), pulses(share_pulses(comm)) {
    patience.watch(&pulses);
    comm.attach(*pulses.pulses[pulses.own]);
    engine = test::make_engine(comm, run);
  }
  // The last rank comes to it when the others have given up; what this rank has met.
  std::string meet(const Communicator& all, double timeout, const std::function<void()>& step, bool comes_late) {
    patience.set_timeout(timeout);
    if (comes_late) all.barrier();
    std::string told;
    try {
      step();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::comm);
      EXPECT_FALSE(error.agreed());
      told = error.what();
    }
    patience.give_up(told);
    return told;
  }
  ~LimitedEngine() {
    engine.reset();
    comm.detach();
  }

  Patience patience{600};
  Communicator comm;
  HostPulses pulses;
  std::unique_ptr<Engine> engine;
};

TEST_F(TrainerFaults, WhoeverHoldsUpTheOthersIsNamed) {
  if (comm.size() == 1 || comm.nodes() > 1) return;  // on other hosts they are not seen
  for (const char* exchange : {"node", "tree", "allreduce"}) {
    for (const bool stuck_in_batch : {true, false}) {
      LimitedEngine limited({}, classification(exchange));
      ShardBatch batch;
      limited.engine->train_step(batch);
      comm.barrier();
      if (is_last() && stuck_in_batch) {
        batch.before = [&](std::size_t shard) {
          if (shard == 11) comm.barrier();
        };
      }
      const auto step = [&] { limited.engine->train_step(batch); };
      const std::string told = limited.meet(comm, 0.5, step, is_last() && !stuck_in_batch);
      if (!is_last()) comm.barrier();
      EXPECT_NE(told, "");
      const std::string all = told_by_all(told);
      if (is_last()) expect_in(told, {"has given up, and takes part no more"});
      if (comm.size() > 2) continue;  // where there are others, a slow one of them may be taken for it
      expect_in(all, {"rank 1 on ", "has given no sign of life", "(train.stall_timeout = 0.5)",
                      stuck_in_batch ? "last seen in step 2, in gathering samples" : "in the time between two steps"});
    }
  }
}

TEST_F(TrainerFaults, ARankThatMakesNoTrainerIsNotWaitedForEither) {
  if (comm.size() == 1) return;
  RunConfig run = classification("node");
  run.train.stall_timeout = 0.5;
  MPI_Comm parent = MPI_COMM_NULL;  // some of whose barriers are never over
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &parent), "MPI_Comm_dup");
  if (is_last()) comm.barrier();
  expect_error(ErrorKind::comm, {"in vain for the other ranks", "train.stall_timeout = 0.5"},
               [&] { Trainer(parent, run, 6); });
  if (!is_last()) comm.barrier();
}

// Several hosts, which are groups of the ranks here: nothing is seen of the others.
TEST_F(TrainerFaults, ARankOfAnotherHostIsNotWaitedForEverEither) {
  if (comm.size() == 1) return;
  LimitedEngine limited(comm.nodes() > 1 ? std::nullopt : std::optional(is_last() ? 1 : 0), test::make_run(7, "node"));
  limited.pulses.elsewhere = "ranks on another host";  // which has the same name where it is none
  const Dataset data = test::make_dataset(70);
  test::train(*limited.engine, data, 32, 1);
  const std::string waits = std::to_string(limited.comm.pulse().waits_begun.load());
  EXPECT_EQ(comm.gather_texts(waits), std::vector<std::string>(static_cast<std::size_t>(comm.size()), waits));
  const auto step = [&] { test::train(*limited.engine, data, 32, 1); };
  const std::string told = limited.meet(comm, 0.2, step, is_last());  // another host is given ten times as long
  if (!is_last()) comm.barrier();
  EXPECT_NE(told, "");
  if (comm.size() == 2) expect_in(told_by_all(told), {"for an answer of ranks on another host"});
}

}  // namespace
}  // namespace lockstep
