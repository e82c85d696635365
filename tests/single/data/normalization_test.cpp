// Scaling fitted against a plain computation, and gathering of every stored type.
#include "data/normalization.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "single/data/sample_files.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kRows = 5000;  // five blocks, the last one short
constexpr std::size_t kWidth = 3;

std::vector<double> sample_values() {
  std::mt19937_64 random(7);
  std::vector<double> values;
  for (std::size_t r = 0; r < kRows; ++r) {
    // Large mean with a small spread; values near 1; and small integers.
    values.push_back(1e6 + static_cast<double>(random() % 1000) / 1000);
    values.push_back(static_cast<double>(random() % 100000) / 50000 - 1);
    values.push_back(static_cast<double>(random() % 17));
  }
  return values;
}

TEST(FitScaling, StandardIsThePlainTwoPassResult) {
  const std::vector<double> values = sample_values();
  const ColumnScaling scaling = fit_scaling(NormalizeMethod::standard, table_of(ElementType::f64, kWidth, values));
  for (std::size_t c = 0; c < kWidth; ++c) {
    long double mean = 0;
    long double squares = 0;
    for (std::size_t r = 0; r < kRows; ++r) mean += values[r * kWidth + c];
    mean /= kRows;
    for (std::size_t r = 0; r < kRows; ++r) squares += std::pow(values[r * kWidth + c] - mean, 2);
    const auto deviation = static_cast<double>(std::sqrt(squares / kRows));
    // Sums of 1024 values near 1e6 round by about 1e-7, block means by 1e-10: that against a spread of 0.3.
    EXPECT_NEAR(scaling.shift[c], static_cast<double>(mean), 1e-13 * (std::abs(static_cast<double>(mean)) + 1));
    EXPECT_NEAR(scaling.scale[c], deviation, 1e-9 * deviation);
  }
}

TEST(FitScaling, MinmaxIsExact) {
  const std::vector<double> values = sample_values();
  const ColumnScaling scaling = fit_scaling(NormalizeMethod::minmax, table_of(ElementType::f64, kWidth, values));
  for (std::size_t c = 0; c < kWidth; ++c) {
    double low = values[c];
    double high = values[c];
    for (std::size_t r = 0; r < kRows; ++r) {
      low = std::min(low, values[r * kWidth + c]);
      high = std::max(high, values[r * kWidth + c]);
    }
    EXPECT_EQ(scaling.shift[c], low);
    EXPECT_EQ(scaling.scale[c], high - low);
  }
}

TEST(FitScaling, MapsAConstantColumnToZero) {
  // 0.1 summed 3000 times and divided is not 0.1 again.
  const Table table = table_of(ElementType::f64, 1, std::vector<double>(3000, 0.1));
  for (const NormalizeMethod method : {NormalizeMethod::standard, NormalizeMethod::minmax}) {
    const ColumnScaling scaling = fit_scaling(method, table);
    EXPECT_EQ(scaling.shift[0], 0.1);
    EXPECT_EQ(scaling.scale[0], 1);
  }
}

// Of numbers around 0.3 and 1e8 in every type: what they vary by is rounding, unless they are integers.
TEST(FitScaling, DoesNotBlowUpAColumnThatVariesByRoundingAlone) {
  constexpr double eps = std::numeric_limits<double>::epsilon();
  for (const double value : {0.3, -1e8}) {
    std::vector<double> doubles;
    std::vector<float> floats;
    for (int r = 0; r < 3000; ++r) {
      doubles.push_back(value * (1 + (r % 5 - 2) * eps));
      floats.push_back(r % 2 == 0 ? static_cast<float>(value) : std::nextafter(static_cast<float>(value), 0.0F));
    }
    for (const NormalizeMethod method : {NormalizeMethod::standard, NormalizeMethod::minmax}) {
      for (const Table& table : {table_of(ElementType::f64, 1, doubles), table_of(ElementType::f32, 1, floats)}) {
        const ColumnScaling scaling = fit_scaling(method, table);
        EXPECT_NEAR(scaling.scale[0], std::max(1.0, std::abs(value)), 1e-6 * std::abs(value));
        float out = 1;
        gather_rows(table, scaling, std::vector<std::uint32_t>{0}, std::span(&out, 1));
        EXPECT_LT(std::abs(out), 1e-6);
      }
    }
  }
}

TEST(FitScaling, TakesSmallChangesForWhatTheyAreWhereTheyAreMoreThanRounding) {
  std::vector<double> doubles;
  std::vector<float> floats;
  std::vector<std::int64_t> integers;
  for (int r = 0; r < 100000; ++r) {
    doubles.push_back(2.46e6 + (r % 2) * 1e-5);  // a second, in days since 4713 BC
    floats.push_back(1000.0F + static_cast<float>(r % 2) * 0.001F);
    integers.push_back((std::int64_t{1} << 40) + r % 2);
  }
  const auto scale = [](const Table& table) { return fit_scaling(NormalizeMethod::minmax, table).scale[0]; };
  EXPECT_NEAR(scale(table_of(ElementType::f64, 1, doubles)), 1e-5, 1e-9);
  EXPECT_NEAR(scale(table_of(ElementType::f32, 1, floats)), 1e-3, 1e-4);
  EXPECT_EQ(scale(table_of(ElementType::i64, 1, integers)), 1);
  EXPECT_NEAR(fit_scaling(NormalizeMethod::standard, table_of(ElementType::f64, 1, doubles)).scale[0], 5e-6, 1e-9);
  EXPECT_EQ(fit_scaling(NormalizeMethod::standard, table_of(ElementType::i64, 1, integers)).scale[0], 0.5);
}

TEST(FitScaling, SurvivesASpreadBelowTheRangeOfDouble) {
  const Table table = table_of(ElementType::f64, 1, std::vector<double>{0, 1e-310});
  for (const NormalizeMethod method : {NormalizeMethod::standard, NormalizeMethod::minmax}) {
    EXPECT_EQ(fit_scaling(method, table).scale[0], 1);
  }
}

TEST(FitScaling, OfOneRowAndOfNoMethod) {
  const Table table = table_of(ElementType::u8, 2, std::vector<std::uint8_t>{3, 4});
  EXPECT_EQ(fit_scaling(NormalizeMethod::standard, table).shift, (std::vector<double>{3, 4}));
  EXPECT_EQ(fit_scaling(NormalizeMethod::standard, table).scale, (std::vector<double>{1, 1}));
  EXPECT_TRUE(fit_scaling(NormalizeMethod::none, table).empty());
}

TEST(FitColumns, OfPartsAreTheBitsOfTheWhole) {
  const Table table = table_of(ElementType::f64, kWidth, sample_values());
  for (const NormalizeMethod method : {NormalizeMethod::standard, NormalizeMethod::minmax}) {
    const ColumnScaling whole = fit_scaling(method, table);
    for (std::size_t begin = 0; begin < kWidth; ++begin) {
      for (std::size_t end = begin; end <= kWidth; ++end) {
        std::vector<double> shift(end - begin);
        std::vector<double> scale(end - begin);
        fit_columns(method, table, {begin, end}, shift, scale);
        for (std::size_t c = begin; c < end; ++c) {
          EXPECT_EQ(shift[c - begin], whole.shift[c]);
          EXPECT_EQ(scale[c - begin], whole.scale[c]);
        }
      }
    }
  }
}

TEST(FitScaling, OfSomeRowsIsThatOfATableOfThem) {
  const Table all = table_of(ElementType::f32, 1, std::vector<float>{1, 100, 2, 4, -50, 3});
  const std::vector<std::uint32_t> rows = {0, 2, 3, 5};
  const Table some = table_of(ElementType::f32, 1, std::vector<float>{1, 2, 4, 3});
  for (const NormalizeMethod method : {NormalizeMethod::standard, NormalizeMethod::minmax}) {
    EXPECT_EQ(fit_scaling(method, all, rows).shift, fit_scaling(method, some).shift);
    EXPECT_EQ(fit_scaling(method, all, rows).scale, fit_scaling(method, some).scale);
  }
  expect_error(ErrorKind::usage, {"row 6 of a table of 6"},
               [&] { (void)fit_scaling(NormalizeMethod::minmax, all, std::vector<std::uint32_t>{6}); });
}

TEST(FitColumns, RefusesOtherShapes) {
  const Table table = table_of(ElementType::u8, 2, std::vector<std::uint8_t>{1, 2});
  std::vector<double> one(1);
  std::vector<double> two(2);
  expect_error(ErrorKind::usage, {"no such columns"}, [&] {
    fit_columns(NormalizeMethod::minmax, table, {1, 3}, two, two);
  });
  expect_error(ErrorKind::usage, {"number of results"}, [&] {
    fit_columns(NormalizeMethod::minmax, table, {0, 2}, two, one);
  });
  expect_error(ErrorKind::usage, {"without rows"}, [&] { fit_columns(NormalizeMethod::minmax, {}, {0, 0}, {}, {}); });
}

TEST(ParseNormalize, ListsTheKnownNames) {
  EXPECT_EQ(parse_normalize("none"), NormalizeMethod::none);
  EXPECT_EQ(parse_normalize("standard"), NormalizeMethod::standard);
  EXPECT_EQ(parse_normalize("minmax"), NormalizeMethod::minmax);
  expect_error(ErrorKind::config, {"'zscore'", "none, standard, minmax"}, [] { (void)parse_normalize("zscore"); });
}

template <class T>
void check_gather(ElementType type) {
  const std::vector<T> values = {1, 2, 3, 4, 100, 7};
  const Table table = table_of(type, 2, values);
  const std::vector<std::uint32_t> rows = {2, 0, 2};
  std::vector<float> out(6);
  gather_rows(table, {}, rows, out);
  EXPECT_EQ(out, (std::vector<float>{100, 7, 1, 2, 100, 7}));
  const ColumnScaling scaling{{1, 0.1}, {3, 0.7}};
  gather_rows(table, scaling, rows, out);
  const std::vector<float> expected = {static_cast<float>((100.0 - 1) / 3), static_cast<float>((7.0 - 0.1) / 0.7),
                                       static_cast<float>((1.0 - 1) / 3),   static_cast<float>((2.0 - 0.1) / 0.7),
                                       static_cast<float>((100.0 - 1) / 3), static_cast<float>((7.0 - 0.1) / 0.7)};
  EXPECT_EQ(out, expected);
  if (!table.is_integer()) return;
  std::vector<std::int32_t> labels(3);
  gather_labels(table, rows, labels);
  EXPECT_EQ(labels, (std::vector<std::int32_t>{100, 1, 100}));
}

TEST(GatherRows, ConvertsAndNormalisesEveryStoredType) {
  for (const ElementType type :
       {ElementType::f32, ElementType::f64, ElementType::i8, ElementType::u8, ElementType::i16, ElementType::u16,
        ElementType::i32, ElementType::u32, ElementType::i64, ElementType::u64}) {
    visit_element_type(type, [type](auto zero) { check_gather<decltype(zero)>(type); });
  }
}

TEST(GatherRows, RoundsOnceFromDouble) {
  // In float the difference would be 0: 2^24 + 1 is no float.
  const Table table = table_of(ElementType::i32, 1, std::vector<std::int32_t>{(1 << 24) + 1});
  std::vector<float> out(1);
  gather_rows(table, {{16777216.0}, {1.0}}, std::vector<std::uint32_t>{0}, out);
  EXPECT_EQ(out[0], 1.0F);
}

TEST(GatherRows, RefusesOtherShapes) {
  const Table table = table_of(ElementType::u8, 2, std::vector<std::uint8_t>{1, 2, 3, 4});
  std::vector<float> out(2);
  std::vector<std::int32_t> labels(1);
  const std::vector<std::uint32_t> first = {0};
  const std::vector<std::uint32_t> beyond = {2};
  expect_error(ErrorKind::usage, {"row 2"}, [&] { gather_rows(table, {}, beyond, out); });
  expect_error(ErrorKind::usage, {"row 2"}, [&] { gather_labels(table, beyond, labels); });
  expect_error(ErrorKind::usage, {"out is not"}, [&] { gather_rows(table, {}, first, std::span(out).first(1)); });
  expect_error(ErrorKind::usage, {"scaling of 1"}, [&] { gather_rows(table, {{0}, {1}}, first, out); });
  const Table floats = table_of(ElementType::f32, 1, std::vector<float>{1});
  expect_error(ErrorKind::usage, {"not integers"}, [&] { gather_labels(floats, first, labels); });
}

}  // namespace
}  // namespace lockstep
