// CRC-32C (Castagnoli), the checksum of iSCSI and of TensorFlow's records.
#pragma once

#include <cstdint>
#include <string_view>

namespace lockstep {

/// A byte at a time, which does for records of some hundred bytes.
/// Source: RFC 3720, section 12.1 and appendix B.4.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes) noexcept;

}  // namespace lockstep
