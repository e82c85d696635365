// Signals that ask a run to save and stop.
#pragma once

namespace lockstep::cli {

/// From now on SIGTERM, SIGUSR1 and the first SIGINT are only noted; the second SIGINT ends the process.
void note_stop_signals();
/// Whether one has come, and whether SIGTERM has: mpirun sends that also when another rank has died.
[[nodiscard]] bool stop_signal_came() noexcept;
[[nodiscard]] bool termination_came() noexcept;

/// A write beyond a file-size limit is an error of that write, not the end of the process.
void ignore_file_size_signal();

}  // namespace lockstep::cli
