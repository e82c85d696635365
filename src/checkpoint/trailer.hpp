// The last 32 bytes of a checkpoint: magic, length of the HDF5 file before it, and the XXH3-128 of all bytes before the
// hash. HDF5 readers ignore them; they tell damage at once, and nothing of a damaged file is looked at.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

namespace lockstep {

inline constexpr std::size_t kTrailerBytes = 32;

[[nodiscard]] std::array<std::byte, kTrailerBytes> make_trailer(std::span<const std::byte> image);

/// Whether `bytes` end as a checkpoint does; says nothing of the rest.
[[nodiscard]] bool has_trailer(std::span<const std::byte> bytes) noexcept;

/// The HDF5 file within the bytes of a checkpoint.
/// Errors: data, naming `file` and the reason.
[[nodiscard]] std::span<const std::byte> checked_image(std::span<const std::byte> bytes, const std::string& file);

}  // namespace lockstep
