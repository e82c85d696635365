// Every exchange against the recursive definition of the tree, over values whose sum depends on the order.
#include "comm/exchange.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <optional>
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

// What counts as a host: the machine, its ranks by halves, its ranks in turn, or each rank.
enum class Hosts { one, halves, turns, ranks };

struct Case {
  std::string exchange;
  std::size_t shards;
  Hosts hosts = Hosts::one;
  bool overlap = true;
  bool gap = false;  // some elements are in no block
};

// None where the ranks are on several hosts in truth.
std::optional<int> host_of(Hosts hosts) {
  if (Communicator(MPI_COMM_WORLD).nodes() > 1) return {};
  int rank = 0;
  int ranks = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  switch (hosts) {
    case Hosts::one:
      return {};
    case Hosts::halves:
      return rank < (ranks + 1) / 2 ? 0 : 1;  // with three ranks, a host with two and one with one
    case Hosts::turns:
      return rank % 2;
    case Hosts::ranks:
      break;
  }
  return rank;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  constexpr const char* kHosts[] = {"", "Halves", "Turns", "Ranks"};
  return info.param.exchange + std::to_string(info.param.shards) + kHosts[static_cast<int>(info.param.hosts)] +
         (info.param.gap ? "Gap" : "");
}

class ExchangeTest : public testing::TestWithParam<Case> {
 protected:
  Communicator comm{MPI_COMM_WORLD, Communicator::Order::of_parent, host_of(GetParam().hosts)};

  std::unique_ptr<Exchange> make(std::size_t shards, bool revisits = true) {
    const auto ranks = static_cast<std::size_t>(comm.size());
    ParameterTable table;
    table.add("a", "weight", {kElements - 1000}, ParameterKind::weight);
    table.add("a", "bias", {900}, ParameterKind::bias);
    owned = part_of(shards, static_cast<std::size_t>(comm.rank()), ranks);
    blocks = blocks_of(table);
    if (GetParam().gap) blocks.erase(blocks.begin() + 5, blocks.begin() + 9);
    return make_exchange(GetParam().exchange, comm,
                         {kElements, blocks, 2, shards, owned, revisits, Wire::float32, GetParam().overlap, 2});
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
    std::vector<double> values(2 * shards, -1);
    for (const std::size_t s : exchange->shard_order()) {
      std::ranges::copy(all[s], exchange->gradient().begin());
      values[2 * s] = 0.25 * static_cast<double>(s);
      values[2 * s + 1] = static_cast<double>(step);
      exchange->gradient_ready({kElements - 1000, kElements});
      exchange->gradient_ready({0, kElements - 1000});
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
    for (std::size_t b = 0; b < blocks.size(); ++b) EXPECT_EQ(visits[b], exchange->owns(b) ? (revisits ? 2 : 1) : 0);
    for (std::size_t s = 0; s < shards; ++s) {
      EXPECT_EQ(values[2 * s], 0.25 * static_cast<double>(s));
      EXPECT_EQ(values[2 * s + 1], static_cast<double>(step));
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
  std::vector<double> values(2 * shards);
  std::vector<double> norms(blocks.size(), -1);
  exchange->collect(values);
  exchange->visit([&](std::size_t block, const PairSum& gradient) {
    norms[block] = static_cast<double>(gradient.size());
    std::ranges::fill(exchange->weights().subspan(blocks[block].range.begin, gradient.size()), gradient[0]);
  });
  exchange->gather_blocks(norms);
  EXPECT_EQ(exchange->publish(0), 0U);
  exchange->await_weights({0, kElements});
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    EXPECT_EQ(norms[b], static_cast<double>(blocks[b].range.size()));
    EXPECT_EQ(exchange->weights()[blocks[b].range.begin], static_cast<float>(shards));
    EXPECT_EQ(exchange->weights()[blocks[b].range.end - 1], static_cast<float>(shards));
  }
  if (GetParam().gap) {
    for (std::size_t i = blocks[4].range.end; i < blocks[5].range.begin; ++i) ASSERT_EQ(exchange->weights()[i], 0.0F);
  }
}

TEST_P(ExchangeTest, GathersBlocksAnyNumberOfTimesAStep) {
  const auto exchange = make(static_cast<std::size_t>(comm.size()));
  for (int round = 0; round < 200; ++round) {
    std::vector<double> values(blocks.size(), -1);
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      if (exchange->owns(b)) values[b] = static_cast<double>(b) + 1000.0 * round;
    }
    exchange->gather_blocks(values);
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      ASSERT_EQ(values[b], static_cast<double>(b) + 1000.0 * round) << "round " << round;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, ExchangeTest,
    testing::Values(Case{"node", 1}, Case{"node", 2}, Case{"node", 3}, Case{"node", 5}, Case{"node", 8},
                    Case{"node", 13}, Case{"tree", 1}, Case{"tree", 2}, Case{"tree", 3}, Case{"tree", 5},
                    Case{"tree", 8}, Case{"tree", 13}, Case{"allreduce", 1}, Case{"allreduce", 5}, Case{"allreduce", 8},
                    Case{"node", 4, Hosts::halves}, Case{"node", 7, Hosts::halves},
                    Case{"node", 13, Hosts::halves, false}, Case{"node", 4, Hosts::turns},
                    Case{"node", 11, Hosts::turns}, Case{"node", 5, Hosts::ranks}, Case{"node", 8, Hosts::ranks},
                    Case{"tree", 7, Hosts::halves}, Case{"node", 5, Hosts::one, true, true},
                    Case{"node", 8, Hosts::halves, true, true}, Case{"node", 5, Hosts::ranks, true, true},
                    Case{"tree", 5, Hosts::one, true, true}),
    name_of);

// Slots that are dealt over hosts come together on rank 0, and go back.
TEST_P(ExchangeTest, SlotsGoToTheRootAndBack) {
  const auto exchange = make(std::max(GetParam().shards, static_cast<std::size_t>(comm.size())));
  for (int round = 0; round < 2; ++round) {
    const auto value = [&](std::size_t slot, std::size_t element) {
      return static_cast<float>(round * 1000000 + static_cast<int>(slot * 100000 + element));
    };
    if (round == 0) {
      for (std::size_t b = 0; b < blocks.size(); ++b) {
        for (std::size_t slot = 0; slot < 2 && exchange->owns(b); ++slot) {
          const std::span<float> part = exchange->slot(slot, b);
          ASSERT_EQ(part.size(), blocks[b].range.size());
          for (std::size_t i = 0; i < part.size(); ++i) part[i] = value(slot, blocks[b].range.begin + i);
        }
      }
      comm.barrier();
    } else {
      std::vector<std::vector<float>> whole(2, std::vector<float>(kElements));
      std::vector<std::span<const float>> views;
      for (std::size_t slot = 0; slot < 2; ++slot) {
        for (std::size_t i = 0; i < kElements; ++i) whole[slot][i] = value(slot, i);
        views.emplace_back(whole[slot]);
      }
      exchange->spread_slots(comm.is_root() ? views : std::vector<std::span<const float>>());
      for (std::size_t b = 0; b < blocks.size(); ++b) {
        if (!exchange->owns(b)) continue;
        EXPECT_EQ(exchange->slot(1, b).back(), value(1, blocks[b].range.end - 1));
      }
    }
    SlotRoom room = exchange->slot_room();
    const std::vector<std::span<const float>> slots = exchange->gather_slots(room);
    if (comm.is_root()) {
      ASSERT_EQ(slots.size(), 2U);
      for (const Block& block : blocks) {
        for (std::size_t i = block.range.begin; i < block.range.end; ++i) {
          ASSERT_EQ(slots[0][i], value(0, i));
          ASSERT_EQ(slots[1][i], value(1, i));
        }
      }
    }
    comm.barrier();
  }
}

// What travels in bfloat16 is the sum of rounded parts, rounded: the same on all hosts, and near the true one.
TEST(Exchange, RoundsBetweenHosts) {
  const Communicator comm(MPI_COMM_WORLD, Communicator::Order::of_parent, host_of(Hosts::halves));
  if (comm.nodes() == 1) {
    EXPECT_EQ(comm.size(), 1);
    return;
  }
  const std::size_t shards = 8;
  ParameterTable table;
  table.add("a", "weight", {kElements}, ParameterKind::weight);
  const std::vector<Block> blocks = blocks_of(table);
  const Range owned = part_of(shards, static_cast<std::size_t>(comm.rank()), static_cast<std::size_t>(comm.size()));
  const auto exchange = make_exchange("node", comm, {kElements, blocks, 1, shards, owned, false, Wire::bfloat16, true});
  EXPECT_FALSE(exchange->same_bits_at_any_rank_count());
  for (std::uint32_t step = 0; step < 3; ++step) {
    std::vector<float> expected(kElements, 0.0F);
    std::vector<float> size(kElements, 0.0F);
    std::vector<std::vector<float>> all;
    for (std::size_t s = 0; s < shards; ++s) {
      all.push_back(shard_gradient(s, step));
      for (std::size_t i = 0; i < kElements; ++i) {
        expected[i] += all[s][i];
        size[i] += std::abs(all[s][i]);
      }
    }
    std::vector<double> values(shards, 1);
    for (const std::size_t s : exchange->shard_order()) {
      std::ranges::copy(all[s], exchange->gradient().begin());
      exchange->gradient_ready({0, kElements});
      exchange->shard_done();
    }
    exchange->collect(values);
    exchange->visit([&](std::size_t block, const PairSum& gradient) {
      const Range range = blocks[block].range;
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        const float sum = gradient[i];
        ASSERT_NEAR(sum, expected[range.begin + i], size[range.begin + i] / 100) << "element " << range.begin + i;
        ASSERT_EQ(std::bit_cast<std::uint32_t>(sum) & 0xFFFFU, 0U);
        exchange->weights()[range.begin + i] = sum;
      }
    });
    exchange->publish(0);
    std::vector<float> first(exchange->weights().begin(), exchange->weights().end());
    comm.broadcast(first);
    for (std::size_t i = 0; i < kElements; ++i) ASSERT_EQ(exchange->weights()[i], first[i]) << "element " << i;
    comm.barrier();
  }
}

TEST(Exchange, RefusesAnUnknownName) {
  const Communicator comm(MPI_COMM_WORLD);
  EXPECT_THROW((void)make_exchange("ring", comm, {}), Error);
  EXPECT_THROW((void)make_exchange("tree", comm, {.wire = Wire::bfloat16}), Error);
}

}  // namespace
}  // namespace lockstep
