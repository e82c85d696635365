#include "core/byte_size.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

namespace lockstep {

std::optional<std::size_t> parse_bytes(std::string_view text) noexcept {
  constexpr std::array<std::pair<std::string_view, std::uint64_t>, 10> kUnits = {{{"", 1},
                                                                                  {"B", 1},
                                                                                  {"kB", 1'000},
                                                                                  {"MB", 1'000'000},
                                                                                  {"GB", 1'000'000'000},
                                                                                  {"TB", 1'000'000'000'000},
                                                                                  {"KiB", std::uint64_t{1} << 10U},
                                                                                  {"MiB", std::uint64_t{1} << 20U},
                                                                                  {"GiB", std::uint64_t{1} << 30U},
                                                                                  {"TiB", std::uint64_t{1} << 40U}}};
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || number == 0) return {};
  if (at != end && *at == ' ') ++at;
  const std::string_view named(at, static_cast<std::size_t>(end - at));
  for (const auto& [unit, bytes] : kUnits) {
    if (unit != named) continue;
    std::uint64_t product = 0;
    if (__builtin_mul_overflow(number, bytes, &product) || product >> 62U != 0) return {};
    return product;
  }
  return {};
}

}  // namespace lockstep
