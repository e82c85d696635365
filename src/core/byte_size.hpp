// Amounts of memory as people write them.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace lockstep {

/// Bytes of "4GiB", "512MiB", "2GB" or "65536" (units B, kB, MB, GB, TB of 1000, KiB, MiB, GiB, TiB of 1024; no
/// fractions). Unset where `text` is no such amount, is 0, or does not fit 62 bits.
[[nodiscard]] std::optional<std::size_t> parse_bytes(std::string_view text) noexcept;

/// In MB, of 10^6 bytes.
[[nodiscard]] constexpr double megabytes(std::size_t bytes) noexcept {
  return static_cast<double>(bytes) / 1e6;
}

}  // namespace lockstep
