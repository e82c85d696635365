// Data against the net: the number and range of targets.
#include "feed/run_data.hpp"

#include <limits>

#include "data/sample_weights.hpp"
#include "single/data/sample_files.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

Dataset with_targets(Table y, const std::string& source = "train.h5:/a") {
  Dataset data;
  data.source = source;
  data.y = std::move(y);
  return data;
}

Dataset labels(const std::vector<std::int64_t>& values, const std::string& source = "train.h5:/a") {
  return with_targets(table_of(ElementType::i64, 1, values), source);
}

Dataset values(std::size_t columns, const std::vector<float>& numbers, const std::string& source = "train.h5:/a") {
  return with_targets(table_of(ElementType::f32, columns, numbers), source);
}

std::unique_ptr<Loss> loss_of(const std::string& type) {
  return make_loss({type, {}});
}

TEST(CheckTargets, TakesClassesThatTheLastLayerHas) {
  const auto loss = loss_of("softmax_cross_entropy");
  const Dataset test = labels({3, 0}, "test.h5:/a");
  EXPECT_NO_THROW(check_targets(labels({0, 1, 2}), nullptr, *loss, 3, {}));
  EXPECT_NO_THROW(check_targets(labels({0, 1, 2}), &test, *loss, 4, {}));
  EXPECT_NO_THROW(check_targets(labels({0, 1, 2}), nullptr, *loss, 10, 10));
}

TEST(CheckTargets, RefusesAnotherNumberOfClasses) {
  const auto loss = loss_of("softmax_cross_entropy");
  expect_error(ErrorKind::config, {"model.layers", "10 outputs", "train.h5:/a has 3 classes", "data.classes"}, [&] {
    check_targets(labels({0, 1, 2}), nullptr, *loss, 10, {});
  });
  expect_error(ErrorKind::data, {"train.h5:/a", "row 2"}, [&] {
    check_targets(labels({0, 1, 2}), nullptr, *loss, 2, 2);
  });
  expect_error(ErrorKind::data, {"floating-point"}, [&] { check_targets(values(1, {0, 1}), nullptr, *loss, 2, {}); });
}

TEST(CheckTargets, RefusesAnotherNumberOfTargetColumns) {
  const auto loss = loss_of("mse");
  const Dataset train = values(2, {1, 2, 3, 4});
  const Dataset test = values(3, {1, 2, 3}, "test.h5:/b");
  EXPECT_NO_THROW(check_targets(train, &train, *loss, 2, {}));
  expect_error(ErrorKind::config, {"model.layers", "3 outputs", "train.h5:/a has 2 columns"},
               [&] { check_targets(train, nullptr, *loss, 3, {}); });
  expect_error(ErrorKind::config, {"2 outputs", "test.h5:/b has 3 columns"},
               [&] { check_targets(train, &test, *loss, 2, {}); });
}

TEST(CheckTargets, SomeSamplesHaveWeight) {
  const auto loss = make_loss({"softmax_cross_entropy", {{"class_weights", std::vector<double>{0, 2, 0}}}});
  const Dataset train = labels({0, 1, 2});
  const Dataset test = labels({2, 0, 0}, "test.h5:/a");
  EXPECT_NO_THROW(check_targets(train, nullptr, *loss, 3, {}));
  expect_error(ErrorKind::config, {"model.loss.class_weights", "of test.h5:/a", "weight 0"},
               [&] { check_targets(train, &test, *loss, 3, {}); });
  EXPECT_NO_THROW(check_some_weight(train, *loss, std::vector<std::uint32_t>{2, 1}));
  expect_error(ErrorKind::config, {"all 2 samples of train.h5:/a", "weight 0"}, [&] {
    check_some_weight(train, *loss, std::vector<std::uint32_t>{0, 2});
  });
  expect_error(ErrorKind::config, {"expected 4 weights", "found 3"},
               [&] { check_targets(train, nullptr, *loss, 4, 4); });
}

TEST(CheckTargets, SomeTargetsThatAreThereHaveWeight) {
  const auto loss = loss_of("mse");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Dataset data = values(2, {1, nan, nan, nan, nan, 4, 5, 6});
  data.missing = {2, 2};
  EXPECT_NO_THROW(check_some_weight(data, *loss, {}));
  const std::vector<std::uint32_t> bare = {1};
  expect_error(ErrorKind::data, {"y of train.h5:/a: 1 validation sample weigh 0 in all, by the targets that are there"},
               [&] { check_some_weight(data, *loss, bare, "validation sample"); });
  data.w = table_of(ElementType::f32, 1, std::vector<float>{0, 7, -1, 1});  // half of -1, and 1
  EXPECT_NO_THROW(check_some_weight(data, *loss, {}));
  for (const std::vector<std::uint32_t>& rows : {std::vector<std::uint32_t>{0, 1}, {1, 2}}) {  // weigh 7 and 6
    expect_error(ErrorKind::data, {"y and w of train.h5:/a: 2 samples weigh"},
                 [&] { check_some_weight(data, *loss, rows); });
  }
  EXPECT_EQ(weigh_targets(data).sums, (std::vector<double>{1, 0}));
  EXPECT_EQ(weigh_targets(data).samples, (std::vector<std::int64_t>{1, 2}));
  check_some_targets(data, {});
  expect_error(ErrorKind::data, {"column 0 is missing (NaN) in all 3 training samples but 1 of weight 0"}, [&] {
    check_some_targets(data, std::vector<std::uint32_t>{0, 1, 2});
  });
}

TEST(CheckTargets, BinaryTargetsLieBetweenZeroAndOne) {
  const auto loss = loss_of("binary_cross_entropy");
  const Dataset good = values(2, {0, 1, 0.5F, 1});
  const Dataset large = values(2, {0, 1, 0.5F, 1.5F}, "test.h5:/b");
  const Dataset negative = values(2, {0, 1, -0.5F, 1});
  EXPECT_NO_THROW(check_targets(good, nullptr, *loss, 2, {}));
  expect_error(ErrorKind::data, {"test.h5:/b: y, row 1", "0 to 1", "1.5"},
               [&] { check_targets(good, &large, *loss, 2, {}); });
  expect_error(ErrorKind::data, {"train.h5:/a: y, row 1", "-0.5"},
               [&] { check_targets(negative, nullptr, *loss, 2, {}); });
  EXPECT_NO_THROW(check_targets(large, nullptr, *loss_of("mse"), 2, {}));  // a regression takes any
}

}  // namespace
}  // namespace lockstep
