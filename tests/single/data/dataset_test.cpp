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

TEST(ReadDataset, WantsASource) {
  expect_error(ErrorKind::usage, {"no data source"}, [] { (void)read_dataset({}, {}); });
}

}  // namespace
}  // namespace lockstep
