// Threads beside the main one.
#pragma once

#include <functional>
#include <string_view>
#include <thread>

namespace lockstep {

/// Starts a thread that takes no signals: they are the main thread's. `purpose` is for the message: "reading data".
/// Errors: internal (no thread to be had).
[[nodiscard]] std::thread start_quiet_thread(std::string_view purpose, std::function<void()> run);

}  // namespace lockstep
