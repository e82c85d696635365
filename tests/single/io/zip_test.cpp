// What libzip is asked for; that others read such an archive, Python tells in tests/parallel/export_test.py.
#include "io/zip.hpp"

#include <gtest/gtest.h>

#include <string>

#include "support/expect_error.hpp"

namespace lockstep {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string archive_of(const std::string& name, const std::string& head, const std::string& data) {
  ZipArchive archive;
  archive.add(name, bytes_of(head), bytes_of(data));
  const std::vector<std::byte> all = archive.finish();
  return {reinterpret_cast<const char*>(all.data()), all.size()};
}

TEST(ZipArchive, StoresHeadAndDataAsTheyAre) {
  const std::string archive = archive_of("a.npy", "1234", "56789");
  EXPECT_EQ(archive.substr(0, 4), "PK\x03\x04");
  EXPECT_NE(archive.find("a.npy"), std::string::npos);
  EXPECT_NE(archive.find("123456789"), std::string::npos);
}

TEST(ZipArchive, EqualContentsAreEqualBytes) {
  EXPECT_EQ(archive_of("a", "1", "2"), archive_of("a", "1", "2"));
  EXPECT_NE(archive_of("a", "1", "2"), archive_of("a", "1", "3"));
}

TEST(ZipArchive, RefusesANameThatStandsTwice) {
  ZipArchive archive;
  archive.add("weight.npy", {}, {});
  expect_error(ErrorKind::data, {"weight.npy", "exists"}, [&] { archive.add("weight.npy", {}, {}); });
}

}  // namespace
}  // namespace lockstep
