#include "io/zip.hpp"

#include <fmt/format.h>
#include <zip.h>

#include <array>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr zip_uint16_t kDate = (1U << 5U) | 1U;  // 1 January 1980: a clock would make unlike bytes of like contents

[[noreturn]] void fail(const std::string& what, const char* why) {
  throw Error(ErrorKind::data, fmt::format("zip: {}: {}", what, why));
}

zip_buffer_fragment_t fragment(std::span<const std::byte> bytes) {
  // libzip only reads it, but takes it as bytes that may change.
  return {reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(bytes.data())), bytes.size()};
}

}  // namespace

void ZipArchive::Free::operator()(zip* archive) const noexcept {
  zip_discard(archive);
}

void ZipArchive::Free::operator()(zip_source* source) const noexcept {
  zip_source_free(source);
}

ZipArchive::ZipArchive() {
  zip_error_t error;
  zip_error_init(&error);
  bytes_.reset(zip_source_buffer_create(nullptr, 0, 0, &error));
  if (!bytes_) throw Error(ErrorKind::internal, "zip: no memory for an archive");
  zip_source_keep(bytes_.get());  // the archive lets go of one hold, we of the other
  archive_.reset(zip_open_from_source(bytes_.get(), ZIP_TRUNCATE, &error));
  if (!archive_) {
    zip_source_free(bytes_.get());  // the hold that the archive did not take
    throw Error(ErrorKind::internal, fmt::format("zip: {}", zip_error_strerror(&error)));
  }
}

void ZipArchive::add(const std::string& name, std::span<const std::byte> head, std::span<const std::byte> data) {
  const std::array fragments{fragment(head), fragment(data)};
  zip_source* const source = zip_source_buffer_fragment(archive_.get(), fragments.data(), fragments.size(), 0);
  if (source == nullptr) fail(name, zip_strerror(archive_.get()));
  const zip_int64_t index = zip_file_add(archive_.get(), name.c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    fail(name, zip_strerror(archive_.get()));
  }
  const auto file = static_cast<zip_uint64_t>(index);
  if (zip_set_file_compression(archive_.get(), file, ZIP_CM_STORE, 0) != 0 ||
      zip_file_set_dostime(archive_.get(), file, 0, kDate, 0) != 0) {
    fail(name, zip_strerror(archive_.get()));
  }
}

std::vector<std::byte> ZipArchive::finish() {
  if (zip_close(archive_.get()) != 0) fail("the archive", zip_strerror(archive_.get()));
  static_cast<void>(archive_.release());  // zip_close has freed it
  zip_stat_t stat;
  std::vector<std::byte> bytes;
  if (zip_source_stat(bytes_.get(), &stat) == 0 && zip_source_open(bytes_.get()) == 0) {
    bytes.resize(stat.size);
    const zip_int64_t read = zip_source_read(bytes_.get(), bytes.data(), bytes.size());
    zip_source_close(bytes_.get());
    if (read == static_cast<zip_int64_t>(bytes.size())) return bytes;
  }
  fail("the archive", zip_error_strerror(zip_source_error(bytes_.get())));
}

}  // namespace lockstep
