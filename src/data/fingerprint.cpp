#include "data/fingerprint.hpp"

#include <algorithm>

#include "lockstep/error.hpp"

namespace lockstep {

void hash_blocks(const Table& x, const Table& y, Range blocks, std::span<HashBytes> hashes, const Table& w) {
  for (std::size_t block = blocks.begin; block < blocks.end; ++block) {
    std::size_t left = block;
    std::span<const std::byte> bytes;
    for (const Table* table : {&x, &y, &w}) {
      bytes = table->bytes;
      const std::size_t own = fingerprint_blocks(bytes.size());
      if (left < own) break;
      left -= own;
    }
    const std::size_t begin = left * kFingerprintBlock;
    hashes[block - blocks.begin] = hash_bytes(bytes.subspan(begin, std::min(kFingerprintBlock, bytes.size() - begin)));
  }
}

std::string fingerprint(const Table& x, const Table& y, std::span<const HashBytes> hashes, const Table& w) {
  Hash hash;
  for (const Table* table : {&x, &y, &w}) {
    if (table == &w && w.rows == 0) continue;
    const std::size_t blocks = fingerprint_blocks(table->size_bytes());
    if (hashes.size() < blocks) throw Error(ErrorKind::usage, "fingerprint: too few hashes");
    hash.integer(static_cast<std::uint64_t>(table->type));
    hash.integer(table->rows);
    hash.integer(table->columns);
    for (const HashBytes& block : hashes.first(blocks)) hash.bytes(block);
    hashes = hashes.subspan(blocks);
  }
  if (!hashes.empty()) throw Error(ErrorKind::usage, "fingerprint: too many hashes");
  return hash.hex();
}

void BlockHasher::add(std::size_t at, std::span<const std::byte> bytes) {
  while (next_ < end_) {
    const std::size_t begin = next_ * kFingerprintBlock;
    const std::size_t size = std::min(kFingerprintBlock, total_ - begin);
    const std::size_t have = begin + held_.size();  // the first byte that is wanted
    if (have >= at + bytes.size()) return;
    const auto from = bytes.subspan(have - at);
    if (held_.empty() && from.size() >= size) {
      hashes_.push_back(hash_bytes(from.first(size)));
      ++next_;
      continue;
    }
    const auto more = from.first(std::min(from.size(), size - held_.size()));
    held_.insert(held_.end(), more.begin(), more.end());
    if (held_.size() < size) return;
    hashes_.push_back(hash_bytes(held_));
    held_.clear();
    ++next_;
  }
}

}  // namespace lockstep
