#include "checkpoint/trailer.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::array<char, 8> kMagic = {'L', 'O', 'C', 'K', 'S', 'T', 'E', 'P'};
constexpr std::size_t kHashBytes = sizeof(XXH128_canonical_t);
static_assert(kMagic.size() + sizeof(std::uint64_t) + kHashBytes == kTrailerBytes);
static_assert(std::endian::native == std::endian::little, "the length is stored little-endian");

// The hash of the image and of the trailer's part before the hash, without joining the two in memory.
XXH128_canonical_t hash_of(std::span<const std::byte> image, std::span<const std::byte> head) {
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(), XXH3_freeState);
  if (state == nullptr) throw std::bad_alloc();
  XXH3_128bits_reset(state.get());
  XXH3_128bits_update(state.get(), image.data(), image.size());
  XXH3_128bits_update(state.get(), head.data(), head.size());
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state.get()));
  return canonical;
}

}  // namespace

std::array<std::byte, kTrailerBytes> make_trailer(std::span<const std::byte> image) {
  std::array<std::byte, kTrailerBytes> trailer{};
  const std::uint64_t length = image.size();
  std::memcpy(trailer.data(), kMagic.data(), kMagic.size());
  std::memcpy(trailer.data() + kMagic.size(), &length, sizeof(length));
  const std::size_t head = kTrailerBytes - kHashBytes;
  const XXH128_canonical_t hash = hash_of(image, std::span(trailer).first(head));
  std::memcpy(trailer.data() + head, &hash, kHashBytes);
  return trailer;
}

bool has_trailer(std::span<const std::byte> bytes) noexcept {
  return bytes.size() >= kTrailerBytes &&
         std::memcmp(bytes.last(kTrailerBytes).data(), kMagic.data(), kMagic.size()) == 0;
}

std::span<const std::byte> checked_image(std::span<const std::byte> bytes, const std::string& file) {
  const auto fail = [&](const std::string& reason) {
    throw Error(ErrorKind::data, fmt::format("{} is not a whole checkpoint: {}", file, reason));
  };
  if (bytes.empty()) fail("it is empty");
  if (bytes.size() < kTrailerBytes) fail(fmt::format("it is cut short, {} bytes", bytes.size()));
  if (!has_trailer(bytes)) {
    constexpr std::array<unsigned char, 8> hdf5 = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    const bool is_hdf5 = std::memcmp(bytes.data(), hdf5.data(), hdf5.size()) == 0;
    fail(is_hdf5 ? "its end is missing (cut short, damaged, or an HDF5 file of another program)"
                 : "it is neither HDF5 nor does it end as a checkpoint does");
  }
  const std::span<const std::byte> trailer = bytes.last(kTrailerBytes);
  std::uint64_t length = 0;
  std::memcpy(&length, trailer.data() + kMagic.size(), sizeof(length));
  if (length != bytes.size() - kTrailerBytes) {
    fail(fmt::format("expected {} bytes, found {}", length + kTrailerBytes, bytes.size()));
  }
  const std::span<const std::byte> image = bytes.first(bytes.size() - kTrailerBytes);
  const XXH128_canonical_t hash = hash_of(image, trailer.first(kTrailerBytes - kHashBytes));
  if (std::memcmp(&hash, trailer.data() + kTrailerBytes - kHashBytes, kHashBytes) != 0) {
    fail("its bytes have changed since it was written (the hash differs)");
  }
  return image;
}

}  // namespace lockstep
