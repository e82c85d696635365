#include "io/zip.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <limits>
#include <utility>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::uint16_t kVersion = 20;             // of the format, enough for stored files
constexpr std::uint16_t kUtf8 = 1U << 11U;         // flag: names are UTF-8
constexpr std::uint16_t kDate = (1U << 5U) | 1U;   // 1 January 1980: a clock would make unlike bytes of like contents
constexpr std::uint64_t kMostBytes = 0xFFFFFFFEU;  // one more means "see the 64-bit part"
constexpr std::uint16_t kMostFiles = 0xFFFEU;

template <class T>
void put(std::string& out, T value) {
  for (unsigned byte = 0; byte < sizeof(T); ++byte) out.push_back(static_cast<char>(value >> (8U * byte) & 0xFFU));
}

std::uint32_t crc_of(std::uint32_t crc, std::span<const std::byte> bytes) {
  if (bytes.empty()) return crc;  // zlib starts afresh where there is no memory
  return static_cast<std::uint32_t>(::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

/// What the header before a file and its line of the directory have in common.
std::string common_header(const std::string& name, std::uint32_t crc, std::uint32_t size) {
  std::string out;
  put(out, kVersion);
  put(out, kUtf8);
  put(out, std::uint16_t{0});  // stored
  put(out, std::uint16_t{0});  // midnight
  put(out, kDate);
  put(out, crc);
  put(out, size);  // compressed
  put(out, size);
  put(out, static_cast<std::uint16_t>(name.size()));
  put(out, std::uint16_t{0});  // nothing extra
  return out;
}

}  // namespace

void ZipArchive::append(std::string text) {
  texts_.push_back(std::move(text));
  pieces_.push_back(std::as_bytes(std::span(texts_.back())));
  size_ += texts_.back().size();
}

void ZipArchive::add(const std::string& name, std::string head, std::span<const std::byte> data) {
  if (name.size() > std::numeric_limits<std::uint16_t>::max()) {
    throw Error(ErrorKind::data, fmt::format("zip: a name of {} bytes", name.size()));
  }
  const std::uint64_t size = head.size() + data.size();
  const std::uint64_t overhead = 256 + 2 * name.size();  // both headers, and the end of the archive
  if (size_ + directory_.size() + size + overhead > kMostBytes || files_ == kMostFiles) {
    throw Error(ErrorKind::data,
                fmt::format("{} does not fit: a zip archive takes less than 4 GiB and 65535 files", name));
  }
  const std::uint32_t crc = crc_of(crc_of(0, std::as_bytes(std::span(head))), data);
  const std::string header = common_header(name, crc, static_cast<std::uint32_t>(size));

  put(directory_, std::uint32_t{0x02014b50});
  put(directory_, kVersion);  // made by
  directory_ += header;
  put(directory_, std::uint16_t{0});  // no comment
  put(directory_, std::uint16_t{0});  // disk
  put(directory_, std::uint16_t{0});  // internal attributes
  put(directory_, std::uint32_t{0});  // external attributes
  put(directory_, static_cast<std::uint32_t>(size_));
  directory_ += name;

  std::string local;
  put(local, std::uint32_t{0x04034b50});
  append(local + header + name);
  append(std::move(head));
  pieces_.push_back(data);
  size_ += data.size();
  ++files_;
}

std::vector<std::span<const std::byte>> ZipArchive::finish() {
  const auto start = static_cast<std::uint32_t>(size_);
  const auto length = static_cast<std::uint32_t>(directory_.size());
  append(std::move(directory_));
  std::string end;
  put(end, std::uint32_t{0x06054b50});
  put(end, std::uint16_t{0});  // this disk
  put(end, std::uint16_t{0});  // the directory's disk
  put(end, files_);
  put(end, files_);
  put(end, length);
  put(end, start);
  put(end, std::uint16_t{0});  // no comment
  append(std::move(end));
  return pieces_;
}

}  // namespace lockstep
