// Tables in files of NumPy's format .npy.
// Header: "\x93NUMPY", version, length of the text, and a text like {'descr': '<f4', 'fortran_order': False,
// 'shape': (100, 8), }; behind it the numbers (NEP 1, R. Kern, 2007).
#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <string_view>
#include <system_error>

#include "data/readers.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::array<unsigned char, 6> kMagic = {0x93, 'N', 'U', 'M', 'P', 'Y'};
constexpr std::size_t kMostText = std::size_t{1} << 16U;  // NumPy itself takes 10,000

std::optional<ElementType> npy_type(std::string_view descr) {
  static const std::map<std::string_view, ElementType> types = {
      {"<f4", ElementType::f32}, {"<f8", ElementType::f64}, {"|i1", ElementType::i8}, {"<i2", ElementType::i16},
      {"<i4", ElementType::i32}, {"<i8", ElementType::i64}, {"|u1", ElementType::u8}, {"<u2", ElementType::u16},
      {"<u4", ElementType::u32}, {"<u8", ElementType::u64}, {"<i1", ElementType::i8}, {"<u1", ElementType::u8},
  };
  const auto found = types.find(descr);
  return found == types.end() ? std::nullopt : std::optional(found->second);
}

/// What to do about a type that is not read.
std::string advice(std::string_view descr) {
  if (descr.starts_with('>')) return "is big-endian; store it as x.astype(x.dtype.newbyteorder('<'))";
  if (descr.find('O') != std::string_view::npos) return "holds Python objects; store numbers, x.astype('float32')";
  if (descr.find('c') != std::string_view::npos) return "is complex; store real numbers, say real and imaginary part";
  if (descr.find('b') != std::string_view::npos) return "is boolean; store it as x.astype('uint8')";
  if (descr.find("f2") != std::string_view::npos) return "is half precision; store it as x.astype('float32')";
  return "is not read";
}

struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::size_t> shape;
};

/// Reads the text of a header: a Python dict with exactly these three keys.
class HeaderText {
 public:
  HeaderText(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  NpyHeader read() {
    NpyHeader header;
    bool descr = false;
    bool order = false;
    bool shape = false;
    expect('{');
    while (!take('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !std::exchange(descr, true)) {
        header.descr = at('[') ? "[...]" : quoted();
        if (header.descr == "[...]") fail("a type of several fields is not read; store one array of numbers");
      } else if (key == "fortran_order" && !std::exchange(order, true)) {
        header.fortran_order = boolean();
      } else if (key == "shape" && !std::exchange(shape, true)) {
        header.shape = sizes();
      } else {
        fail("expected 'descr', 'fortran_order' and 'shape' once each, found '" + key + "'");
      }
      if (!take(',') && !at('}')) fail("expected a comma");
    }
    skip();
    if (!text_.empty() || !descr || !order || !shape) fail("expected 'descr', 'fortran_order' and 'shape'");
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::data, name_ + ": its .npy header is damaged or unknown: " + what);
  }
  void skip() { text_.remove_prefix(std::min(text_.find_first_not_of(" \t\n\r"), text_.size())); }
  bool at(char c) {
    skip();
    return text_.starts_with(c);
  }
  bool take(char c) {
    if (!at(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail(std::string("expected '") + c + "'");
  }
  std::string quoted() {
    if (!at('\'') && !at('"')) fail("expected a text in quotes");
    const std::size_t end = text_.find(text_.front(), 1);
    if (end == std::string_view::npos) fail("a quote is not closed");
    std::string text(text_.substr(1, end - 1));
    text_.remove_prefix(end + 1);
    return text;
  }
  bool boolean() {
    skip();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (!text_.starts_with(word)) continue;
      text_.remove_prefix(word.size());
      return value;
    }
    fail("expected True or False");
  }
  std::vector<std::size_t> sizes() {
    std::vector<std::size_t> shape;
    expect('(');
    while (!take(')')) {
      skip();
      std::size_t size = 0;
      const auto [end, code] = std::from_chars(text_.data(), text_.data() + text_.size(), size);
      if (code != std::errc() || shape.size() == 32) fail("expected a shape of at most 32 sizes");
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      shape.push_back(size);
      if (!take(',') && !at(')')) fail("expected a comma in the shape");
    }
    return shape;
  }

  std::string_view text_;
  const std::string& name_;
};

class NpyTable final : public TableReader {
 public:
  explicit NpyTable(const std::string& name) : file_(name, std::ios::binary) {
    std::error_code code;
    const std::size_t file_bytes = std::filesystem::file_size(name, code);
    if (!file_ || code) throw Error(ErrorKind::io, name + ": cannot be opened" + (code ? ": " + code.message() : ""));
    std::array<unsigned char, 8> start{};
    get(name, std::as_writable_bytes(std::span(start)));
    const std::size_t length_bytes = start[6] == 1 ? 2 : 4;
    if (!std::equal(kMagic.begin(), kMagic.end(), start.begin()) || start[6] < 1 || start[6] > 3) {
      throw Error(ErrorKind::data, name + ": expected a .npy file of version 1, 2 or 3, found version " +
                                       std::to_string(start[6]) + "." + std::to_string(start[7]));
    }
    std::array<unsigned char, 4> length{};
    get(name, std::as_writable_bytes(std::span(length).first(length_bytes)));
    const std::size_t text_bytes =
        length[0] | std::size_t{length[1]} << 8U | std::size_t{length[2]} << 16U | std::size_t{length[3]} << 24U;
    if (text_bytes > std::min(kMostText, file_bytes)) {
      throw Error(ErrorKind::data,
                  name + ": its .npy header claims " + std::to_string(text_bytes) + " bytes; it is cut off or damaged");
    }
    std::string text(text_bytes, '\0');
    get(name, std::as_writable_bytes(std::span(text)));
    begin_ = start.size() + length_bytes + text_bytes;
    take(name, HeaderText(text, name).read(), file_bytes - begin_);
  }

  void read(Range rows, std::span<std::byte> out) override {
    if (rows.begin > rows.end || rows.end > header_.rows || out.size() != rows.size() * header_.row_bytes()) {
      throw Error(ErrorKind::usage, header_.name + ": no such rows, or memory of another size");
    }
    if (rows.empty()) return;
    file_.clear();
    file_.seekg(static_cast<std::streamoff>(begin_ + rows.begin * header_.row_bytes()));
    file_.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size()));
    if (!file_) throw Error(ErrorKind::io, header_.name + ": cannot be read; did it become shorter?");
  }

 private:
  void get(const std::string& name, std::span<std::byte> out) {
    file_.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size()));
    if (!file_) throw Error(ErrorKind::data, name + ": cut off within its .npy header");
  }

  void take(const std::string& name, const NpyHeader& found, std::size_t bytes) {
    const std::optional<ElementType> type = npy_type(found.descr);
    if (!type) {
      throw Error(ErrorKind::data, name + ": type '" + found.descr + "' " + advice(found.descr) +
                                       "; expected float32, float64, or integers of 8 to 64 bits, little-endian");
    }
    if (found.shape.empty()) throw Error(ErrorKind::data, name + " is a single number; expected one row a sample");
    if (found.fortran_order && found.shape.size() > 1) {
      throw Error(ErrorKind::data, name +
                                       ": its numbers lie column by column (Fortran order), where a sample is "
                                       "scattered; store it as numpy.ascontiguousarray(x)");
    }
    // A dimension of 0 counts as 1 here, so that no part of the product overflows either.
    std::size_t claimed = bytes_of(*type);
    bool fits = true;
    for (const std::size_t dim : found.shape) {
      fits = fits && !__builtin_mul_overflow(claimed, std::max<std::size_t>(dim, 1), &claimed) && claimed >> 63U == 0;
    }
    if (fits) header_ = make_header(name, *type, found.shape);
    if (!fits || header_.bytes() != bytes) {
      throw Error(ErrorKind::data, name + ": its header says " + shape_text(found.shape) + " of type " + found.descr +
                                       ", but " + std::to_string(bytes) + " bytes of numbers follow" +
                                       (fits ? ", not " + std::to_string(header_.bytes()) : "") +
                                       "; it is cut off or damaged");
    }
  }

  std::ifstream file_;
  std::size_t begin_ = 0;  // of the numbers
};

}  // namespace

bool looks_like_npy(std::span<const std::byte> head) noexcept {
  return head.size() >= kMagic.size() && std::equal(kMagic.begin(), kMagic.end(), head.begin(),
                                                    [](auto a, auto b) { return static_cast<std::byte>(a) == b; });
}

std::unique_ptr<TableReader> open_npy(const std::string& file) {
  return std::make_unique<NpyTable>(file);
}

}  // namespace lockstep
