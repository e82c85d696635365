// Every exchange against the recursive definition of the tree, over values whose sum depends on the order.
#include "comm/exchange.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "core/tree.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kElements = 40'000;  // more than one piece of the tree exchange

// Gradient of shard `shard` at step `step`: magnitudes from 1e-4 to 1e4, so that the order of additions shows.
std::vector<float> shard_gradient(std::size_t shard, std::uint32_t step) {
  std::vector<float> values(kElements);
  fill_uniform({7, RandomPurpose::bench, static_cast<std::uint32_t>(shard), step, 0}, -1.0F, 1.0F, values);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] *= std::pow(10.0F, static_cast<float>((i + shard * 3) % 9) - 4.0F);
  return values;
}

std::vector<float> tree_of(const std::vector<std::vector<float>>& shards, Range range) {
  if (range.size() == 1) return shards[range.begin];
  const std::size_t mid = tree_split(range);
  std::vector<float> sum = tree_of(shards, {range.begin, mid});
  const std::vector<float> right = tree_of(shards, {mid, range.end});
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += right[i];
  return sum;
}

struct Case {
  std::string exchange;
  std::size_t shards;
};

class ExchangeTest : public testing::TestWithParam<Case> {
 protected:
  Communicator comm{MPI_COMM_WORLD};

  std::unique_ptr<Exchange> make(std::size_t shards, bool revisits = true) {
    const auto ranks = static_cast<std::size_t>(comm.size());
    ParameterTable table;
    table.add("a", "weight", {kElements - 1000}, ParameterKind::weight);
    table.add("a", "bias", {900}, ParameterKind::bias);
    owned = part_of(shards, static_cast<std::size_t>(comm.rank()), ranks);
    blocks = blocks_of(table);
    return make_exchange(GetParam().exchange, comm, {kElements, blocks, 2, shards, owned, revisits});
  }

  Range owned;
  std::vector<Block> blocks;
};

TEST_P(ExchangeTest, SumsTheShardsAsTheTreeDoes) {
  const std::size_t shards = std::max(GetParam().shards, static_cast<std::size_t>(comm.size()));
  std::unique_ptr<Exchange> exchange;
  for (std::uint32_t step = 0; step < 6; ++step) {
    const bool revisits = step < 3;
    if (step % 3 == 0) exchange.reset();
    if (step % 3 == 0) exchange = make(shards, revisits);
    std::vector<std::vector<float>> all;
    for (std::size_t s = 0; s < shards; ++s) all.push_back(shard_gradient(s, step));
    const std::vector<float> expected = tree_of(all, {0, shards});
    std::vector<double> values(shards, -1);
    for (const std::size_t s : exchange->shard_order()) {
      std::ranges::copy(all[s], exchange->gradient().begin());
      values[s] = 0.25 * static_cast<double>(s);
      exchange->gradient_ready({0, kElements});
      exchange->shard_done();
    }
    std::vector<int> visits(blocks.size(), 0);
    const auto check = [&](std::size_t block, const PairSum& gradient) {
      ++visits[block];
      const Range range = blocks[block].range;
      ASSERT_EQ(gradient.size(), range.size());
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        const float want = expected[range.begin + i];
        if (exchange->same_bits_at_any_rank_count()) {
          ASSERT_EQ(gradient[i], want) << "block " << block << " element " << i;
        } else {  // another order: rounding of up to 13 terms of 1e4
          ASSERT_NEAR(gradient[i], want, 2e-2F);
        }
      }
    };
    exchange->collect(values);
    exchange->visit(check);
    if (revisits) exchange->visit(check);
    // A bit of this rank alone, and one of all.
    const std::uint32_t mine_and_all = (2U << static_cast<unsigned>(comm.rank())) | (step % 2);
    EXPECT_EQ(exchange->publish(mine_and_all), ((2U << static_cast<unsigned>(comm.size())) - 2U) | (step % 2));
    const Range mine = exchange->owned_blocks();
    for (std::size_t b = 0; b < blocks.size(); ++b) EXPECT_EQ(visits[b], mine.contains(b) ? (revisits ? 2 : 1) : 0);
    for (std::size_t s = 0; s < shards; ++s) {
      EXPECT_EQ(values[s], 0.25 * static_cast<double>(s));
    }
  }
}

TEST_P(ExchangeTest, EveryBlockIsUpdatedAndSeenByAllRanks) {
  const std::size_t shards = std::max(GetParam().shards, static_cast<std::size_t>(comm.size()));
  const auto exchange = make(shards);
  for (std::size_t done = 0; done < owned.size(); ++done) {
    std::ranges::fill(exchange->gradient(), 1.0F);
    exchange->shard_done();
  }
  std::vector<double> values(shards);
  std::vector<double> norms(blocks.size(), -1);
  exchange->collect(values);
  exchange->visit([&](std::size_t block, const PairSum& gradient) {
    norms[block] = static_cast<double>(gradient.size());
    std::ranges::fill(exchange->weights().subspan(blocks[block].range.begin, gradient.size()), gradient[0]);
  });
  exchange->gather_blocks(norms);
  EXPECT_EQ(exchange->publish(0), 0U);
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    EXPECT_EQ(norms[b], static_cast<double>(blocks[b].range.size()));
    EXPECT_EQ(exchange->weights()[blocks[b].range.begin], static_cast<float>(shards));
    EXPECT_EQ(exchange->weights()[blocks[b].range.end - 1], static_cast<float>(shards));
  }
}

TEST_P(ExchangeTest, GathersBlocksAnyNumberOfTimesAStep) {
  const auto exchange = make(static_cast<std::size_t>(comm.size()));
  const Range mine = exchange->owned_blocks();
  for (int round = 0; round < 200; ++round) {
    std::vector<double> values(blocks.size(), -1);
    for (std::size_t b = mine.begin; b < mine.end; ++b) values[b] = static_cast<double>(b) + 1000.0 * round;
    exchange->gather_blocks(values);
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      ASSERT_EQ(values[b], static_cast<double>(b) + 1000.0 * round) << "round " << round;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, ExchangeTest,
                         testing::Values(Case{"node", 1}, Case{"node", 2}, Case{"node", 3}, Case{"node", 5},
                                         Case{"node", 8}, Case{"node", 13}, Case{"tree", 1}, Case{"tree", 2},
                                         Case{"tree", 3}, Case{"tree", 5}, Case{"tree", 8}, Case{"tree", 13},
                                         Case{"allreduce", 1}, Case{"allreduce", 5}, Case{"allreduce", 8}),
                         [](const auto& info) { return info.param.exchange + std::to_string(info.param.shards); });

TEST(Exchange, RefusesAnUnknownName) {
  const Communicator comm(MPI_COMM_WORLD);
  EXPECT_THROW((void)make_exchange("ring", comm, {}), Error);
}

}  // namespace
}  // namespace lockstep
