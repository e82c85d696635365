// A zip archive of files that are stored as they are, made in memory by libzip.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct zip;
struct zip_source;

namespace lockstep {

class ZipArchive {
 public:
  /// Errors: internal (libzip).
  ZipArchive();

  /// Adds a file: `head` and `data` behind it. Both stay with the caller until finish().
  /// Errors: data (a name that an archive does not take, or that stands twice), naming the file.
  void add(const std::string& name, std::span<const std::byte> head, std::span<const std::byte> data);

  /// The archive; equal contents are equal bytes. To be called once, at the end. Errors: data.
  [[nodiscard]] std::vector<std::byte> finish();

 private:
  struct Free {
    void operator()(zip* archive) const noexcept;
    void operator()(zip_source* source) const noexcept;
  };
  std::unique_ptr<zip_source, Free> bytes_;  // what the archive is written to
  std::unique_ptr<zip, Free> archive_;       // goes before it
};

}  // namespace lockstep
