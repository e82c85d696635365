// Whole files as bytes, and writing that is all or nothing.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// All bytes of a regular file. `alive` is called whenever some more megabytes are there.
/// Errors: data (missing, not a regular file), config (more than there is memory for), io.
[[nodiscard]] std::vector<std::byte> read_file(const std::filesystem::path& path,
                                               const std::function<void()>& alive = {});
/// The same with a text.
void write_text_atomically(const std::filesystem::path& path, std::string_view text);

/// The last `count` bytes of a regular file, or all where it has fewer. Errors: data, io, as of read_file.
[[nodiscard]] std::vector<std::byte> read_end(const std::filesystem::path& path, std::size_t count);

/// The first `count` bytes of a regular file, or all where it has fewer. Errors: data, io, as of read_file.
[[nodiscard]] std::vector<std::byte> read_begin(const std::filesystem::path& path, std::size_t count);

/// Tells files of one host apart: equal for one file that nobody has changed in between.
/// Errors: io (missing, or its folder may not be entered).
[[nodiscard]] std::string file_identity(const std::filesystem::path& path);

/// Bytes of file `path`, from `at` on, into `out`, where it is still the file of `identity`.
/// Errors: data (it is another, or has changed), io.
void read_unchanged(const std::filesystem::path& path, const std::string& identity, std::size_t at,
                    std::span<std::byte> out);

/// Writes `parts` one behind the other into a NewFile, and commits it. `alive` is called whenever some more megabytes
/// are on the disk. Errors: io, with the system's reason.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::span<const std::byte>> parts,
                           const std::function<void()>& alive = {});
/// The same with a text.
void write_text_atomically(const std::filesystem::path& path, std::string_view text);

/// A text file to which rows are added. What cannot be written is kept and tried again with the next row, so that the
/// file has no gaps and no torn rows once it can be written again. A file that is deleted is made anew with all rows.
class RowFile {
 public:
  RowFile() = default;
  /// Opens `path` to append, or where the links point that stand there. Errors: io (also: what is there is no file).
  explicit RowFile(const std::filesystem::path& path);
  RowFile(RowFile&& other) noexcept;
  RowFile& operator=(RowFile&& other) noexcept;
  RowFile(const RowFile&) = delete;
  RowFile& operator=(const RowFile&) = delete;
  ~RowFile();

  /// Adds a row. Returns why not all of it could be written, once until it works again; otherwise an empty text.
  std::string add(std::string_view row);
  /// Tries to write what is left. Returns why it cannot be written; empty: all is.
  std::string finish();

 private:
  [[nodiscard]] std::string write_pending();
  [[nodiscard]] std::string make_anew();

  int fd_ = -1;
  std::string path_;
  std::string head_;  // the first row
  std::string pending_;
  bool failed_ = false;
};

}  // namespace lockstep
