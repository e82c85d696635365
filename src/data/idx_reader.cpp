// Samples from a pair of IDX files, the format of MNIST, plain or gzip.
// Header: 0, 0, type, rank, then rank sizes of 32 bits; all numbers big-endian (Y. LeCun, the MNIST database).
#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

#include "data/readers.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::optional<ElementType> idx_type(std::byte code) noexcept {
  switch (std::to_integer<int>(code)) {
    case 0x08:
      return ElementType::u8;
    case 0x09:
      return ElementType::i8;
    case 0x0B:
      return ElementType::i16;
    case 0x0C:
      return ElementType::i32;
    case 0x0D:
      return ElementType::f32;
    case 0x0E:
      return ElementType::f64;
    default:
      return {};
  }
}

/// A plain or gzip file, read from front to back; zlib tells the two apart.
class Input {
 public:
  explicit Input(const std::string& name) : name_(name), file_(gzopen(name.c_str(), "rb")) {
    if (!file_) throw Error(ErrorKind::io, name + ": cannot be opened: " + std::generic_category().message(errno));
    gzbuffer(file_.get(), 1U << 17U);
  }

  /// Fills `out` as far as the file goes; returns the bytes got. Errors: data (damaged gzip), io.
  std::size_t read(std::span<std::byte> out) {
    constexpr std::size_t most = std::size_t{1} << 30U;  // gzread counts in int
    std::size_t have = 0;
    while (have < out.size()) {
      const auto part = static_cast<unsigned>(std::min(most, out.size() - have));
      const int got = gzread(file_.get(), out.data() + have, part);
      if (got < 0) check();
      if (got <= 0) break;
      have += static_cast<std::size_t>(got);
    }
    if (have < out.size()) check();
    return have;
  }

 private:
  void check() const {
    int code = Z_OK;
    const char* text = gzerror(file_.get(), &code);
    if (code == Z_OK || code == Z_STREAM_END) return;
    throw Error(code == Z_ERRNO ? ErrorKind::io : ErrorKind::data,
                name_ + ": cannot be read, damaged or cut off: " + (text == nullptr ? "gzip error" : text));
  }

  struct Close {
    void operator()(gzFile file) const noexcept { gzclose(file); }
  };
  std::string name_;
  std::unique_ptr<gzFile_s, Close> file_;
};

void to_machine_order(Table& table) {
  const std::size_t bytes = bytes_of(table.type);
  if constexpr (std::endian::native == std::endian::little) {
    if (bytes == 1) return;
    for (auto at = table.bytes.begin(); at != table.bytes.end(); at += static_cast<std::ptrdiff_t>(bytes)) {
      std::reverse(at, at + static_cast<std::ptrdiff_t>(bytes));
    }
  }
}

struct IdxFile {
  Table table;
  std::vector<std::size_t> shape;
};

IdxFile read_file(const std::string& name) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(name, code)) {
    throw Error(ErrorKind::data, name + ": " + (code ? code.message() : "expected an IDX file, found a folder"));
  }
  Input input(name);
  std::array<std::byte, 4> magic{};
  const bool whole = input.read(magic) == magic.size();
  const std::optional<ElementType> type = idx_type(magic[2]);
  if (!whole || magic[0] != std::byte{0} || magic[1] != std::byte{0} || !type || magic[3] == std::byte{0}) {
    throw Error(ErrorKind::data, name +
                                     ": not an IDX file (magic 00 00 TYPE RANK). For HDF5 give one text, "
                                     "\"FILE.h5:/group\", instead of x and y");
  }
  IdxFile file;
  // 63 bits hold the sizes of any file; 1032:1 is the most that deflate compresses.
  const std::size_t bound = 1032 * static_cast<std::size_t>(std::filesystem::file_size(name, code));
  std::size_t bytes = bytes_of(*type);
  bool fits = !code;
  for (int i = 0; i < std::to_integer<int>(magic[3]); ++i) {
    std::array<std::byte, 4> size{};
    if (input.read(size) != size.size()) throw Error(ErrorKind::data, name + ": cut off within its header");
    std::size_t dim = 0;
    for (const std::byte byte : size) dim = dim << 8U | std::to_integer<std::size_t>(byte);
    file.shape.push_back(dim);
    fits = fits && !__builtin_mul_overflow(bytes, std::max<std::size_t>(dim, 1), &bytes) && bytes <= bound;
  }
  const std::string claim = "its header says " + shape_text(file.shape);
  if (!fits)
    throw Error(ErrorKind::data, name + ": " + claim + ", more than the file can hold; it is cut off or damaged");

  file.table = make_table(*type, file.shape, name);
  const std::size_t got = input.read(file.table.bytes);
  std::array<std::byte, 1> more{};
  if (got != file.table.bytes.size() || input.read(more) != 0) {
    throw Error(ErrorKind::data, name + ": " + claim + ", " + std::to_string(file.table.bytes.size()) +
                                     " bytes, but the file holds " +
                                     (got == file.table.bytes.size() ? "more" : std::to_string(got)));
  }
  to_machine_order(file.table);
  return file;
}

}  // namespace

bool looks_like_idx(std::span<const std::byte> head) noexcept {
  if (head.size() < 4) return false;
  const bool gzip = head[0] == std::byte{0x1F} && head[1] == std::byte{0x8B};
  return gzip || (head[0] == std::byte{0} && head[1] == std::byte{0} && idx_type(head[2]) && head[3] != std::byte{0});
}

RawDataset read_idx(const std::string& x_file, const std::string& y_file) {
  IdxFile x = read_file(x_file);
  IdxFile y = read_file(y_file);
  if (y.shape.size() > 2) {
    throw Error(ErrorKind::data, y_file + ": expected labels [n] or targets [n, k], found shape " +
                                     shape_text(y.shape) + "; are x and y swapped?");
  }
  return {std::move(x.table), std::move(y.table), x_file, y_file};
}

}  // namespace lockstep
