#include "cli/signals.hpp"

#include <signal.h>

#include <atomic>

namespace lockstep::cli {
namespace {

std::atomic<bool> stop_came{false};
std::atomic<bool> term_came{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler writes them");

void note(int signal) {
  if (signal == SIGTERM) term_came.store(true, std::memory_order_relaxed);
  stop_came.store(true, std::memory_order_relaxed);
}

}  // namespace

void note_stop_signals() {
  struct sigaction action {};
  action.sa_handler = note;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGUSR1, &action, nullptr);
  action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);  // a second one finds the default again
  sigaction(SIGINT, &action, nullptr);
}

bool stop_signal_came() noexcept {
  return stop_came.load(std::memory_order_relaxed);
}

bool termination_came() noexcept {
  return term_came.load(std::memory_order_relaxed);
}

void ignore_file_size_signal() {
  signal(SIGXFSZ, SIG_IGN);
}

}  // namespace lockstep::cli
