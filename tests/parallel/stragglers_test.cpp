// The times of all ranks come together on rank 0, a row late.
#include "journal/stragglers.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

TEST(Stragglers, TheTimesOfAllRanksComeTogetherARowLate) {
  constexpr std::size_t kForward = 2;  // behind input and gather
  const Communicator world(MPI_COMM_WORLD);
  Stragglers stragglers(world);
  const auto rank = static_cast<double>(world.rank());
  const auto count = [&](double forward) {
    for (int step = 0; step < 3; ++step) {
      StepTimes times;
      times.forward = forward + rank;
      stragglers.add(times, 8);
    }
  };
  const auto check = [&](const std::optional<TimesRow>& row, std::uint64_t step, double forward) {
    ASSERT_EQ(row.has_value(), world.is_root());
    if (!row) return;
    EXPECT_EQ(row->step, step);
    EXPECT_EQ(row->steps, 3U);
    EXPECT_DOUBLE_EQ(row->phases[kForward].min, forward);
    EXPECT_DOUBLE_EQ(row->phases[kForward].max, forward + world.size() - 1);
  };
  count(1);
  EXPECT_FALSE(stragglers.next(3).has_value());
  count(10);
  check(stragglers.next(6), 3, 1);
  check(stragglers.finish(), 6, 10);
  EXPECT_FALSE(stragglers.finish().has_value());
  ASSERT_EQ(stragglers.totals().size(), world.is_root() ? static_cast<std::size_t>(world.size()) : 0);
  for (std::size_t of = 0; of < stragglers.totals().size(); ++of) {
    const RankTimes& total = stragglers.totals()[of];
    EXPECT_EQ(total.steps, 6);
    EXPECT_EQ(total.samples, 48);
    EXPECT_DOUBLE_EQ(total.seconds.forward, 3 * (1 + 10 + 2 * static_cast<double>(of)));
  }
  EXPECT_FALSE(stragglers.next(6).has_value());  // nothing has been counted
  count(5);
  (void)stragglers.next(9);  // what is still under way when the run ends with an error
}

}  // namespace
}  // namespace lockstep
