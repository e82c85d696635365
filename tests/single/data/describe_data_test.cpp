// What is told of data files: ranges, labels, chunks, and advice.
#include "data/describe_data.hpp"

#include <cmath>
#include <iterator>
#include <limits>

#include "single/data/sample_files.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

class DescribedData : public testing::Test {
 protected:
  TemporaryFolder folder_;
  std::string path_ = (folder_.path() / "a.h5").string();
};

TEST_F(DescribedData, TellsRangesLabelsAndNames) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  SampleFile(path_)
      .add<float>("/train/x", {4, 2}, {1, nan, 2, 5, 3, -7, 6, INFINITY}, 0, {3, 2})
      .add<std::int32_t>("/train/y", {4}, {2, 0, 2, 2})
      .text_attribute("/", "features", R"(["a", "b"])")
      .text_attribute("/", "classes", R"(["red", "green", "blue", "grey"])");
  const std::vector<TableDescription> tables = describe_data(path_);
  ASSERT_EQ(tables.size(), 2U);
  const TableDescription& x = tables[0];
  EXPECT_EQ(x.path, "/train/x");
  EXPECT_EQ(x.names, (std::vector<std::string>{"a", "b"}));
  ASSERT_EQ(x.columns.size(), 2U);
  EXPECT_EQ(x.columns[0].least, 1);
  EXPECT_EQ(x.columns[0].largest, 6);
  EXPECT_EQ(x.columns[0].mean, 3);
  EXPECT_EQ(x.columns[1].least, -7);
  EXPECT_EQ(x.columns[1].mean, -1);
  EXPECT_EQ(x.columns[1].not_finite, 2U);
  EXPECT_EQ(x.all.least, -7);
  EXPECT_EQ(x.all.largest, 6);
  EXPECT_EQ(x.all.mean, 10.0 / 6);
  EXPECT_EQ(x.first_not_finite, "row 0, column 1 (counted from 0)");
  EXPECT_EQ(x.storage.chunk, (std::vector<std::size_t>{3, 2}));
  EXPECT_EQ(x.storage.filters, (std::vector<std::string>{"deflate"}));
  ASSERT_FALSE(x.advice.empty());
  EXPECT_NE(x.advice[0].find("2 numbers of /train/x are not finite"), std::string::npos);
  EXPECT_EQ(tables[1].labels, (std::vector<std::size_t>{1, 0, 3}));
  EXPECT_EQ(tables[1].classes.size(), 4U);
  EXPECT_TRUE(tables[1].advice.empty());
}

TEST_F(DescribedData, ReadsBlocksOfManyRows) {
  const std::size_t rows = 300000;  // 9.6 MB, three blocks
  std::vector<double> x(rows * 4);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i % 7);
  x[x.size() - 1] = 100;
  SampleFile(path_).add<double>("/x", {rows, 4}, x).add<std::int64_t>("/y", {2}, {-1, 3});
  const std::vector<TableDescription> tables = describe_data(path_);
  EXPECT_EQ(tables[0].columns[3].largest, 100);
  EXPECT_EQ(tables[0].columns[2].largest, 6);
  EXPECT_TRUE(tables[1].labels.empty()) << "a label below 0";
}

TEST_F(DescribedData, TellsWhatARunWouldRefuse) {
  SampleFile(path_)
      .add<float>("/x", {0, 4}, {})
      .add<std::int64_t>("/y", {3}, {0, 1, 2})
      .text_attribute("/", "classes", R"(["one", "two"])");
  const std::vector<TableDescription> tables = describe_data(path_);
  ASSERT_EQ(tables[0].advice.size(), 1U);
  EXPECT_NE(tables[0].advice[0].find("no rows"), std::string::npos);
  ASSERT_EQ(tables[1].advice.size(), 1U);
  EXPECT_NE(tables[1].advice[0].find("label 2 occurs"), std::string::npos);
}

// HDF5 would divide by it, were it not refused.
TEST_F(DescribedData, RefusesAForgedChunkWithoutExtent) {
  SampleFile(path_).add<float>("/x", {5, 4}, std::vector<float>(20), 0, {3, 2});
  std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::size_t place = bytes.find(std::string("\3\0\0\0\2\0\0\0\4\0\0\0", 12));  // rows, columns, bytes of a float
  ASSERT_NE(place, std::string::npos);
  file.seekp(static_cast<std::streamoff>(place)).put('\0').flush();
  expect_error(ErrorKind::data, {"a.h5", "/x"}, [&] { (void)describe_data(path_); });
}

std::string advice(std::vector<std::size_t> shape, std::vector<std::size_t> chunk) {
  const auto found = chunk_advice("/x", {ElementType::f32, std::move(shape)}, {std::move(chunk), {}, 0});
  return found.empty() ? "" : found[0];
}

TEST(ChunkAdvice, NamesWhatIsSlow) {
  EXPECT_EQ(advice({100000, 100}, {}), "");
  EXPECT_EQ(advice({100000, 100}, {2621, 100}), "");
  EXPECT_EQ(advice({100000, 100}, {5000, 100}), "");
  EXPECT_EQ(advice({50, 100}, {50, 100}), "") << "all of it is one small chunk";
  EXPECT_NE(advice({100000, 100}, {2621, 25}).find("cut into 4 chunks"), std::string::npos);
  EXPECT_NE(advice({100000, 100}, {1, 100}).find("1 row of 400 bytes"), std::string::npos);
  EXPECT_NE(advice({100000, 100}, {100000, 100}).find("38 MiB"), std::string::npos);
  EXPECT_NE(advice({60000, 28, 28}, {60000, 1, 28}).find("h5repack -l /x:CHUNK=334x28x28"), std::string::npos);
}

}  // namespace
}  // namespace lockstep
