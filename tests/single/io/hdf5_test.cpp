// The HDF5 wrapper: what is written is read back, equal contents are equal bytes, damaged or absurd files are Errors.
#include "io/hdf5.hpp"

#include <gtest/gtest.h>
#include <hdf5.h>

#include <array>
#include <fstream>
#include <limits>
#include <thread>

#include "io/files.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep::h5 {
namespace {

constexpr std::array<std::size_t, 2> kShape = {2, 3};
constexpr std::array<float, 6> kFloats = {1.5F, -2, 3, 4, 5, 0.1F};

File example() {
  File file = File::create_image("example");
  file.write("/group/sub/floats", kShape, kFloats);
  file.write("/group/doubles", std::array<std::size_t, 1>{2}, std::array{0.1, -1e300});
  file.write("/integers", std::array<std::size_t, 1>{2}, std::array<std::int64_t, 2>{-5, std::int64_t{1} << 60U});
  file.write_text("/text", "line one\nline two \u00e4");
  file.make_group("/empty/inner");
  file.set_attribute("/", "name", "digits");
  file.set_attribute("/group", "count", std::int64_t{-7});
  file.set_attribute("/group/doubles", "rate", 0.1);
  return file;
}

void save(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  const std::array parts = {bytes};
  write_file_atomically(path, parts);
}

void check_example(const File& file) {
  std::array<float, 6> floats{};
  file.read("/group/sub/floats", std::span(floats));
  EXPECT_EQ(floats, kFloats);
  std::array<double, 2> doubles{};
  file.read("group/doubles", std::span(doubles));
  EXPECT_EQ(doubles, (std::array{0.1, -1e300}));
  std::array<std::int64_t, 2> integers{};
  file.read("/integers", std::span(integers));
  EXPECT_EQ(integers, (std::array<std::int64_t, 2>{-5, std::int64_t{1} << 60U}));
  EXPECT_EQ(file.read_text("/text"), "line one\nline two \u00e4");
  EXPECT_EQ(file.text_attribute("", "name"), "digits");
  EXPECT_EQ(file.integer_attribute("/group", "count"), -7);
  EXPECT_EQ(file.number_attribute("/group/doubles", "rate"), 0.1);
  EXPECT_EQ(file.number_attribute("/group", "count"), -7.0);
  EXPECT_EQ(file.info("/group/sub/floats").shape, (std::vector<std::size_t>{2, 3}));
  EXPECT_EQ(file.info("/group/sub/floats").type, ElementType::f32);
  EXPECT_EQ(file.info("/text").type, std::nullopt);
}

/// The bytes of a file that is built in memory.
std::vector<std::byte> taken(File file) {
  const FileImage image = std::move(file).take_image();
  return {image.bytes().begin(), image.bytes().end()};
}

/// Makes a file through HDF5 itself.
void with_raw_file(const std::filesystem::path& path, const auto& action) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(file, 0);
  action(file);
  H5Fclose(file);
}

TEST(Hdf5File, ReadsBackWhatWasWritten) {
  const TemporaryFolder folder;
  File written = example();
  check_example(written);
  const std::vector<std::byte> image = taken(std::move(written));
  check_example(File::open_image(image, "image"));
  save(folder.path() / "file.h5", image);
  check_example(File::open((folder.path() / "file.h5").string()));
}

TEST(Hdf5File, TellsWhatIsThere) {
  const File file = example();
  EXPECT_TRUE(file.exists("/"));
  EXPECT_TRUE(file.is_group("/"));
  EXPECT_TRUE(file.exists("/group/sub/floats"));
  EXPECT_FALSE(file.is_group("/group/sub/floats"));
  EXPECT_TRUE(file.is_group("/empty/inner"));
  EXPECT_FALSE(file.exists("/group/missing/floats"));
  EXPECT_FALSE(file.exists("/integers/below"));
  EXPECT_EQ(file.children("/"), (std::vector<std::string>{"empty", "group", "integers", "text"}));
  EXPECT_TRUE(file.children("/empty/inner").empty());
  EXPECT_TRUE(file.has_attribute("/", "name"));
  EXPECT_FALSE(file.has_attribute("/", "title"));
  EXPECT_FALSE(file.has_attribute("/missing", "name"));
}

TEST(Hdf5File, GivesEqualBytesForEqualContents) {
  EXPECT_EQ(taken(example()), taken(example()));
}

TEST(Hdf5File, RecordsNoTimes) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "file.h5").string();
  save(path, taken(example()));
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  for (const char* object : {"/", "/group", "/group/sub/floats", "/empty", "/empty/inner", "/text"}) {
    H5O_info_t info;
    ASSERT_GE(H5Oget_info_by_name2(file, object, &info, H5O_INFO_TIME, H5P_DEFAULT), 0);
    EXPECT_EQ(info.atime + info.mtime + info.ctime + info.btime, 0) << object;
  }
  H5Fclose(file);
}

TEST(Hdf5File, KeepsImagesOfOneNameApart) {
  File one = File::create_image("same");
  File two = File::create_image("same");
  one.set_attribute("/", "which", "one");
  two.set_attribute("/", "which", "two");
  const std::vector<std::byte> first = taken(std::move(one));
  const std::vector<std::byte> second = taken(std::move(two));
  const File open_one = File::open_image(first, "same");
  const File open_two = File::open_image(second, "same");
  EXPECT_EQ(open_one.text_attribute("/", "which"), "one");
  EXPECT_EQ(open_two.text_attribute("/", "which"), "two");
}

TEST(Hdf5File, KeepsEmptyThings) {
  File file = File::create_image("empty");
  file.write("/none", std::array<std::size_t, 2>{0, 4}, std::span<const float>{});
  file.write("/one", std::span<const std::size_t>{}, std::array{2.5});
  file.write_text("/text", "");
  file.set_attribute("/", "text", "");
  const std::vector<std::byte> image = taken(std::move(file));
  const File read = File::open_image(image, "empty");
  EXPECT_EQ(read.info("/none").shape, (std::vector<std::size_t>{0, 4}));
  read.read("/none", std::span<float>{});
  std::array<double, 1> one{};
  read.read("/one", std::span(one));
  EXPECT_EQ(one[0], 2.5);
  EXPECT_TRUE(read.info("/one").shape.empty());
  EXPECT_EQ(read.read_text("/text"), "");
  EXPECT_EQ(read.text_attribute("/", "text"), "");
}

TEST(Hdf5File, ReplacesAnAttribute) {
  File file = File::create_image("file");
  file.set_attribute("/", "step", std::int64_t{1});
  file.set_attribute("/", "step", "two");
  EXPECT_EQ(file.text_attribute("/", "step"), "two");
}

TEST(Hdf5File, ReadsStringsOfVariableLength) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "strings.h5").string();
  with_raw_file(path, [](hid_t file) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    const hid_t space = H5Screate(H5S_SCALAR);
    const char* text = "h\u00e9llo";
    const hid_t attribute = H5Acreate2(file, "text", type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, static_cast<const void*>(&text));
    H5Aclose(attribute);
    const hid_t dataset = H5Dcreate2(file, "data", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, static_cast<const void*>(&text));
    H5Dclose(dataset);
    H5Sclose(space);
    H5Tclose(type);
  });
  const File file = File::open(path);
  EXPECT_EQ(file.text_attribute("/", "text"), "h\u00e9llo");
  EXPECT_EQ(file.read_text("data"), "h\u00e9llo");
}

TEST(Hdf5File, SaysWhatIsThereInsteadOfWhatIsMissing) {
  const File file = example();
  std::array<float, 6> floats{};
  expect_error(ErrorKind::data, {"example", "/group/sub/x", "floats"}, [&] { file.read("/group/sub/x", floats); });
  expect_error(ErrorKind::data, {"/grp/x", "group, integers"}, [&] { (void)file.info("/grp/x"); });
  expect_error(ErrorKind::data, {"/integers is not a group"}, [&] { (void)file.info("/integers/x"); });
  expect_error(ErrorKind::data, {"expected a data set at /group"}, [&] { (void)file.info("/group"); });
  expect_error(ErrorKind::data, {"expected a group at /text"}, [&] { (void)file.children("/text"); });
  expect_error(ErrorKind::data, {"'title'"}, [&] { (void)file.text_attribute("/", "title"); });
}

TEST(Hdf5File, RefusesOtherTypesAndCounts) {
  const File file = example();
  std::array<float, 5> five{};
  std::array<std::int64_t, 2> integers{};
  std::array<double, 1> one{};
  expect_error(ErrorKind::data, {"expected 5 elements", "found 6"}, [&] { file.read("/group/sub/floats", five); });
  expect_error(ErrorKind::data, {"expected integers"}, [&] { file.read("/group/doubles", integers); });
  expect_error(ErrorKind::data, {"plain numbers"}, [&] { file.read("/text", one); });
  expect_error(ErrorKind::data, {"not one string"}, [&] { (void)file.read_text("/integers"); });
  expect_error(ErrorKind::data, {"one integer"}, [&] { (void)file.integer_attribute("/group/doubles", "rate"); });
  expect_error(ErrorKind::data, {"one number"}, [&] { (void)file.number_attribute("/", "name"); });
  expect_error(ErrorKind::usage, {"6 elements", "5 are given"}, [&] {
    File other = File::create_image("other");
    other.write("/x", kShape, std::span<const float>(five));
  });
}

TEST(Hdf5File, ReadsRowsAsStored) {
  const File file = example();
  const Rows rows(file, "/group/sub/floats");
  std::array<float, 3> row{};
  rows.read({1, 2}, std::as_writable_bytes(std::span(row)));
  EXPECT_EQ(row, (std::array<float, 3>{4, 5, 0.1F}));
  EXPECT_NO_THROW(rows.read({2, 2}, {}));
  const auto bytes = std::as_writable_bytes(std::span(row));
  expect_error(ErrorKind::usage, {"no such rows"}, [&] { rows.read({2, 3}, bytes); });
  expect_error(ErrorKind::usage, {"another size"}, [&] { rows.read({0, 2}, bytes); });
  expect_error(ErrorKind::data, {"plain numbers"}, [&] { Rows(file, "/text").read({0, 1}, bytes); });
}

TEST(Hdf5File, WillNotWriteOneDataSetTwice) {
  File file = example();
  expect_error(ErrorKind::io, {"/text cannot be made", "name already exists"}, [&] { file.write_text("/text", "b"); });
}

TEST(Hdf5File, RefusesForeignAndMissingFiles) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "foreign") << "a,b\n1,2\n";
  std::ofstream(folder.path() / "empty");
  const auto open = [&](const char* name) { (void)File::open((folder.path() / name).string()); };
  expect_error(ErrorKind::data, {"foreign", "not an HDF5 file"}, [&] { open("foreign"); });
  expect_error(ErrorKind::data, {"empty", "not an HDF5 file"}, [&] { open("empty"); });
  expect_error(ErrorKind::data, {"no such file"}, [&] { open("missing.h5"); });
  expect_error(ErrorKind::data, {"folder"}, [&] { open(""); });
  expect_error(ErrorKind::data, {"picture"}, [] { (void)File::open_image({}, "picture"); });
}

TEST(Hdf5File, IsAnErrorWhenCutOffAnywhere) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "cut.h5").string();
  const std::vector<std::byte> image = taken(example());
  for (std::size_t length = 0; length < image.size(); length += 97) {
    save(path, std::span(image).first(length));
    expect_error(ErrorKind::data, {"cut.h5"}, [&] { (void)File::open(path); });
  }
}

TEST(Hdf5File, RefusesADataSetThatClaimsMoreThanTheFileHolds) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "claims.h5").string();
  with_raw_file(path, [](hid_t file) {
    const auto make = [file](const char* name, hid_t created, std::vector<hsize_t> dims) {
      const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
      H5Dclose(H5Dcreate2(file, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, created, H5P_DEFAULT));
      H5Sclose(space);
    };
    const hid_t chunked = H5Pcreate(H5P_DATASET_CREATE);
    const std::array<hsize_t, 2> chunk = {1, 1024};
    H5Pset_chunk(chunked, 2, chunk.data());
    const hid_t external = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(external, "/etc/hostname", 0, 8);
    make("contiguous", H5P_DEFAULT, {hsize_t{1} << 40U});
    make("chunked", chunked, {hsize_t{1} << 30U, hsize_t{1} << 10U});
    make("overflow", chunked, {hsize_t{1} << 40U, hsize_t{1} << 40U});
    make("hidden", chunked, {0, hsize_t{1} << 62U});
    make("external", external, {1});
    make("small", chunked, {4, 1024});
    H5Pclose(chunked);
    H5Pclose(external);
  });
  const File file = File::open(path);
  for (const char* name : {"contiguous", "chunked", "overflow", "hidden"}) {
    expect_error(ErrorKind::data, {name, "more than the file can hold"}, [&] { (void)file.info(name); });
  }
  expect_error(ErrorKind::data, {"other files"}, [&] { (void)file.info("external"); });
  EXPECT_EQ(file.info("small").shape, (std::vector<std::size_t>{4, 1024}));  // never written: fill values, but few
}

TEST(Hdf5File, ReadsWellCompressedData) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "zeros.h5").string();
  constexpr std::size_t elements = std::size_t{8} << 20U;  // 64 MiB of zeros, deflated about 1000:1
  with_raw_file(path, [](hid_t file) {
    const hsize_t dims = elements;
    const hsize_t chunk = std::size_t{1} << 17U;
    const hid_t created = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(created, 1, &chunk);
    H5Pset_deflate(created, 1);
    const hid_t space = H5Screate_simple(1, &dims, nullptr);
    const hid_t data = H5Dcreate2(file, "zeros", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, created, H5P_DEFAULT);
    const std::vector<double> zeros(elements);
    H5Dwrite(data, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros.data());
    H5Dclose(data);
    H5Sclose(space);
    H5Pclose(created);
  });
  EXPECT_EQ(File::open(path).info("zeros").shape, (std::vector<std::size_t>{elements}));
}

herr_t count_call(hid_t, void* calls) {
  ++*static_cast<int*>(calls);
  return 0;
}

TEST(Hdf5Lock, PutsTheHostsErrorPrintingBack) {
  int calls = 0;
  H5Eset_auto2(H5E_DEFAULT, count_call, &calls);
  expect_error(ErrorKind::data, {}, [] { (void)example().info("/missing"); });
  EXPECT_EQ(calls, 0);
  H5Fopen("/no/such/file", H5F_ACC_RDONLY, H5P_DEFAULT);
  EXPECT_EQ(calls, 1);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

TEST(Hdf5Lock, LetsThreadsWorkInTurn) {
  std::array<std::vector<std::byte>, 4> images;
  {
    std::vector<std::jthread> threads;
    for (auto& image : images) threads.emplace_back([&image] { image = taken(example()); });
  }
  for (const auto& image : images) EXPECT_EQ(image, images[0]);
  EXPECT_FALSE(images[0].empty());
}

TEST(Hdf5Version, IsNamed) {
  EXPECT_EQ(library_version().substr(0, 7), "HDF5 1.");
}

}  // namespace
}  // namespace lockstep::h5
