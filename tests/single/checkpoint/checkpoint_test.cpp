// A checkpoint comes back as it was written, and its digest is over what steers the training on, nothing else.
#include "checkpoint/checkpoint.hpp"

#include <algorithm>
#include <bit>

#include "checkpoint/column_names.hpp"
#include "io/files.hpp"
#include "single/checkpoint/sample_checkpoint.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(std::as_bytes(a), std::as_bytes(b));
}

void expect_same_info(const CheckpointInfo& a, const CheckpointInfo& b) {
  EXPECT_EQ(a.position, b.position);
  EXPECT_EQ(a.seed, b.seed);
  EXPECT_EQ(a.shards, b.shards);
  EXPECT_EQ(a.inputs, b.inputs);
  EXPECT_EQ(a.outputs, b.outputs);
  EXPECT_EQ(a.run, b.run);
  EXPECT_EQ(a.train_fingerprint, b.train_fingerprint);
  EXPECT_EQ(a.test_fingerprint, b.test_fingerprint);
  EXPECT_EQ(a.exchange, b.exchange);
  EXPECT_EQ(a.versions, b.versions);
  EXPECT_EQ(a.blas_kernel, b.blas_kernel);
  EXPECT_EQ(a.blas_threads, b.blas_threads);
  EXPECT_EQ(a.simd_target, b.simd_target);
  EXPECT_EQ(a.probe, b.probe);
  EXPECT_EQ(a.class_names, b.class_names);
  EXPECT_EQ(a.columns, b.columns);
  EXPECT_EQ(a.ranks, b.ranks);
  EXPECT_EQ(a.hosts, b.hosts);
  EXPECT_EQ(a.time, b.time);
  EXPECT_EQ(a.sums.loss_sum, b.sums.loss_sum);
  EXPECT_EQ(a.sums.samples, b.sums.samples);
  EXPECT_EQ(a.sums.weight, b.sums.weight);
  EXPECT_EQ(a.sums.seconds, b.sums.seconds);
  EXPECT_EQ(a.sums.total_seconds, b.sums.total_seconds);
  EXPECT_EQ(a.history.columns, b.history.columns);
  ASSERT_EQ(a.history.rows.size(), b.history.rows.size());
  for (std::size_t i = 0; i < a.history.rows.size(); ++i) {  // bits, for NaN
    EXPECT_EQ(std::bit_cast<std::uint64_t>(a.history.rows[i]), std::bit_cast<std::uint64_t>(b.history.rows[i])) << i;
  }
  ASSERT_EQ(a.best.has_value(), b.best.has_value());
  if (a.best) {
    EXPECT_EQ(a.best->monitor, b.best->monitor);
    EXPECT_EQ(a.best->value, b.best->value);
    EXPECT_EQ(a.best->step, b.best->step);
    EXPECT_EQ(a.best->epoch, b.best->epoch);
  }
  ASSERT_EQ(a.restored.has_value(), b.restored.has_value());
  if (a.restored) {
    EXPECT_EQ(a.restored->step, b.restored->step);
    EXPECT_EQ(a.restored->epoch, b.restored->epoch);
  }
  ASSERT_EQ(a.decision.has_value(), b.decision.has_value());
  if (a.decision) {
    EXPECT_EQ(a.decision->threshold, b.decision->threshold);
    EXPECT_EQ(a.decision->rule, b.decision->rule);
    EXPECT_EQ(a.decision->score, b.decision->score);
  }
  EXPECT_EQ(a.normalization, b.normalization);
}

class CheckpointTest : public testing::Test {
 protected:
  Checkpoint written_and_read(const CheckpointInfo& info) {
    write_checkpoint(path_, build_checkpoint(path_, info, state_.arrays()));
    return read_checkpoint(path_);
  }
  TemporaryFolder folder_;
  std::string path_ = (folder_.path() / "step-00000001.h5").string();
  SampleState state_;
};

TEST_F(CheckpointTest, GivesBackEveryFieldAndEveryBit) {
  CheckpointInfo info = sample_info();
  info.restored = Restored{64, 2};
  const Checkpoint read = written_and_read(info);
  expect_same_info(read.info, info);
  EXPECT_EQ(read.info.digest, digest_of(state_.arrays(), info.position, info.seed));
  EXPECT_TRUE(same_bits(read.weights, state_.weights));
  EXPECT_EQ(read.slot_names, (std::vector<std::string>{"exp_avg", "exp_avg_sq"}));
  ASSERT_EQ(read.slots.size(), 2U);
  EXPECT_TRUE(same_bits(read.slots[0], state_.slots[0]));
  EXPECT_TRUE(same_bits(read.slots[1], state_.slots[1]));
  EXPECT_TRUE(same_bits(read.ema, state_.ema));
  EXPECT_NO_THROW(check_same_parameters(state_.table, read.table, path_));
  EXPECT_EQ(read.table.entries()[1].kind, ParameterKind::bias);
  EXPECT_EQ(read.table.entries()[2].kind, ParameterKind::weight);
}

TEST_F(CheckpointTest, TheNetIsTheAverageWhereThereIsOne) {
  EXPECT_TRUE(same_bits(written_and_read(sample_info()).net(), state_.ema));
  state_.ema.clear();
  CheckpointInfo without = sample_info();
  without.run = sample_run("\"adam\"", "0");
  EXPECT_TRUE(same_bits(written_and_read(without).net(), state_.weights));
}

TEST_F(CheckpointTest, MayHaveNoSlotsAverageHistoryBestOrNormalization) {
  state_.ema.clear();
  state_.slot_names.clear();
  state_.slots.clear();
  CheckpointInfo info = sample_info_at(7);
  info.run = sample_run("\"sgd\"", "0");
  info.normalization.clear();
  info.class_names.clear();
  info.columns = {};
  info.hosts.clear();
  const Checkpoint read = written_and_read(info);
  expect_same_info(read.info, info);
  EXPECT_TRUE(read.slots.empty());
  EXPECT_TRUE(read.ema.empty());
  EXPECT_TRUE(read.slot_names.empty());
  info.history.columns = {"epoch", "step"};  // columns, but no epoch done yet
  expect_same_info(written_and_read(info).info, info);
}

TEST_F(CheckpointTest, OfEqualStateHasEqualBytes) {
  write_checkpoint(path_, build_checkpoint(path_, sample_info(), state_.arrays()));
  const auto first = read_file(path_);
  write_checkpoint(path_, build_checkpoint(path_, sample_info(), state_.arrays()));
  EXPECT_EQ(read_file(path_), first);
  CheckpointInfo later = sample_info();
  later.time = "2021-02-02T02:02:02Z";
  write_checkpoint(path_, build_checkpoint(path_, later, state_.arrays()));
  EXPECT_NE(read_file(path_), first);
}

TEST_F(CheckpointTest, TakesClassNamesThatAreNotUtf8) {
  CheckpointInfo info = sample_info();
  info.class_names = {"good", "b\xE9te"};
  EXPECT_EQ(written_and_read(info).info.class_names.at(1), "b\uFFFDte");
}

TEST_F(CheckpointTest, ColumnNamesThatDoNotGoTogetherAreRefused) {
  const auto refuse = [&](const ColumnNames& columns, std::initializer_list<const char*> says) {
    CheckpointInfo info = sample_info();
    info.columns = columns;
    expect_error(ErrorKind::data, says, [&] { (void)written_and_read(info); });
  };
  refuse({.features = {"a", "b"}}, {"/names/features has 2 names, for 5 columns"});
  refuse({.targets = {"a", "b", "c"}}, {"/names/targets has 3 names, for 2 columns"});
  refuse({.features = {"a", "b", "c", "d", "col=e"}, .categorical = {"co"}}, {"/names/categorical names 'co'"});
  EXPECT_NO_THROW((void)read_column_names("f", 5, 2, [](const std::string&) { return std::nullopt; }));
  for (const char* text : {"[]", "3", "[1]", "[[[[\"a\"]]]]", "{}", "[\"a\"", ""}) {
    expect_error(ErrorKind::data, {"f: /names/features is no list of texts"}, [&] {
      (void)read_column_names("f", 5, 2, [&](const std::string&) { return std::optional<std::string>(text); });
    });
  }
}

TEST_F(CheckpointTest, HasTheDigestOfItsArraysWhateverTheCallerSays) {
  CheckpointInfo info = sample_info();
  info.digest = "0123";
  EXPECT_EQ(written_and_read(info).info.digest, digest_of(state_.arrays(), info.position, info.seed));
}

TEST(CheckpointInfo, ComesThroughEncoding) {
  CheckpointInfo info = sample_info();
  info.digest = "abcdef";
  info.decision = {.threshold = 0.1, .rule = "f1", .score = 0.7};
  const CheckpointInfo back = decode_info(encode_info(info), "rank 0");
  expect_same_info(back, info);
  EXPECT_EQ(back.digest, "abcdef");
}

TEST(Digest, ChangesWithEveryPartOfTheState) {
  const SampleState state;
  const Position position{5, 2, 32};
  const std::string digest = digest_of(state.arrays(), position, 1);
  EXPECT_EQ(digest.size(), 32U);
  EXPECT_EQ(digest_of(SampleState().arrays(), position, 1), digest);
  EXPECT_NE(digest_of(state.arrays(), {6, 2, 32}, 1), digest);
  EXPECT_NE(digest_of(state.arrays(), {5, 3, 32}, 1), digest);
  EXPECT_NE(digest_of(state.arrays(), {5, 2, 33}, 1), digest);
  EXPECT_NE(digest_of(state.arrays(), position, 2), digest);
  const auto changed = [&](auto&& change) {
    SampleState other;
    change(other);
    return digest_of(other.arrays(), position, 1);
  };
  const auto flip = [](float& value) { value = std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) ^ 1U); };
  for (const Parameter& p : state.table.entries()) {  // the first and the last element of every tensor
    for (const std::size_t i : {p.range.begin, p.range.end - 1}) {
      EXPECT_NE(changed([&](SampleState& s) { flip(s.weights[i]); }), digest) << i;
      EXPECT_NE(changed([&](SampleState& s) { flip(s.slots[0][i]); }), digest) << i;
      EXPECT_NE(changed([&](SampleState& s) { flip(s.slots[1][i]); }), digest) << i;
      EXPECT_NE(changed([&](SampleState& s) { flip(s.ema[i]); }), digest) << i;
    }
  }
  EXPECT_NE(changed([](SampleState& s) { std::swap(s.slots[0], s.slots[1]); }), digest);
  EXPECT_NE(changed([](SampleState& s) { s.slot_names[1] = "exp_avg_sqr"; }), digest);
  EXPECT_NE(changed([](SampleState& s) {
              s.slots.pop_back();
              s.slot_names.pop_back();
            }),
            digest);
}

TEST(Digest, ChangesWithNamesAndShapes) {
  const auto of = [](const std::string& layer, const std::string& name, std::vector<std::size_t> shape) {
    ParameterTable table;
    table.add(layer, name, std::move(shape), ParameterKind::weight);
    const std::vector<float> weights(table.arena_size(), 1.0F);
    return digest_of({table, weights, {}, {}}, {}, 0);
  };
  const std::string digest = of("dense1", "weight", {2, 3});
  EXPECT_EQ(of("dense1", "weight", {2, 3}), digest);
  EXPECT_NE(of("dense2", "weight", {2, 3}), digest);
  EXPECT_NE(of("dense1", "bias", {2, 3}), digest);
  EXPECT_NE(of("dense1", "weight", {3, 2}), digest);
  EXPECT_NE(of("dense1", "weight", {6}), digest);
}

TEST_F(CheckpointTest, DigestDoesNotDependOnWhereWhenAndHow) {
  const std::string digest = written_and_read(sample_info()).info.digest;
  CheckpointInfo info = sample_info();
  info.ranks = 7;
  info.blas_threads = 2;
  info.hosts = "elsewhere";
  info.exchange = "allreduce";
  info.time = "never";
  info.history.rows[2] = 99;
  info.sums.seconds = 99;
  info.best.reset();
  info.restored = Restored{64, 2};
  info.blas_kernel = "Zen";
  info.probe.clear();
  info.run.replace(info.run.find("threads = 3"), 11, "threads = 2");
  EXPECT_EQ(written_and_read(info).info.digest, digest);
  state_.weights[15] = 5;  // padding
  EXPECT_EQ(written_and_read(info).info.digest, digest);
}

TEST(SameParameters, NamesTheFirstThatDiffers) {
  const auto table = [](std::initializer_list<std::pair<const char*, std::size_t>> tensors) {
    ParameterTable result;
    for (const auto& [layer, size] : tensors) result.add(layer, "weight", {size, 2}, ParameterKind::weight);
    return result;
  };
  const ParameterTable expected = table({{"dense1", 3}, {"dense2", 4}});
  const auto differs = [&](const ParameterTable& found, std::initializer_list<const char*> says) {
    expect_error(ErrorKind::data, says, [&] { check_same_parameters(expected, found, "a.h5"); });
  };
  EXPECT_NO_THROW(check_same_parameters(expected, table({{"dense1", 3}, {"dense2", 4}}), "a.h5"));
  differs(table({{"dense1", 3}, {"dense2", 5}}),
          {"a.h5", "expected dense2/weight [4, 2]", "found dense2/weight [5, 2]"});
  differs(table({{"dense1", 3}, {"head", 4}}), {"expected dense2/weight", "found head/weight"});
  differs(table({{"dense1", 3}}), {"expected dense2/weight", "found nothing more"});
  differs(table({{"dense1", 3}, {"dense2", 4}, {"dense3", 1}}), {"expected nothing more", "found dense3/weight"});
}

}  // namespace
}  // namespace lockstep
