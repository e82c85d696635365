// Nobody waits for ever: a thread of each process watches the ranks of its host and ends the process when one of them
// has given no sign of life for too long.
//
// It reads the ranks' pulses from shared memory and calls no MPI, so it works while the main thread is stuck in a
// barrier, in an MPI call or in a file system. Of other hosts it sees nothing: it tells which have not answered.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "comm/communicator.hpp"
#include "comm/node_window.hpp"
#include "comm/stalls.hpp"

namespace lockstep::cli {

class Watchdog {
 public:
  static constexpr double kDefaultTimeout = 300;  // [s]
  static constexpr int kExitCode = 4;

  /// Starts the thread, which sees this process alone until join(): rank `rank`, as its launcher says.
  explicit Watchdog(int rank);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();

  /// From now on the ranks of this host see each other's pulses, where there is shared memory for it.
  /// Collective; `comm` must not move any more. Errors: comm.
  void join(Communicator& comm);
  /// This rank communicates no more: nobody waits for it from now on. The window goes with this. Collective.
  void leave(Communicator& comm);
  /// The reason why the job ends is already told: the ranks of this host end without a word.
  void say_nothing();
  /// Seconds without a sign of life; 0: never. `key` says what sets it, for the message.
  void set_timeout(double seconds, std::string key);

 private:
  void run();
  void look(double elapsed);

  std::mutex mutex_;
  std::condition_variable ended_;
  bool end_ = false;
  double timeout_ = kDefaultTimeout;
  std::string hint_;
  std::uint64_t looks_ = 0;
  bool joined_ = false;                 // MPI has started
  double since_termination_ = 0;        // [s]
  Pulse own_{};                         // until join() and after leave()
  std::unique_ptr<NodeWindow> window_;  // the pulses of this host's ranks
  std::vector<Pulse*> pulses_;
  std::vector<RankView> views_;
  std::string host_;
  std::string elsewhere_;
  bool pids_are_ours_ = false;  // the ranks of this host see each other's processes
  std::thread thread_;
};

}  // namespace lockstep::cli
