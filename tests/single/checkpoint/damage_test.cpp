// Files that are not whole or not ours are told from good ones, with the reason, and never crash the reader.
#include <hdf5.h>

#include <array>
#include <fstream>
#include <string>

#include "checkpoint/trailer.hpp"
#include "io/files.hpp"
#include "io/hdf5.hpp"
#include "single/checkpoint/sample_checkpoint.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

using Bytes = std::vector<std::byte>;

class Damage : public testing::Test {
 protected:
  Bytes good_bytes() {
    const SampleState state;
    write_checkpoint(path_, build_checkpoint(path_, sample_info(), state.arrays()));
    return read_file(path_);
  }
  void put(std::span<const std::byte> bytes) {
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  // What a hostile or foreign writer could make: any HDF5 file under a right trailer.
  void put_signed(Bytes image) {
    const auto trailer = make_trailer(image);
    image.insert(image.end(), trailer.begin(), trailer.end());
    put(image);
  }
  void expect_refused(std::initializer_list<const char*> says) {
    expect_error(ErrorKind::data, says, [this] { (void)read_checkpoint(path_); });
    expect_error(ErrorKind::data, {path_.c_str()}, [this] { (void)read_checkpoint(path_); });
  }
  // The good image, opened by HDF5 itself and changed.
  template <class Change>
  Bytes changed_image(Change&& change) {
    Bytes image = good_bytes();
    image.resize(image.size() - kTrailerBytes);
    const std::string other = path_ + ".hdf5";
    std::ofstream(other, std::ios::binary)
        .write(reinterpret_cast<const char*>(image.data()), static_cast<std::streamsize>(image.size()));
    const hid_t file = H5Fopen(other.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    change(file);
    EXPECT_GE(H5Fclose(file), 0);
    return read_file(other);
  }

  TemporaryFolder folder_;
  std::string path_ = (folder_.path() / "step-00000001.h5").string();
};

TEST_F(Damage, ACutAtAnyLengthIsRefused) {
  const Bytes good = good_bytes();
  for (std::size_t length = 0; length < good.size(); length += 97) {
    put(std::span(good).first(length));
    ASSERT_NO_FATAL_FAILURE(expect_refused({"is not a whole checkpoint"})) << length;
  }
  for (std::size_t cut = 1; cut <= kTrailerBytes + 1; ++cut) {
    put(std::span(good).first(good.size() - cut));
    ASSERT_NO_FATAL_FAILURE(expect_refused({"is not a whole checkpoint"})) << cut;
  }
}

TEST_F(Damage, OneFlippedBitAnywhereIsRefused) {
  Bytes bytes = good_bytes();
  const auto flip = [&](std::size_t at, unsigned bit) { bytes[at] ^= static_cast<std::byte>(1U << bit); };
  const auto refused_with_flip_at = [&](std::size_t at) {
    const auto bit = static_cast<unsigned>(at % 8);
    flip(at, bit);
    expect_error(ErrorKind::data, {"a.h5 is not a whole checkpoint"}, [&] { (void)checked_image(bytes, "a.h5"); });
    flip(at, bit);
  };
  for (std::size_t at = 0; at < bytes.size(); at += 61) ASSERT_NO_FATAL_FAILURE(refused_with_flip_at(at)) << at;
  for (std::size_t at = bytes.size() - kTrailerBytes; at < bytes.size(); ++at) refused_with_flip_at(at);
  EXPECT_EQ(checked_image(bytes, "a.h5").size(), bytes.size() - kTrailerBytes);  // undone, it is whole again
}

TEST_F(Damage, BytesBehindTheEndAreRefused) {
  Bytes bytes = good_bytes();
  bytes.push_back(std::byte{0});
  put(bytes);
  expect_refused({"is not a whole checkpoint"});
}

TEST_F(Damage, TwoFilesOneBehindTheOtherAreRefused) {
  Bytes bytes = good_bytes();
  const Bytes again = bytes;
  bytes.insert(bytes.end(), again.begin(), again.end());
  put(bytes);
  expect_refused({"expected", "found"});
}

TEST_F(Damage, ReasonsAreTold) {
  put({});
  expect_refused({"it is empty"});
  const Bytes good = good_bytes();
  put(std::span(good).first(20));
  expect_refused({"cut short, 20 bytes"});
  put(std::span(good).first(good.size() / 2));
  expect_refused({"its end is missing"});
  put(Bytes(1000, std::byte{'x'}));
  expect_refused({"neither HDF5"});
  put(std::span(good).first(good.size() - kTrailerBytes));  // plain HDF5
  expect_refused({"an HDF5 file of another program"});
  Bytes changed = good;
  changed[changed.size() / 2] ^= std::byte{4};
  put(changed);
  expect_refused({"its bytes have changed"});
}

TEST_F(Damage, AMissingFileOrAFolderIsADataError) {
  expect_refused({"cannot be opened"});
  path_ = folder_.path().string();
  expect_refused({"regular file"});
}

TEST_F(Damage, WhatIsNoHdf5UnderARightTrailerIsRefused) {
  put_signed({});
  expect_refused({});
  put_signed(Bytes(5000, std::byte{7}));
  expect_refused({});
}

TEST_F(Damage, AnotherFormatOrVersionIsRefused) {
  const auto image_of = [](auto&& fill) {
    h5::File file = h5::File::create_image("test");
    fill(file);
    const h5::FileImage image = std::move(file).take_image();
    return Bytes(image.bytes().begin(), image.bytes().end());
  };
  put_signed(image_of([](h5::File&) {}));
  expect_refused({"is no lockstep checkpoint"});
  put_signed(image_of([](h5::File& file) { file.set_attribute("/", "format", std::string_view("other")); }));
  expect_refused({"is no lockstep checkpoint"});
  put_signed(image_of([](h5::File& file) { file.set_attribute("/", "format", std::int64_t{3}); }));
  expect_refused({"format"});
  put_signed(image_of([](h5::File& file) {
    file.set_attribute("/", "format", std::string_view("lockstep-checkpoint"));
    file.set_attribute("/", "version", kCheckpointVersion + 1);
  }));
  expect_refused({"schema version 3", "reads versions 1 to 2"});
  put_signed(image_of([](h5::File& file) {
    file.set_attribute("/", "format", std::string_view("lockstep-checkpoint"));
    file.set_attribute("/", "version", kCheckpointVersion);
  }));
  expect_refused({"step"});
}

void write_text(hid_t file, const char* attribute, const std::string& text) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  EXPECT_GE(H5Tset_size(type, std::max<std::size_t>(text.size(), 1)), 0);
  EXPECT_GE(H5Tset_strpad(type, H5T_STR_NULLPAD), 0);
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t made = H5Acreate2(file, attribute, type, space, H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_GE(H5Awrite(made, type, text.empty() ? "\0" : text.data()), 0);
  H5Aclose(made);
  H5Sclose(space);
  H5Tclose(type);
}

TEST_F(Damage, AShapeOfTheInputThatIsNoneIsRefused) {
  for (const char* shape : {"", "5", "[]", "[6]", "[5, 0]", "[2.5, 2]", "[-1, -5]", "[1, 1, 1, 1, 5]", "[\"5\"]",
                            "[4294967296, 4294967296, 5]"}) {
    put_signed(changed_image([&](hid_t file) {
      EXPECT_GE(H5Adelete(file, "input_shape"), 0);
      write_text(file, "input_shape", shape);
    }));
    ASSERT_NO_FATAL_FAILURE(expect_refused({"input_shape"})) << shape;
  }
}

TEST_F(Damage, AnyMissingPartIsNamed) {
  for (const std::string path :
       {"/parameters/dense1/weight", "/parameters", "/optimizer/exp_avg/head-2/weight", "/optimizer", "/run",
        "/classes", "/history/train_loss", "/history", "/normalization"}) {
    put_signed(changed_image([&](hid_t file) { EXPECT_GE(H5Ldelete(file, path.c_str(), H5P_DEFAULT), 0) << path; }));
    ASSERT_NO_FATAL_FAILURE(expect_refused({path.c_str()})) << path;
  }
  for (const std::string name :
       {"step", "epoch", "position", "seed", "shards", "digest", "data_fingerprint", "time", "blas_version"}) {
    put_signed(changed_image([&](hid_t file) { EXPECT_GE(H5Adelete(file, name.c_str()), 0) << name; }));
    ASSERT_NO_FATAL_FAILURE(expect_refused({name.c_str()})) << name;
  }
}

void write_number(hid_t file, const char* attribute, std::int64_t value) {
  const hid_t made = H5Aopen(file, attribute, H5P_DEFAULT);
  EXPECT_GE(H5Awrite(made, H5T_NATIVE_INT64, &value), 0);
  H5Aclose(made);
}

TEST_F(Damage, AStateUnlikeItsDigestIsRefused) {
  put_signed(changed_image([](hid_t file) { write_number(file, "step", 100); }));
  expect_refused({"its digest says"});
  put_signed(changed_image([](hid_t file) {
    const hid_t data = H5Dopen2(file, "/parameters/dense1/bias", H5P_DEFAULT);
    const std::array<float, 3> other = {1, 2, 3};
    EXPECT_GE(H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, other.data()), 0);
    H5Dclose(data);
  }));
  expect_refused({"its digest says"});
}

TEST_F(Damage, ANegativePositionIsRefused) {
  put_signed(changed_image([](hid_t file) { write_number(file, "step", -5); }));
  expect_refused({"attribute 'step', is negative (-5)"});
}

TEST_F(Damage, AnArrayOfAnotherShapeIsRefused) {
  put_signed(changed_image([](hid_t file) {
    EXPECT_GE(H5Ldelete(file, "/optimizer/exp_avg/dense1/bias", H5P_DEFAULT), 0);
    EXPECT_GE(H5Lmove(file, "/optimizer/exp_avg/dense1/weight", file, "/optimizer/exp_avg/dense1/bias", H5P_DEFAULT,
                      H5P_DEFAULT),
              0);
  }));
  expect_refused({"there is no /optimizer/exp_avg/dense1/weight"});
  put_signed(changed_image([](hid_t file) {
    EXPECT_GE(H5Ldelete(file, "/optimizer/exp_avg/dense1/weight", H5P_DEFAULT), 0);
    EXPECT_GE(H5Lmove(file, "/ema/dense1/bias", file, "/optimizer/exp_avg/dense1/weight", H5P_DEFAULT, H5P_DEFAULT), 0);
  }));
  expect_refused({"/optimizer/exp_avg/dense1/weight", "shape"});
}

TEST(Trailer, IsSeenWithoutBelievingIt) {
  const std::vector<std::byte> image(100, std::byte{7});
  std::vector<std::byte> bytes = image;
  EXPECT_FALSE(has_trailer(bytes));
  EXPECT_FALSE(has_trailer({}));
  const auto trailer = make_trailer(image);
  bytes.insert(bytes.end(), trailer.begin(), trailer.end());
  EXPECT_TRUE(has_trailer(bytes));
  bytes[50] = std::byte{8};
  EXPECT_TRUE(has_trailer(bytes));  // damaged before it
}

TEST(Trailer, HoldsMagicLengthAndHash) {
  const Bytes image(300, std::byte{5});
  const auto trailer = make_trailer(image);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(trailer.data()), 8), "LOCKSTEP");
  EXPECT_EQ(trailer[8], std::byte{300 % 256});
  EXPECT_EQ(trailer[9], std::byte{1});
  Bytes whole = image;
  whole.insert(whole.end(), trailer.begin(), trailer.end());
  const auto found = checked_image(whole, "a.h5");
  EXPECT_EQ(found.data(), whole.data());
  EXPECT_EQ(found.size(), 300U);
}

}  // namespace
}  // namespace lockstep
