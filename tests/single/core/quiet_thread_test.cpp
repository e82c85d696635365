// Threads that take no signals.
#include "core/quiet_thread.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

namespace lockstep {
namespace {

bool takes(int signal) {
  sigset_t blocked;
  pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  return sigismember(&blocked, signal) == 0;
}

TEST(QuietThread, LeavesSignalsToTheOneThatStartsIt) {
  bool quiet = false;
  std::thread thread = start_quiet_thread("a test", [&quiet] { quiet = !takes(SIGTERM) && !takes(SIGINT); });
  thread.join();
  EXPECT_TRUE(quiet);
  EXPECT_TRUE(takes(SIGTERM));
  EXPECT_TRUE(takes(SIGINT));
}

}  // namespace
}  // namespace lockstep
