// Texts of variable length in damaged files: HDF5 1.10 would read or write out of bounds, or never end.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "io/hdf5.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep::h5 {
namespace {

constexpr const char* kText = "a text that is looked for";
constexpr std::uint64_t kLargest = ~std::uint64_t{0};

/// The bytes of a file with one text of variable length, and where what leads to it lies.
struct TextFile {
  std::vector<std::byte> bytes;
  std::size_t heap = 0;        ///< "GCOL", version, size; the object begins 16 bytes behind
  std::size_t descriptor = 0;  ///< length, address of the heap, index

  TextFile() {
    File file = File::create_image("text");
    file.set_attribute("/", "text", kText);
    const FileImage image = std::move(file).take_image();
    bytes.assign(image.bytes().begin(), image.bytes().end());
    heap = find("GCOL", 4);
    std::array<std::byte, 16> leads_there{};
    const auto length = static_cast<std::uint32_t>(std::strlen(kText));
    const std::uint64_t address = heap;
    const std::uint32_t index = 1;
    std::memcpy(leads_there.data(), &length, sizeof(length));
    std::memcpy(leads_there.data() + 4, &address, sizeof(address));
    std::memcpy(leads_there.data() + 12, &index, sizeof(index));
    descriptor = find(leads_there.data(), leads_there.size());
  }
  std::size_t find(const void* what, std::size_t size) const {
    const auto* first = static_cast<const std::byte*>(what);
    const auto found = std::search(bytes.begin(), bytes.end(), first, first + size);
    EXPECT_NE(found, bytes.end());
    return static_cast<std::size_t>(found - bytes.begin());
  }
  template <class T>
  void set(std::size_t at, T value) {
    std::memcpy(bytes.data() + at, &value, sizeof(value));
  }
};

std::string read(const TextFile& file) {
  return File::open_image(file.bytes, "text").text_attribute("/", "text");
}

/// Refused, whether from memory or from disk.
template <class T>
void expect_refused_with(std::size_t TextFile::*part, std::size_t offset, T value) {
  TextFile file;
  file.set(file.*part + offset, value);
  const std::initializer_list<const char*> says = {"attribute 'text' is damaged", "not where the file says"};
  expect_error(ErrorKind::data, says, [&] { (void)read(file); });
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "text.h5").string();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file.bytes.data()), static_cast<std::streamsize>(file.bytes.size()));
  expect_error(ErrorKind::data, says, [&] { (void)File::open(path).text_attribute("/", "text"); });
}

TEST(Hdf5Text, IsReadWhereTheFileSays) {
  EXPECT_EQ(read({}), kText);
  TextFile shorter;
  shorter.set(shorter.descriptor, std::uint32_t{6});
  EXPECT_EQ(read(shorter), "a text");
  TextFile none;
  none.set(none.descriptor + 4, std::uint64_t{0});
  EXPECT_EQ(read(none), "");
}

TEST(Hdf5Text, ADescriptorThatLeadsNowhereIsRefused) {
  expect_refused_with(&TextFile::descriptor, 0, std::uint32_t{0xFFFFFFFF});  // length
  expect_refused_with(&TextFile::descriptor, 0, std::uint32_t{4000});
  for (const std::uint64_t address : {std::uint64_t{1}, std::uint64_t{96}, std::uint64_t{1} << 40U, kLargest}) {
    expect_refused_with(&TextFile::descriptor, 4, address);
  }
  for (const std::uint32_t index : {0U, 2U, 1000U, 0xFFFFFFFFU}) expect_refused_with(&TextFile::descriptor, 12, index);
}

TEST(Hdf5Text, ADamagedHeapIsRefused) {
  expect_refused_with(&TextFile::heap, 0, 'g');
  for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{16}, std::uint64_t{1} << 32U, kLargest}) {
    expect_refused_with(&TextFile::heap, 8, bytes);
  }
  expect_refused_with(&TextFile::heap, 16, std::uint16_t{7});  // index of the only object
  for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{5}, kLargest - 7, kLargest}) {
    expect_refused_with(&TextFile::heap, 24, bytes);
  }
}

}  // namespace
}  // namespace lockstep::h5
