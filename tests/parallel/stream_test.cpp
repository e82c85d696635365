// Streamed data against the same data in memory: what is found out of it before a run, and its scores.
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "feed/epoch_batches.hpp"
#include "feed/load_choice.hpp"
#include "score/evaluation.hpp"
#include "single/data/sample_files.hpp"
#include "step/engine.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kStreamedRows = 5300;  // six blocks of the normalisation
constexpr std::size_t kStreamedColumns = 150;

class Stream : public testing::Test {
 protected:
  // `make` fills the folder of rank 0, which all ranks then read.
  void with_files(const std::function<void()>& make) {
    path_ = world.broadcast_text(folder_.path().string());
    if (world.is_root()) make();
    world.barrier();
  }
  void TearDown() override { world.barrier(); }

  [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }

  [[nodiscard]] RunConfig run_of(const std::string& group, const std::string& load,
                                 const std::string& normalize) const {
    RunConfig run;
    run.data.classes = 3;
    run.data.train.x = run.data.test.x = path("a.h5:/") + group;
    run.data.load = load;
    run.data.normalize = normalize;
    run.data.window = "200kB";
    run.train.shards = 5;
    run.train.batch = 64;
    return run;
  }
  [[nodiscard]] RunData read(RunConfig run, const std::string& loss) const {
    std::vector<std::string> notices;
    resolve_load(world, run, notices);
    return read_run_data(world, run, *make_loss({loss, {}}));
  }
  void expect_same(const std::string& group, const std::string& normalize, const std::string& loss) const {
    SCOPED_TRACE(group + " " + normalize);
    const RunData held = read(run_of(group, "memory", normalize), loss);
    const RunData streamed = read(run_of(group, "stream", normalize), loss);
    EXPECT_FALSE(held.train.streamed());
    EXPECT_TRUE(streamed.train.streamed());
    EXPECT_EQ(streamed.train.bytes(), 0U);
    EXPECT_EQ(streamed.train.source, held.train.source);
    EXPECT_EQ(streamed.train.fingerprint, held.train.fingerprint);
    EXPECT_EQ(streamed.test->fingerprint, held.test->fingerprint);
    EXPECT_EQ(streamed.normalization.x.shift, held.normalization.x.shift);
    EXPECT_EQ(streamed.normalization.x.scale, held.normalization.x.scale);
    EXPECT_EQ(streamed.normalization.y.shift, held.normalization.y.shift);
    EXPECT_EQ(streamed.normalization.y.scale, held.normalization.y.scale);
  }
  // The message of a run that holds the data, also of one that streams it.
  void expect_same_error(const std::string& group, const std::string& loss) const {
    SCOPED_TRACE(group);
    std::string first = "no error";
    for (const char* load : {"memory", "stream"}) {
      try {
        const RunData data = read(run_of(group, load, "none"), loss);
        check_targets(data.train, nullptr, *make_loss({loss, {}}), data.train.y.is_integer() ? 3 : 1, 3);
        FAIL() << load << ": no error";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::data);
        if (std::string(load) == "memory") first = error.what();
        // The ranks pass over a part each, so over several hosts the one that found it is named.
        EXPECT_TRUE(std::string(error.what()).ends_with(first)) << error.what() << "\n" << first;
      }
    }
  }

  Communicator world{MPI_COMM_WORLD};
  TemporaryFolder folder_;
  std::string path_;
};

std::vector<float> streamed_numbers(std::size_t count) {
  std::mt19937 random(3);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random() % 10007) / 100.0F;
  return values;
}

std::vector<std::uint8_t> labels(std::size_t count) {
  std::vector<std::uint8_t> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<std::uint8_t>(i * i % 3);
  return values;
}

TEST_F(Stream, FindsOutWhatIsFoundOutInMemory) {
  with_files([&] {
    SampleFile(path("a.h5"))
        .add<float>("/plain/x", {kStreamedRows, kStreamedColumns}, streamed_numbers(kStreamedRows * kStreamedColumns))
        .add<std::uint8_t>("/plain/y", {kStreamedRows}, labels(kStreamedRows))
        .add<double>("/packed/x", {1500, 10, 3}, std::vector<double>(45000, 0.25), 0, {37, 10, 2})
        .add<float>("/packed/y", {1500, 2}, streamed_numbers(3000), 0, {1000, 2})
        .add<float>("/wide/x", {9, 300'000},
                    streamed_numbers(2'700'000))  // a block is larger than what is read in one go
        .add<float>("/wide/y", {9}, streamed_numbers(9))
        .add<std::uint8_t>("/one/x", {1, 3}, {1, 2, 3})  // fewer rows than ranks
        .add<std::int64_t>("/one/y", {1}, {0});
  });
  for (const char* normalize : {"none", "standard", "minmax"}) {
    expect_same("plain", normalize, "softmax_cross_entropy");
    expect_same("packed", normalize, "mse");
  }
  expect_same("wide", "standard", "mse");
  expect_same("one", "standard", "softmax_cross_entropy");
  const RunData data = read(run_of("plain", "stream", "none"), "softmax_cross_entropy");
  EXPECT_EQ(data.train.labels->largest, 1U);
  std::vector<std::int64_t> counts(2, 0);
  for (const std::uint8_t label : labels(kStreamedRows)) ++counts[label];
  EXPECT_EQ(data.train.labels->samples, counts);
}

TEST_F(Stream, RefusesWhatIsRefusedInMemory) {
  with_files([&] {
    std::vector<float> bad = streamed_numbers(kStreamedRows * kStreamedColumns);
    bad[4000 * kStreamedColumns + 7] = NAN;
    std::vector<std::uint8_t> far = labels(kStreamedRows);
    far[4000] = 3;
    SampleFile(path("a.h5"))
        .add<float>("/nan/x", {kStreamedRows, kStreamedColumns}, bad)
        .add<std::uint8_t>("/nan/y", {kStreamedRows}, labels(kStreamedRows))
        .add<float>("/far/x", {kStreamedRows, 2}, streamed_numbers(kStreamedRows * 2))
        .add<std::uint8_t>("/far/y", {kStreamedRows}, far)
        .add<float>("/half/x", {kStreamedRows, 2}, streamed_numbers(kStreamedRows * 2))
        .add<float>("/half/y", {kStreamedRows}, std::vector<float>(kStreamedRows, 1.5F));
  });
  for (const char* group : {"nan", "far", "half"}) expect_same_error(group, "softmax_cross_entropy");
  expect_same_error("half", "binary_cross_entropy");
}

TEST_F(Stream, ScoresTheSame) {
  with_files([&] {
    SampleFile(path("a.h5"))
        .add<float>("/x", {kStreamedRows, kStreamedColumns}, streamed_numbers(kStreamedRows * kStreamedColumns), 0,
                    {100, 40})
        .add<std::uint8_t>("/y", {kStreamedRows}, labels(kStreamedRows));
  });
  RunConfig run = run_of("", "memory", "standard");
  run.model.loss = {"softmax_cross_entropy"};
  run.model.layers = {{"dense", {{"units", 2}}}};
  run = resolve_run(run, world.size());
  Engine engine(world, run, EngineParts(run, kStreamedColumns, 1));
  const auto score = [&](const std::string& load) {
    run.data.load = load;
    const RunData data = read(run, "softmax_cross_entropy");
    return evaluate(world, {engine.model(), engine.loss(), engine.weights()}, *data.test, data.normalization);
  };
  const Scores held = score("memory");
  const Scores streamed = score("stream");
  EXPECT_EQ(streamed.samples, kStreamedRows);
  EXPECT_EQ(streamed.named(), held.named());
  EXPECT_EQ(streamed.confusion, held.confusion);
}

TEST_F(Stream, GathersEverySampleOnceAndAWindowAheadAtMost) {
  with_files([&] {
    SampleFile(path("a.h5"))
        .add<float>("/x", {kStreamedRows, kStreamedColumns}, streamed_numbers(kStreamedRows * kStreamedColumns))
        .add<std::uint8_t>("/y", {kStreamedRows}, labels(kStreamedRows));
  });
  RunConfig run = run_of("", "stream", "minmax");
  run.train.epochs = 2;
  std::vector<std::string> notices;
  resolve_load(world, run, notices);
  const RunData data = read_run_data(world, run, *make_loss({"softmax_cross_entropy", {}}));
  const EpochPlan epoch{kStreamedRows, 64};
  const ShardPlan shards{5, static_cast<std::size_t>(world.size())};
  const auto batch = make_epoch_batch(world, data, epoch, run);
  const std::vector<float> values = streamed_numbers(kStreamedRows * kStreamedColumns);
  std::vector<std::int64_t> visits(kStreamedRows, 0);
  for (std::uint64_t e = 0; e < 2; ++e) {
    batch->start_epoch(e);
    for (std::size_t b = 0; b < epoch.batches(); ++b) {
      EXPECT_GE(batch->select(b), 0);
      ASSERT_EQ(batch->samples(), epoch.positions(b).size());
      const Range owned = shards.owned(static_cast<std::size_t>(world.rank()));
      for (std::size_t shard = owned.begin; shard < owned.end; ++shard) {
        const std::size_t rows = batch->rows(shard);
        std::vector<float> x(rows * kStreamedColumns);
        std::vector<std::int32_t> y(rows);
        std::vector<std::uint32_t> samples(rows);
        batch->gather(shard, {x, {}, y, samples});
        for (std::size_t i = 0; i < rows; ++i) {
          ++visits[samples[i]];
          ASSERT_EQ(y[i], labels(kStreamedRows)[samples[i]]);
          const double shift = data.normalization.x.shift[9];
          const double scale = data.normalization.x.scale[9];
          ASSERT_EQ(x[i * kStreamedColumns + 9],
                    static_cast<float>((values[samples[i] * kStreamedColumns + 9] - shift) * (1 / scale)));
        }
      }
    }
  }
  world.sum(visits);
  EXPECT_EQ(visits, std::vector<std::int64_t>(kStreamedRows, 2));
}

TEST_F(Stream, AutoStreamsWhatIsLargerThanTheLimit) {
  with_files([&] {
    SampleFile(path("a.h5"))
        .add<float>("/x", {kStreamedRows, kStreamedColumns}, streamed_numbers(kStreamedRows * kStreamedColumns), 0,
                    {kStreamedRows, 1})
        .add<std::uint8_t>("/y", {kStreamedRows}, labels(kStreamedRows));
    const Bytes idx = idx_bytes(0x08, {4, 1}, Bytes(4, 1));
    write_gzip(path("x.gz"), idx);
    write_plain(path("y"), idx_bytes(0x08, {4}, Bytes(4, 1)));
  });
  RunConfig run = run_of("", "auto", "none");
  std::vector<std::string> notices;
  resolve_load(world, run, notices);
  EXPECT_EQ(run.data.load, "memory");
  EXPECT_FALSE(run.data.block.has_value());
  EXPECT_TRUE(notices.empty());
  run.data.load = "auto";
  run.data.memory_limit = "6MB";  // of 2 times 3.2
  resolve_load(world, run, notices);
  EXPECT_EQ(run.data.load, "stream");
  EXPECT_GT(*run.data.block, 0);
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_NE(notices[0].find("more than data.memory_limit = \"6MB\": it is streamed"), std::string::npos) << notices[0];
  run.data.window = "a lot";
  expect_error(ErrorKind::config, {"data.window", "like \"512MiB\"", "\"a lot\""},
               [&] { resolve_load(world, run, notices); });
  RunConfig packed = run_of("", "stream", "none");
  packed.data.test = {};
  packed.data.train = {path("x.gz"), path("y")};
  expect_error(ErrorKind::data, {"x.gz", "packed as a whole", "gunzip", "data.load = \"memory\""},
               [&] { resolve_load(world, packed, notices); });
}

}  // namespace
}  // namespace lockstep
