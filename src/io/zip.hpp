// A zip archive of files that are stored as they are, not compressed (PKWARE's APPNOTE 6.3, without its 64-bit part).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

class ZipArchive {
 public:
  /// Adds a file: `head` and `data` behind it, which stays with the caller until the archive is written.
  /// Errors: data (an archive of 4 GiB and more, or of 65535 files), naming the file.
  void add(const std::string& name, std::string head, std::span<const std::byte> data);

  /// The archive, piece by piece; equal contents are equal bytes. The pieces live as long as the archive. To be called
  /// once, at the end.
  [[nodiscard]] std::vector<std::span<const std::byte>> finish();

 private:
  std::deque<std::string> texts_;  // headers; a deque leaves them where they are
  std::vector<std::span<const std::byte>> pieces_;
  std::string directory_;
  std::uint64_t size_ = 0;
  std::uint16_t files_ = 0;

  void append(std::string text);
};

}  // namespace lockstep
