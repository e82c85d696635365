// Nobody waits for ever: a thread of each process watches the ranks of its host and ends the process when one of them
// has given no sign of life for too long.
//
// It reads the ranks' pulses from shared memory and calls no MPI, so it works while the main thread is stuck in a
// barrier, in an MPI call or in a file system. Of other hosts it sees nothing: it tells which have not answered.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "comm/communicator.hpp"
#include "comm/host_pulses.hpp"

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

  /// MPI has started, over several hosts: now the ranks have to meet soon, which they do by join(). `advice`: what to
  /// look at and to try where they do not.
  void mpi_has_started(std::string advice);
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
  void look_for_a_meeting(double elapsed);

  std::mutex mutex_;
  std::condition_variable ended_;
  bool end_ = false;
  double timeout_ = kDefaultTimeout;
  std::string hint_;
  bool joined_ = false;           // the ranks have met
  std::string advice_;            // where they have not
  double since_start_ = 0;        // [s] of MPI
  double since_termination_ = 0;  // [s]
  Pulse own_{};                   // until join() and after leave()
  HostPulses seen_;
  std::thread thread_;
};

}  // namespace lockstep::cli
