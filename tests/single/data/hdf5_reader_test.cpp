// Samples from HDF5 groups: types, shapes, class names, and every way a file can be wrong.
#include <cmath>
#include <cstring>
#include <limits>

#include "data/dataset.hpp"
#include "single/data/sample_files.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

using Floats = std::vector<float>;
using Ints = std::vector<std::int32_t>;

class Hdf5Samples : public testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return (folder_.path() / "samples.h5").string(); }
  [[nodiscard]] Dataset read(const std::string& group = ":/train") const { return read_dataset({path() + group}, {}); }
  void refuses(std::initializer_list<const char*> says, const std::string& group = ":/train") const {
    expect_error(ErrorKind::data, says, [&] { (void)read(group); });
  }
  TemporaryFolder folder_;
};

template <class T>
class Hdf5SampleTypes : public Hdf5Samples {};
using StoredTypes = testing::Types<float, double, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t,
                                   std::uint32_t, std::int64_t, std::uint64_t>;
TYPED_TEST_SUITE(Hdf5SampleTypes, StoredTypes);

TYPED_TEST(Hdf5SampleTypes, AreKeptAsStored) {
  using T = TypeParam;
  const T high = std::is_floating_point_v<T> ? static_cast<T>(1e30) : std::numeric_limits<T>::max();
  const T low = std::is_floating_point_v<T> ? static_cast<T>(-1e30) : std::numeric_limits<T>::min();
  const std::vector<T> values = {low, 1, 2, high};
  SampleFile(this->path()).add<T>("/train/x", {2, 2}, values).template add<T>("/train/y", {2}, {0, 1});
  const Dataset data = this->read();
  visit_element_type(data.x.type, [](auto zero) { EXPECT_TRUE((std::is_same_v<decltype(zero), T>)); });
  ASSERT_EQ(data.x.bytes.size(), values.size() * sizeof(T));
  EXPECT_EQ(std::memcmp(data.x.bytes.data(), values.data(), data.x.bytes.size()), 0);
  EXPECT_EQ(row_of(data.x, 1), (std::vector<double>{2, static_cast<double>(high)}));
  EXPECT_EQ(data.y.columns, 1U);
}

TEST_F(Hdf5Samples, AreTurnedToMachineByteOrder) {
  SampleFile(path())
      .add<std::int32_t>("/train/x", {2}, {1, -70000}, H5T_STD_I32BE)
      .add<double>("/train/y", {2, 1}, {0.5, 2}, H5T_IEEE_F64BE);
  const Dataset data = read();
  EXPECT_EQ(row_of(data.x, 1), std::vector<double>{-70000});
  EXPECT_EQ(row_of(data.y, 0), std::vector<double>{0.5});
}

TEST_F(Hdf5Samples, AreFlattenedBehindTheFirstDimension) {
  SampleFile(path()).add<float>("/x", {2, 2, 3}, Floats(12, 1)).add<float>("/y", {2, 2}, {1, 2, 3, 4});
  for (const char* group : {":/", ""}) {  // no group: the root
    const Dataset data = read(group);
    EXPECT_EQ(data.samples(), 2U);
    EXPECT_EQ(data.inputs(), 6U);
    EXPECT_EQ(row_of(data.y, 1), (std::vector<double>{3, 4}));
    EXPECT_EQ(data.source, path() + group);
  }
}

TEST_F(Hdf5Samples, TakeClassNamesFromTheGroupOrTheRoot) {
  {
    SampleFile file(path());
    for (const char* group : {"/a", "/b"}) {
      file.add<float>(std::string(group) + "/x", {1}, {1}).add<std::int32_t>(std::string(group) + "/y", {1}, {0});
    }
    file.text_attribute("/", "classes", R"(["cat", "dog"])").text_attribute("/b", "classes", R"(["eel"])");
  }
  EXPECT_EQ(read(":/a").class_names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(read(":/b").class_names, std::vector<std::string>{"eel"});
}

TEST_F(Hdf5Samples, RefuseClassNamesThatAreNoJsonList) {
  for (const char* text : {"cat, dog", "[\"cat\"", "[1, 2]", "{}", "[]"}) {
    SampleFile(path())
        .add<float>("/train/x", {1}, {1})
        .add<float>("/train/y", {1}, {0})
        .text_attribute("/", "classes", text);
    refuses({"samples.h5", "'classes'", "JSON list"});
  }
}

TEST_F(Hdf5Samples, AreLookedUpInTheFoldersInTurn) {
  SampleFile(path()).add<float>("/x", {1}, {1}).add<float>("/y", {1}, {0});
  const std::vector<std::string> folders = {"/no/such/folder", folder_.path().string()};
  EXPECT_EQ(read_dataset({"samples.h5:/"}, folders).samples(), 1U);
  EXPECT_EQ(read_dataset({"samples.h5:/"}, folders).source, "samples.h5:/");
  expect_error(ErrorKind::data, {"other.h5", "/no/such/folder/other.h5"},
               [&] { (void)read_dataset({"other.h5:/"}, folders); });
}

TEST_F(Hdf5Samples, NameWhatIsMissing) {
  SampleFile(path()).add<float>("/train/x", {1}, {1}).add<float>("/test/images", {1}, {1});
  refuses({"there is no /train/y", "holds x"});
  refuses({"there is no /test/x", "holds images"}, ":/test");
  refuses({"there is no /valid/x", "test, train"}, ":/valid");
  refuses({"/train/x is a data set", "name the group"}, ":/train/x");
  expect_error(ErrorKind::data, {"missing.h5", "no such file"},
               [&] { (void)read_dataset({"/missing.h5:/train"}, {}); });
}

TEST_F(Hdf5Samples, NameBothLengthsWhenTheyDiffer) {
  SampleFile(path()).add<float>("/train/x", {3, 2}, Floats(6)).add<std::int32_t>("/train/y", {2}, {0, 1});
  refuses({"/train/x holds 3 samples", "/train/y 2"});
}

TEST_F(Hdf5Samples, MustExist) {
  SampleFile(path()).add<float>("/train/x", {0, 2}, Floats{}).add<std::int32_t>("/train/y", {0}, Ints{});
  refuses({"/train/x", "no samples"});
}

TEST_F(Hdf5Samples, MustHaveColumns) {
  SampleFile(path()).add<float>("/train/x", {2, 0}, Floats{}).add<std::int32_t>("/train/y", {2}, {0, 1});
  refuses({"/train/x", "without numbers"});
}

TEST_F(Hdf5Samples, RefuseTargetsOfThreeDimensions) {
  SampleFile(path()).add<float>("/train/x", {2}, {1, 2}).add<float>("/train/y", {2, 1, 1}, {1, 2});
  refuses({"/train/y", "[2, 1, 1]", "[n, k]"});
}

TEST_F(Hdf5Samples, ReadHalfPrecisionAsFloat) {
  const hid_t half = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(half, 15, 10, 5, 0, 10);
  H5Tset_size(half, 2);
  H5Tset_ebias(half, 15);
  SampleFile(path()).add<float>("/train/x", {2}, {1, 2}, half).add<float>("/train/y", {2}, {1, 2});
  H5Tclose(half);
  const Dataset data = read();
  EXPECT_EQ(data.x.type, ElementType::f32);
  EXPECT_EQ(row_of(data.x, 1), std::vector<double>{2});
}

TEST_F(Hdf5Samples, NameTheRowAndColumnOfANumberThatIsNotFinite) {
  const double too_large = 1e39;  // finite as a double, but not as the float it becomes
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity(), too_large, -too_large}) {
    SampleFile(path()).add<double>("/train/x", {2, 3}, {0, 1, 2, 3, 4, bad}).add<float>("/train/y", {2}, {0, 1});
    refuses({"samples.h5", "/train/x", "row 1", "column 2"});
  }
  SampleFile(path()).add<float>("/train/x", {2}, {0, 1}).add<float>("/train/y", {2}, {NAN, 1});
  refuses({"/train/y", "row 0", "nan"});
}

TEST_F(Hdf5Samples, FromAFileCutOffAreAnError) {
  SampleFile(path()).add<float>("/train/x", {100, 4}, Floats(400, 1)).add<std::int32_t>("/train/y", {100}, Ints(100));
  std::ifstream file(path(), std::ios::binary);
  const Bytes whole{std::istreambuf_iterator<char>(file), {}};
  for (std::size_t length = 0; length < whole.size(); length += 331) {
    write_plain(path(), std::span(whole).first(length));
    refuses({"samples.h5"});
  }
}

TEST_F(Hdf5Samples, FromAnIdxOrForeignFileAreAnErrorThatHelps) {
  write_plain(path(), idx_bytes(0x08, {1, 1}, {7}));
  refuses({"looks like IDX", "y = \"LABELS\""});
  write_gzip(path(), idx_bytes(0x08, {1, 1}, {7}));
  refuses({"looks like IDX"}, "");
  write_plain(path(), Bytes{'a', ',', 'b', '\n'});
  refuses({"not an HDF5 file"});
}

TEST(Fingerprint, FollowsValuesTypesAndShapes) {
  const TemporaryFolder folder;
  const auto fingerprint = [&](auto&& fill) {
    const std::string path = (folder.path() / "file.h5").string();
    {
      SampleFile file(path);
      fill(file);
    }
    return read_dataset({path}, {}).fingerprint;
  };
  const auto of = [&](std::vector<hsize_t> shape, const Floats& x, float y) {
    return fingerprint([&](SampleFile& file) { file.add<float>("/x", shape, x).add<float>("/y", {2}, {y, 0}); });
  };
  const std::string base = of({2, 2}, {1, 2, 3, 4}, 0);
  EXPECT_EQ(base.size(), 32U);
  EXPECT_EQ(of({2, 2}, {1, 2, 3, 4}, 0), base);
  EXPECT_NE(of({2, 2}, {1, 2, 3, 5}, 0), base);
  EXPECT_NE(of({2, 2}, {1, 2, 3, 4}, 1), base);
  EXPECT_NE(of({2, 4}, {1, 2, 3, 4, 0, 0, 0, 0}, 0), base);
  // All bits zero in both types.
  EXPECT_NE(of({2}, {0, 0}, 0), fingerprint([](SampleFile& file) {
              file.add<std::int32_t>("/x", {2}, {0, 0}).add<float>("/y", {2}, {0, 0});
            }));
}

TEST(RepositoryData, IsReadable) {
  const std::vector<std::string> folders = {LOCKSTEP_SOURCE_DIR};
  const Dataset digits = read_dataset({"data/digits.h5:/train"}, folders);
  EXPECT_EQ(digits.samples(), 1438U);
  EXPECT_EQ(digits.inputs(), 64U);
  EXPECT_EQ(digits.class_names.size(), 10U);
  const Dataset test = read_dataset({"data/digits.h5:/test"}, folders);
  EXPECT_EQ(count_classes(digits, &test, {}), 10U);
  EXPECT_EQ(read_dataset({"data/concrete.h5:/train"}, folders).inputs(), 8U);
  EXPECT_EQ(read_dataset({"data/introduction.h5:/three-layer"}, folders).samples(), 4U);
}

}  // namespace
}  // namespace lockstep
