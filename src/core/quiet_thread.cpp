#include "core/quiet_thread.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <system_error>
#include <utility>

#include "lockstep/error.hpp"

namespace lockstep {

std::thread start_quiet_thread(std::string_view purpose, std::function<void()> run) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // the new thread inherits it
  std::thread thread;
  std::string failure;
  try {
    thread = std::thread(std::move(run));
  } catch (const std::system_error& error) {
    failure = error.what();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!failure.empty()) {
    throw Error(ErrorKind::internal, fmt::format("no thread for {} can be started: {}", purpose, failure));
  }
  return thread;
}

}  // namespace lockstep
