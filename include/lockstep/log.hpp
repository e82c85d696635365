// Where the library's messages go. The library prints nothing by itself.
#pragma once

#include <functional>
#include <string_view>

namespace lockstep {

enum class LogLevel {
  progress,  ///< a line that a later one replaces
  info,      ///< what a run does, said once
  notice,    ///< what the user should know and `--quiet` does not hide
  warning    ///< what is probably not meant
};

/// Takes one message, without a line end. An empty sink discards messages.
/// Called from the thread that called the library.
using LogSink = std::function<void(LogLevel, std::string_view)>;

}  // namespace lockstep
