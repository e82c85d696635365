// The timeline of all ranks as a file: what log.trace asks for.
#pragma once

#include <string>

#include "comm/clocks.hpp"
#include "comm/communicator.hpp"
#include "comm/timeline.hpp"
#include "lockstep/log.hpp"

namespace lockstep {

/// From its making to its end, what every rank does is kept.
class Trace {
 public:
  /// `path`: of the file. `comm` must outlive it. Collective. Errors: comm.
  Trace(const Communicator& comm, std::string path, LogSink log);
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;
  ~Trace();

  /// Brings the timelines to rank 0, which writes the file; tells what is missing in it, or why there is none.
  /// Nothing is kept afterwards. Collective. Errors: comm.
  void write();

 private:
  void tell(LogLevel level, const std::string& text) const;

  const Communicator& comm_;
  std::string path_;
  LogSink log_;
  ClockReading first_;
  Timeline timeline_;
};

}  // namespace lockstep
