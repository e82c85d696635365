// The watch over stalled ranks, of one process without MPI: it lets a rank that lives be, and ends one that does not.
#include "cli/watchdog.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

namespace lockstep::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST(Watchdog, LetsALivingProcessBeWhateverIsSetMeanwhile) {
  Watchdog watchdog(0);
  const auto end = steady_clock::now() + milliseconds(700);  // three looks
  int settings = 0;
  for (; steady_clock::now() < end; ++settings) {
    watchdog.set_timeout(3600 + settings, "train.stall_timeout");
    watchdog.mpi_has_started(std::to_string(settings));
    std::this_thread::sleep_for(milliseconds(20));
  }
  watchdog.set_timeout(0, "train.stall_timeout");
  EXPECT_GT(settings, 0);  // and here it is still alive
}

TEST(Watchdog, EndsAProcessThatGivesNoSignOfLife) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto stall = [] {
    Watchdog watchdog(3);
    watchdog.set_timeout(0.5, "train.stall_timeout");
    std::this_thread::sleep_for(std::chrono::minutes(1));
  };
  EXPECT_EXIT(stall(), testing::ExitedWithCode(Watchdog::kExitCode),
              "rank 3 on .*no sign of life.*train.stall_timeout = 0.5");
}

}  // namespace
}  // namespace lockstep::cli
