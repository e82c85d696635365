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

#include "core/convert.hpp"
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

/// A plain or gzip file; zlib tells the two apart.
class Input {
 public:
  explicit Input(const std::string& name) : name_(name), file_(gzopen(name.c_str(), "rb")) {
    if (!file_) throw Error(ErrorKind::io, name + ": cannot be opened: " + std::generic_category().message(errno));
    gzbuffer(file_.get(), 1U << 17U);
  }

  [[nodiscard]] bool compressed() const noexcept { return gzdirect(file_.get()) == 0; }

  /// Goes to byte `offset` of the contents: at once in a plain file, through all before it in a compressed one.
  void seek(std::size_t offset) {
    const auto there = narrow<z_off_t>(offset, "an offset");
    if (gzseek(file_.get(), there, SEEK_SET) != there) {
      check();
      throw Error(ErrorKind::io, name_ + ": cannot be read from byte " + std::to_string(offset) + " on");
    }
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

void to_machine_order(std::span<std::byte> numbers, std::size_t bytes) {
  if constexpr (std::endian::native == std::endian::little) {
    if (bytes == 1) return;
    for (auto at = numbers.begin(); at != numbers.end(); at += static_cast<std::ptrdiff_t>(bytes)) {
      std::reverse(at, at + static_cast<std::ptrdiff_t>(bytes));
    }
  }
}

const std::string& existing(const std::string& name) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(name, code)) {
    throw Error(ErrorKind::data, name + ": " + (code ? code.message() : "expected an IDX file, found a folder"));
  }
  return name;
}

class IdxTable final : public TableReader {
 public:
  explicit IdxTable(const std::string& name) : input_(existing(name)) {
    std::array<std::byte, 4> magic{};
    const bool whole = input_.read(magic) == magic.size();
    const std::optional<ElementType> type = idx_type(magic[2]);
    if (!whole || magic[0] != std::byte{0} || magic[1] != std::byte{0} || !type || magic[3] == std::byte{0}) {
      throw Error(ErrorKind::data, name +
                                       ": not an IDX file (magic 00 00 TYPE RANK). For HDF5 give one text, "
                                       "\"FILE.h5:/group\", instead of x and y");
    }
    std::error_code code;
    const auto file_bytes = static_cast<std::size_t>(std::filesystem::file_size(name, code));
    // 63 bits hold the sizes of any file; 1032:1 is the most that deflate compresses.
    const std::size_t bound = 1032 * file_bytes;
    std::size_t bytes = bytes_of(*type);
    bool fits = !code;
    for (int i = 0; i < std::to_integer<int>(magic[3]); ++i) {
      std::array<std::byte, 4> size{};
      if (input_.read(size) != size.size()) throw Error(ErrorKind::data, name + ": cut off within its header");
      std::size_t dim = 0;
      for (const std::byte byte : size) dim = dim << 8U | std::to_integer<std::size_t>(byte);
      shape_.push_back(dim);
      fits = fits && !__builtin_mul_overflow(bytes, std::max<std::size_t>(dim, 1), &bytes) && bytes <= bound;
    }
    if (!fits) {
      throw Error(ErrorKind::data, name + ": its header says " + shape_text(shape_) +
                                       ", more than the file can hold; it is cut off or damaged");
    }
    header_ = make_header(name, *type, shape_);
    header_bytes_ = magic.size() * (1 + shape_.size());
    // What a compressed file holds shows when it is read.
    if (!input_.compressed()) check_length(file_bytes - header_bytes_);
  }

  [[nodiscard]] std::span<const std::size_t> shape() const noexcept { return shape_; }
  [[nodiscard]] bool seekable() const noexcept override { return !input_.compressed(); }

  void read(Range rows, std::span<std::byte> out) override {
    if (rows.end > header_.rows || out.size() != rows.size() * header_.row_bytes()) {
      throw Error(ErrorKind::usage, header_.name + ": no such rows, or memory of another size");
    }
    if (rows.empty()) return;
    const std::size_t begin = rows.begin * header_.row_bytes();
    input_.seek(header_bytes_ + begin);
    const std::size_t got = input_.read(out);
    if (got != out.size()) check_length(begin + got);
    std::array<std::byte, 1> more{};
    if (rows.end == header_.rows && input_.read(more) != 0) check_length(header_.bytes() + 1);
    to_machine_order(out, bytes_of(header_.type));
  }

 private:
  /// Throws unless `found` bytes of numbers are what the header says.
  void check_length(std::size_t found) const {
    if (found == header_.bytes()) return;
    throw Error(ErrorKind::data, header_.name + ": its header says " + shape_text(shape_) + ", " +
                                     std::to_string(header_.bytes()) + " bytes, but the file holds " +
                                     (found > header_.bytes() ? "more" : std::to_string(found)));
  }

  Input input_;
  std::vector<std::size_t> shape_;
  std::size_t header_bytes_ = 0;
};

}  // namespace

bool looks_like_idx(std::span<const std::byte> head) noexcept {
  if (head.size() < 4) return false;
  const bool gzip = head[0] == std::byte{0x1F} && head[1] == std::byte{0x8B};
  return gzip || (head[0] == std::byte{0} && head[1] == std::byte{0} && idx_type(head[2]) && head[3] != std::byte{0});
}

std::unique_ptr<TableReader> open_idx_samples(const std::string& file) {
  return std::make_unique<IdxTable>(file);
}

OpenDataset open_idx(const std::string& x_file, const std::string& y_file) {
  OpenDataset opened;
  opened.x = std::make_unique<IdxTable>(x_file);
  auto y = std::make_unique<IdxTable>(y_file);
  if (y->shape().size() > 2) {
    throw Error(ErrorKind::data, y_file + ": expected labels [n] or targets [n, k], found shape " +
                                     shape_text(y->shape()) + "; are x and y swapped?");
  }
  opened.y = std::move(y);
  return opened;
}

}  // namespace lockstep
