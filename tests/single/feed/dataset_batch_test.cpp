// Batches of a data set: every sample once an epoch, in an order of its own, with its own numbers.
#include "feed/dataset_batch.hpp"

#include <algorithm>
#include <numeric>

#include "single/data/sample_files.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kSamples = 53;
constexpr std::size_t kInputs = 3;

Dataset labelled() {
  std::vector<std::uint8_t> x(kSamples * kInputs);
  std::iota(x.begin(), x.end(), std::uint8_t{0});
  std::vector<std::int64_t> y(kSamples);
  for (std::size_t i = 0; i < kSamples; ++i) y[i] = static_cast<std::int64_t>(i % 7);
  Dataset data;
  data.x = table_of(ElementType::u8, kInputs, x);
  data.y = table_of(ElementType::i64, 1, y);
  return data;
}

// The samples of an epoch in the order they come, over batches and shards; checks sizes and rows on the way.
std::vector<std::uint32_t> walk_epoch(DatasetBatch& batches, const Dataset& data, EpochPlan plan, ShardPlan shards,
                                      std::uint64_t epoch) {
  std::vector<std::uint32_t> seen;
  batches.start_epoch(epoch);
  for (std::size_t b = 0; b < plan.batches(); ++b) {
    batches.select(b);
    EXPECT_EQ(batches.samples(), std::min(plan.batch, plan.samples - b * plan.batch));
    std::size_t rows_in_batch = 0;
    for (std::size_t shard = 0; shard < shards.shards; ++shard) {
      const std::size_t rows = batches.rows(shard);
      rows_in_batch += rows;
      std::vector<float> x(rows * kInputs);
      std::vector<std::int32_t> labels(rows);
      std::vector<std::uint32_t> samples(rows);
      batches.gather(shard, {.x = x, .labels = labels, .samples = samples});
      std::vector<double> expected(kInputs);
      for (std::size_t r = 0; r < rows; ++r) {
        data.x.row(samples[r], expected);
        for (std::size_t c = 0; c < kInputs; ++c) EXPECT_EQ(x[r * kInputs + c], expected[c]);
        EXPECT_EQ(labels[r], row_of(data.y, samples[r])[0]);
      }
      seen.insert(seen.end(), samples.begin(), samples.end());
    }
    EXPECT_EQ(rows_in_batch, batches.samples());
  }
  return seen;
}

TEST(DatasetBatch, VisitsEverySampleOnceWithItsOwnRow) {
  const Dataset data = labelled();
  const Normalization none;
  for (const std::size_t batch : {1U, 8U, 53U, 100U}) {
    for (const std::size_t shards : {1U, 3U, 16U}) {  // more shards than samples in a batch: some are empty
      const EpochPlan plan{kSamples, batch};
      DatasetBatch batches(data, none, plan, {shards, 1}, 5);
      std::vector<std::uint32_t> seen = walk_epoch(batches, data, plan, {shards, 1}, 2);
      std::sort(seen.begin(), seen.end());
      ASSERT_EQ(seen.size(), kSamples) << batch << ' ' << shards;
      for (std::size_t i = 0; i < kSamples; ++i) ASSERT_EQ(seen[i], i);
    }
  }
}

TEST(DatasetBatch, VisitsTheGivenRowsAlone) {
  const Dataset data = labelled();
  const Normalization none;
  const std::vector<std::uint32_t> rows = {3, 5, 8, 13, 21, 34, 52};
  const EpochPlan plan{rows.size(), 3};
  DatasetBatch batches(data, none, plan, {2, 1}, 5, rows);
  const std::vector<std::uint32_t> first = walk_epoch(batches, data, plan, {2, 1}, 0);
  std::vector<std::uint32_t> seen = first;
  std::ranges::sort(seen);
  EXPECT_EQ(seen, rows);
  EXPECT_NE(first, rows);
  EXPECT_NE(walk_epoch(batches, data, plan, {2, 1}, 1), first);
}

TEST(DatasetBatch, OrderIsAFunctionOfSeedAndEpochNotOfShardsOrHistory) {
  const Dataset data = labelled();
  const Normalization none;
  const EpochPlan plan{kSamples, 8};
  const auto order = [&](std::uint64_t seed, std::uint64_t epoch, std::size_t shards) {
    DatasetBatch batches(data, none, plan, {shards, 1}, seed);
    return walk_epoch(batches, data, plan, {shards, 1}, epoch);
  };
  const std::vector<std::uint32_t> first = order(5, 0, 2);
  EXPECT_EQ(order(5, 0, 2), first);
  EXPECT_EQ(order(5, 0, 7), first);
  EXPECT_NE(order(5, 1, 2), first);
  EXPECT_NE(order(6, 0, 2), first);
  std::vector<std::uint32_t> unshuffled(kSamples);
  std::iota(unshuffled.begin(), unshuffled.end(), 0U);
  EXPECT_NE(first, unshuffled);

  DatasetBatch batches(data, none, plan, {2, 1}, 5);
  (void)walk_epoch(batches, data, plan, {2, 1}, 3);
  EXPECT_EQ(walk_epoch(batches, data, plan, {2, 1}, 0), first);  // an earlier epoch leaves no trace
}

TEST(DatasetBatch, NormalisesInputsAndTargets) {
  Dataset data;
  data.x = table_of(ElementType::f32, 2, std::vector<float>{1, 2, 3, 4, 5, 6});
  data.y = table_of(ElementType::f64, 1, std::vector<double>{10, 20, 30});
  Normalization normalization;
  normalization.x = {{1, 0}, {2, 4}};
  normalization.y = {{10}, {10}};
  DatasetBatch batches(data, normalization, {3, 3}, {1, 1}, 1);
  batches.start_epoch(0);
  batches.select(0);
  std::vector<float> x(6);
  std::vector<float> values(3);
  std::vector<std::uint32_t> samples(3);
  batches.gather(0, {.x = x, .values = values, .samples = samples});
  for (std::size_t r = 0; r < 3; ++r) {
    const auto s = static_cast<float>(samples[r]);  // row s is 2s+1, 2s+2 and 10(s+1)
    EXPECT_EQ(x[2 * r], s);
    EXPECT_EQ(x[2 * r + 1], (2 * s + 2) / 4);
    EXPECT_EQ(values[r], s);
  }
}

TEST(GatherSamples, TakesRowsInTheOrderAskedAlsoTwice) {
  const Dataset data = labelled();
  const std::vector<std::uint32_t> chosen = {52, 0, 0};
  std::vector<float> x(9);
  std::vector<std::int32_t> labels(3);
  gather_samples(data, {}, chosen, {.x = x, .labels = labels, .samples = {}});
  EXPECT_EQ(x, (std::vector<float>{156, 157, 158, 0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(labels, (std::vector<std::int32_t>{3, 0, 0}));
}

}  // namespace
}  // namespace lockstep
