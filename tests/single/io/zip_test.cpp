// The archive's bytes; that others read it, Python tells in tests/parallel/export_test.py.
#include "io/zip.hpp"

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace lockstep {
namespace {

using namespace std::string_literals;

std::string joined(ZipArchive& archive) {
  std::string all;
  for (const auto piece : archive.finish()) all.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  return all;
}

TEST(ZipArchive, StoresHeadAndData) {
  const std::string data = "56789";
  ZipArchive archive;
  archive.add("a", "1234", std::as_bytes(std::span(data)));
  archive.add("b", "", {});
  // Version, flags, method, time, date, the CRC-32 of "123456789", sizes, length of the name.
  const std::string first = "\x14\0\0\x08\0\0\0\0\x21\0\x26\x39\xf4\xcb\x09\0\0\0\x09\0\0\0\x01\0\0\0"s;
  const std::string second = "\x14\0\0\x08\0\0\0\0\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0"s;
  const std::string line = "PK\x01\x02\x14\0"s;
  const std::string zeros(10, '\0');
  EXPECT_EQ(joined(archive), "PK\x03\x04" + first + "a123456789" + "PK\x03\x04" + second + "b" +  //
                                 line + first + zeros + "\0\0\0\0a"s + line + second + zeros + "\x28\0\0\0b"s +
                                 "PK\x05\x06\0\0\0\0\x02\0\x02\0\x5e\0\0\0\x47\0\0\0\0\0"s);
}

TEST(ZipArchive, RefusesWhatItsNumbersDoNotHold) {
  const std::byte byte{};
  ZipArchive archive;
  const std::span<const std::byte> huge(&byte, std::size_t{1} << 32U);  // refused before it is read
  expect_error(ErrorKind::data, {"weight.npy", "4 GiB"}, [&] { archive.add("weight.npy", "", huge); });
  expect_error(ErrorKind::data, {"70000 bytes"}, [&] { archive.add(std::string(70'000, 'n'), "", {}); });
  EXPECT_EQ(joined(archive).size(), 22U);  // still empty
}

}  // namespace
}  // namespace lockstep
