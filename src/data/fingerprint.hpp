// What a data set is recognised by: a checkpoint keeps it, and a run goes on only with the same data.
//
// The fingerprint is the XXH3-128 over, for x, then for y, and then for w where there are weights: type, rows and
// columns, each a uint64, and the XXH3-128 (canonical, that is big-endian) of each block of kFingerprintBlock bytes,
// the last one maybe short. Blocks are hashed on their own, so several processes can hash a part of them each, and the
// result does not depend on who did.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "core/hash.hpp"
#include "core/range.hpp"
#include "data/dataset.hpp"

namespace lockstep {

inline constexpr std::size_t kFingerprintBlock = std::size_t{1} << 20U;  // part of the definition

/// Blocks of a table of `bytes` bytes.
[[nodiscard]] constexpr std::size_t fingerprint_blocks(std::size_t bytes) noexcept {
  return bytes / kFingerprintBlock + (bytes % kFingerprintBlock != 0 ? 1 : 0);
}

/// Hashes of blocks `blocks`, which count over x, then y, then w, into `hashes` [blocks.size()].
void hash_blocks(const Table& x, const Table& y, Range blocks, std::span<HashBytes> hashes, const Table& w = {});

/// The fingerprint from the hashes of all blocks; the rows need not be held. w without rows is none. Errors: usage
/// (another number of them).
[[nodiscard]] std::string fingerprint(const Table& x, const Table& y, std::span<const HashBytes> hashes,
                                      const Table& w = {});

/// Hashes of the fingerprint's blocks that begin in a range of bytes, which come in order.
class BlockHasher {
 public:
  BlockHasher(Range bytes, std::size_t total) : total_(total), next_(fingerprint_blocks(bytes.begin)) {
    first_ = next_;
    end_ = fingerprint_blocks(bytes.end);
  }
  [[nodiscard]] std::size_t first() const noexcept { return first_; }
  [[nodiscard]] bool complete() const noexcept { return next_ >= end_; }
  /// Where the last of the blocks ends.
  [[nodiscard]] std::size_t end_bytes() const noexcept { return std::min(end_ * kFingerprintBlock, total_); }

  /// `bytes` lie at `at`, behind those before.
  void add(std::size_t at, std::span<const std::byte> bytes);
  [[nodiscard]] std::span<const HashBytes> hashes() const noexcept { return hashes_; }

 private:
  std::size_t total_;
  std::size_t first_ = 0;
  std::size_t next_ = 0;
  std::size_t end_ = 0;
  std::vector<std::byte> held_;  // of a block that is not complete
  std::vector<HashBytes> hashes_;
};

}  // namespace lockstep
