// Counting classes and checking labels.
#include "data/dataset.hpp"

#include <limits>

#include "single/data/sample_files.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

Dataset labelled(Table y, const std::string& source = "train.h5:/a") {
  Dataset data;
  data.source = source;
  data.y = std::move(y);
  return data;
}

Dataset labels(const std::vector<std::int64_t>& values, const std::string& source = "train.h5:/a") {
  return labelled(table_of(ElementType::i64, 1, values), source);
}

TEST(CountClasses, TakesTheLargestLabelOfBothSplits) {
  const Dataset test = labels({4, 0}, "test.h5:/a");
  EXPECT_EQ(count_classes(labels({0, 2, 1}), nullptr, {}), 3U);
  EXPECT_EQ(count_classes(labels({0, 2, 1}), &test, {}), 5U);
}

TEST(CountClasses, PrefersTheConfiguredNumberThenTheClassList) {
  Dataset train = labels({0, 1});
  train.class_names = {"a", "b", "c", "d"};
  EXPECT_EQ(count_classes(train, nullptr, {}), 4U);
  EXPECT_EQ(count_classes(train, nullptr, 7), 7U);
}

TEST(CountClasses, NamesFileRowValueAndRangeOfALabelOutOfRange) {
  Dataset train = labels({0, 1, 2});
  const Dataset test = labels({0, 3}, "test.h5:/b");
  expect_error(ErrorKind::data, {"train.h5:/a: y", "row 2", "label 2", "0 to 1", "data.classes is 2"},
               [&] { (void)count_classes(train, nullptr, 2); });
  train.class_names = {"a", "b", "c"};
  expect_error(ErrorKind::data, {"test.h5:/b: y", "row 1", "label 3", "0 to 2", "class list of train.h5:/a"},
               [&] { (void)count_classes(train, &test, {}); });
  expect_error(ErrorKind::data, {"row 1", "label -1"}, [] { (void)count_classes(labels({0, -1}), nullptr, {}); });
}

TEST(CountClasses, RefusesLabelsThatDoNotFit32Bits) {
  constexpr std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
  const Dataset train = labelled(table_of(ElementType::u64, 1, std::vector<std::uint64_t>{0, huge}));
  expect_error(ErrorKind::data, {"18446744073709551615"}, [&] { (void)count_classes(train, nullptr, {}); });
}

TEST(CountClasses, RefusesWhatAreNoLabels) {
  const Dataset values = labelled(table_of(ElementType::f32, 1, std::vector<float>{0, 1}));
  const Dataset one_hot = labelled(table_of(ElementType::u8, 2, std::vector<std::uint8_t>{0, 1, 1, 0}));
  expect_error(ErrorKind::data, {"train.h5:/a: y", "integer"}, [&] { (void)count_classes(values, nullptr, {}); });
  expect_error(ErrorKind::data, {"2 columns", "one label a sample"},
               [&] { (void)count_classes(one_hot, nullptr, {}); });
  expect_error(ErrorKind::config, {"data.classes is 0"}, [] { (void)count_classes(labels({0}), nullptr, 0); });
}

TEST(Table, KeepsItsNumbers) {
  Table copy;
  {
    const Table table = make_table(2, std::vector<std::int16_t>{1, 2, 3, 4, 5, 6});
    EXPECT_EQ(table.rows, 3U);
    copy = table;
  }
  EXPECT_EQ(row_of(copy, 2), (std::vector<double>{5, 6}));
  expect_error(ErrorKind::usage, {"no such row"}, [&] { (void)row_of(copy, 3); });
}

TEST(CheckFinite, LooksAtTheGivenRowsAlone) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Table table = make_table(2, std::vector<float>{0, 1, nan, 3, 4, nan});
  EXPECT_NO_THROW(check_finite(table, "x", {0, 1}));
  EXPECT_NO_THROW(check_finite(table, "x", {2, 2}));
  expect_error(ErrorKind::data, {"x: row 1, column 0 is nan"}, [&] { check_finite(table, "x", {0, 3}); });
  expect_error(ErrorKind::data, {"x: row 2, column 1 is nan"}, [&] { check_finite(table, "x", {2, 3}); });
  expect_error(ErrorKind::usage, {"no such rows"}, [&] { check_finite(table, "x", {2, 4}); });
}

TEST(ReadDataset, WantsASource) {
  expect_error(ErrorKind::usage, {"no data source"}, [] { (void)read_dataset({}, {}); });
}

}  // namespace
}  // namespace lockstep
