// Lengths of time as people write them.
#pragma once

#include <optional>
#include <string_view>

namespace lockstep {

/// Seconds of "1h55m", "90m", "2d12h", "45s" (each unit once, largest first), or of Slurm's "1:55:00" and "2-12:00:00".
/// Unset where `text` is neither, no time at all, or more than a hundred years.
[[nodiscard]] std::optional<double> parse_duration(std::string_view text) noexcept;

}  // namespace lockstep
