// Data sets whose shape and whose storage are of unlike size: HDF5 1.10 reads past the storage.
#include <gtest/gtest.h>
#include <hdf5.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "io/files.hpp"
#include "io/hdf5.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep::h5 {
namespace {

constexpr std::array<double, 4> kValues = {0.1, 0.2, 0.3, 0.4};

/// The bytes of a file with /data of this layout and of `count` numbers, and the place of the data in it.
struct StoredFile {
  std::vector<std::byte> bytes;
  std::uint64_t data = 0;

  explicit StoredFile(H5D_layout_t layout, hsize_t count = kValues.size()) {
    const TemporaryFolder folder;
    const std::string path = (folder.path() / "data.h5").string();
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t created = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_layout(created, layout);
    const hid_t space = H5Screate_simple(1, &count, nullptr);
    const hid_t made = H5Dcreate2(file, "data", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, created, H5P_DEFAULT);
    EXPECT_GE(H5Dwrite(made, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, kValues.data()), 0);
    H5Dclose(made);
    H5Sclose(space);
    H5Pclose(created);
    H5Fclose(file);
    bytes = read_file(path);
    data = find(std::as_bytes(std::span(kValues)).first(count * sizeof(double)));
  }
  std::uint64_t find(std::span<const std::byte> what) const {
    const auto found = std::search(bytes.begin(), bytes.end(), what.begin(), what.end());
    EXPECT_NE(found, bytes.end());
    return static_cast<std::uint64_t>(found - bytes.begin());
  }
  template <class T>
  void set(std::size_t at, T value) {
    std::memcpy(bytes.data() + at, &value, sizeof(value));
  }
  /// Sets the size of contiguous data of 32 bytes; it lies behind their address.
  void set_size(std::uint64_t size) {
    const std::array<std::uint64_t, 2> layout = {data, 32};
    set(find(std::as_bytes(std::span(layout))) + sizeof(data), size);
  }
};

std::array<double, 4> read(const StoredFile& file) {
  std::array<double, 4> values{};
  File::open_image(file.bytes, "stored").read("/data", std::span(values));
  return values;
}

void expect_refused(const StoredFile& file) {
  expect_error(ErrorKind::data, {"stored: /data claims 32 bytes, more than the file can hold"},
               [&] { (void)read(file); });
}

TEST(Hdf5Storage, CompactDataAreNoLargerThanTheirStorage) {
  EXPECT_EQ(read(StoredFile(H5D_COMPACT)), kValues);
  StoredFile file(H5D_COMPACT);
  file.set(file.data - 2, std::uint16_t{0});  // their size lies before them
  expect_refused(file);
}

TEST(Hdf5Storage, ContiguousDataAreNoLargerThanTheirStorage) {
  EXPECT_EQ(read(StoredFile(H5D_CONTIGUOUS)), kValues);
  StoredFile file(H5D_CONTIGUOUS);
  file.set_size(31);
  expect_refused(file);
}

TEST(Hdf5Storage, ADataSetWithoutElementsNeedsNone) {
  for (const H5D_layout_t layout : {H5D_COMPACT, H5D_CONTIGUOUS}) {
    const StoredFile file(layout, 0);
    EXPECT_EQ(File::open_image(file.bytes, "stored").info("/data").shape, std::vector<std::size_t>{0});
  }
}

TEST(Hdf5Storage, ATextIsNoLongerThanItsStorage) {
  File made = File::create_image("stored");
  made.write_text("/data", "some text of 32 bytes, no fewer.");
  const FileImage image = std::move(made).take_image();
  StoredFile file(H5D_COMPACT);
  file.bytes.assign(image.bytes().begin(), image.bytes().end());
  file.data = file.find(std::as_bytes(std::span("some text", 9)));
  file.set_size(5);
  expect_error(ErrorKind::data, {"/data claims 32 bytes"},
               [&] { (void)File::open_image(file.bytes, "stored").read_text("/data"); });
}

}  // namespace
}  // namespace lockstep::h5
