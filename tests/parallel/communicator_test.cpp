// Every collective against what plain arithmetic says, at any rank count.
#include "comm/communicator.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "comm/cores.hpp"

namespace lockstep {
namespace {

class CommunicatorTest : public testing::Test {
 protected:
  Communicator comm{MPI_COMM_WORLD};
};

TEST_F(CommunicatorTest, DuplicatesTheCallersCommunicator) {
  int relation = 0;
  ASSERT_EQ(MPI_Comm_compare(MPI_COMM_WORLD, comm.get(), &relation), MPI_SUCCESS);
  EXPECT_EQ(relation, MPI_CONGRUENT);
  const std::vector<std::string> hosts = comm.gather_texts(host_name());
  EXPECT_EQ(comm.nodes(), static_cast<int>(std::set(hosts.begin(), hosts.end()).size()));
}

TEST_F(CommunicatorTest, ReturnsMpiErrorsAsExceptions) {
  int value = 0;
  EXPECT_THROW(check_mpi(MPI_Bcast(&value, 1, MPI_INT, comm.size(), comm.get()), "MPI_Bcast"), Error);
}

TEST_F(CommunicatorTest, TogetherPassesWhenNoRankFails) {
  int ran = 0;
  comm.together([&] { ran = 1; });
  EXPECT_EQ(comm.sum(std::int64_t{ran}), comm.size());
}

TEST_F(CommunicatorTest, TogetherThrowsTheErrorOfTheLowestFailingRankOnAllRanks) {
  const int culprit = comm.size() - 1;
  try {
    comm.together([&] {
      if (comm.rank() == culprit) throw Error(ErrorKind::data, "a file is missing");
    });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_TRUE(error.agreed());
    const std::string expected =
        comm.size() == 1 ? "a file is missing" : "rank " + std::to_string(culprit) + ": a file is missing";
    EXPECT_EQ(error.what(), expected);
  }
}

// More than goes in one message; nothing of one rank.
TEST_F(CommunicatorTest, GathersTheirPartsAtRankZeroInOrder) {
  std::vector<std::size_t> starts{0};
  for (int rank = 0; rank < comm.size(); ++rank) starts.push_back(starts.back() + (rank == 1 ? 0 : 1'500'000));
  const auto mine = static_cast<std::size_t>(comm.rank());
  std::vector<float> part(starts[mine + 1] - starts[mine]);
  for (std::size_t i = 0; i < part.size(); ++i) part[i] = static_cast<float>(starts[mine] + i);
  std::vector<float> all(comm.is_root() ? starts.back() : 0);
  comm.gather_at_root(part, all, starts);
  for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], static_cast<float>(i));
  EXPECT_THROW(comm.gather_at_root({}, {}, {}), Error);
}

TEST_F(CommunicatorTest, TogetherNamesNoRankForWhatTheHostDoes) {
  const int culprit = comm.size() - 1;
  try {
    comm.together(
        [&] {
          if (comm.rank() == culprit) throw Error(ErrorKind::data, "row 7 is nan");
        },
        Blame::host);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_TRUE(error.agreed());
    // Where there are other hosts, these have not failed.
    EXPECT_EQ(error.what(), comm.nodes() == 1 ? "row 7 is nan" : fmt::format("rank {}: row 7 is nan", culprit));
  }
}

TEST_F(CommunicatorTest, TogetherNamesNoRankWhenAllFail) {
  try {
    comm.together([&] { throw Error(ErrorKind::config, "bad key"); });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "bad key");
  }
}

TEST_F(CommunicatorTest, BroadcastCopiesRootsValues) {
  std::vector<float> values(1000);
  if (comm.is_root()) std::iota(values.begin(), values.end(), 1.0F);
  comm.broadcast(std::span(values));
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], static_cast<float>(i + 1));
}

TEST_F(CommunicatorTest, BroadcastTextTakesRootsLength) {
  EXPECT_EQ(comm.broadcast_text(comm.is_root() ? "from the root" : "x"), "from the root");
  EXPECT_EQ(comm.broadcast_text(comm.is_root() ? "" : "something"), "");
}

TEST_F(CommunicatorTest, GatherPartsJoinsUnevenParts) {
  // Rank r owns r + 1 values, but rank 1 none.
  std::vector<std::size_t> starts{0};
  for (int r = 0; r < comm.size(); ++r)
    starts.push_back(starts.back() + (r == 1 ? 0U : static_cast<std::size_t>(r) + 1));
  std::vector<double> values(starts.back(), -1);
  const auto rank = static_cast<std::size_t>(comm.rank());
  for (std::size_t i = starts[rank]; i < starts[rank + 1]; ++i) values[i] = static_cast<double>(i) * 0.5;
  comm.gather_parts(values, starts);
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], static_cast<double>(i) * 0.5);
}

TEST_F(CommunicatorTest, GatherPartsRefusesPartsThatDoNotAddUp) {
  std::vector<double> values(3);
  const std::vector<std::size_t> starts(static_cast<std::size_t>(comm.size()) + 1, 0);
  EXPECT_THROW(comm.gather_parts(values, starts), Error);
}

TEST_F(CommunicatorTest, SumsAddOverTheRanks) {
  const int n = comm.size();
  std::array<std::int64_t, 2> counts{comm.rank() + 1, 10};
  comm.sum(counts);
  EXPECT_EQ(counts[0], n * (n + 1) / 2);
  EXPECT_EQ(counts[1], 10 * n);
  std::array<float, 2> values{static_cast<float>(comm.rank()), 0.5F};
  comm.sum(std::span<float>(values));
  EXPECT_EQ(values[0], static_cast<float>(n * (n - 1) / 2));
  EXPECT_EQ(values[1], 0.5F * static_cast<float>(n));
  EXPECT_EQ(comm.max(comm.rank()), n - 1);
}

TEST_F(CommunicatorTest, GatherTextsKeepsTheOrderOfTheRanks) {
  const std::vector<std::string> texts = comm.gather_texts(std::string(static_cast<std::size_t>(comm.rank()), 'x'));
  ASSERT_EQ(texts.size(), static_cast<std::size_t>(comm.size()));
  for (std::size_t r = 0; r < texts.size(); ++r) EXPECT_EQ(texts[r], std::string(r, 'x'));
}

}  // namespace
}  // namespace lockstep
