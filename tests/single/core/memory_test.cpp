// The small tools: buffers, ranges, checked conversions, element types and function references.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <type_traits>

#include "core/buffer.hpp"
#include "core/convert.hpp"
#include "core/element_type.hpp"
#include "core/function_ref.hpp"
#include "core/number_text.hpp"
#include "core/range.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

TEST(Buffer, IsZeroedAndOnACacheLine) {
  for (const std::size_t size : {1U, 3U, 1000U}) {
    Buffer<float> buffer(size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.view().data()) % kCacheLine, 0U);
    EXPECT_EQ(buffer.view().size(), size);
    for (const float value : buffer.view()) ASSERT_EQ(value, 0.0F);
  }
}

TEST(Buffer, MayBeEmpty) {
  EXPECT_EQ(Buffer<double>().size(), 0U);
  EXPECT_TRUE(Buffer<double>(0).view().empty());
}

TEST(Buffer, IsEmptyAfterAMove) {
  Buffer<int> from(5);
  from.view()[4] = 7;
  Buffer<int> to(std::move(from));
  EXPECT_EQ(to.view()[4], 7);
  EXPECT_TRUE(from.view().empty());  // NOLINT(*-use-after-move): what a move leaves is the point
  Buffer<int> other(2);
  other = std::move(to);
  EXPECT_EQ(other.size(), 5U);
  EXPECT_TRUE(to.view().empty());  // NOLINT(*-use-after-move)
}

TEST(Range, KnowsSizeAndMembers) {
  constexpr Range range{3, 6};
  EXPECT_EQ(range.size(), 3U);
  EXPECT_TRUE(range.contains(3) && range.contains(5));
  EXPECT_FALSE(range.contains(2) || range.contains(6));
  EXPECT_TRUE((Range{4, 4}.empty()));
  EXPECT_FALSE(range.empty());
}

TEST(PartOf, CutsWithoutGapsIntoNearlyEqualParts) {
  for (std::size_t count = 0; count <= 40; ++count) {
    for (std::size_t parts = 1; parts <= 12; ++parts) {
      std::size_t at = 0;
      for (std::size_t index = 0; index < parts; ++index) {
        const Range part = part_of(count, index, parts);
        ASSERT_EQ(part.begin, at);
        ASSERT_TRUE(part.size() == count / parts || part.size() == count / parts + 1);
        at = part.end;
      }
      ASSERT_EQ(at, count);
    }
  }
}

TEST(Narrow, KeepsValuesAndRefusesWhatDoesNotFit) {
  EXPECT_EQ(narrow<int>(std::size_t{2147483647}), 2147483647);
  EXPECT_EQ(narrow<std::uint32_t>(std::int64_t{4294967295}), 4294967295U);
  expect_error(ErrorKind::usage, {"gemm: m", "2147483648", "2147483647"},
               [] { (void)narrow<int>(std::size_t{2147483648}, "gemm: m"); });
  expect_error(ErrorKind::usage, {"-1"}, [] { (void)narrow<std::size_t>(-1); });
}

TEST(ElementTypes, HaveTheSizeOfTheirCppType) {
  for (const ElementType type :
       {ElementType::f32, ElementType::f64, ElementType::i8, ElementType::u8, ElementType::i16, ElementType::u16,
        ElementType::i32, ElementType::u32, ElementType::i64, ElementType::u64}) {
    const std::size_t size = visit_element_type(type, [](auto zero) { return sizeof(zero); });
    EXPECT_EQ(bytes_of(type), size) << static_cast<int>(type);
  }
  const auto is_float = [](auto zero) { return std::is_floating_point_v<decltype(zero)>; };
  const auto is_signed = [](auto zero) { return std::is_signed_v<decltype(zero)>; };
  EXPECT_TRUE(visit_element_type(ElementType::f32, is_float));
  EXPECT_FALSE(visit_element_type(ElementType::i64, is_float));
  EXPECT_TRUE(visit_element_type(ElementType::i16, is_signed));
  EXPECT_FALSE(visit_element_type(ElementType::u16, is_signed));
}

TEST(FunctionRef, CallsWhatItRefersTo) {
  int calls = 0;
  auto add = [&calls](int by) { return calls += by; };
  const FunctionRef<int(int)> reference = add;
  EXPECT_EQ(reference(2), 2);
  EXPECT_EQ(reference(3), 5);
  EXPECT_EQ(calls, 5);
}

TEST(NumberText, ReadsBackAndIsNeverAnInteger) {
  EXPECT_EQ(number_text(3.0), "3.0");
  EXPECT_EQ(number_text(0.1), "0.1");
  EXPECT_EQ(number_text(-0.0), "-0.0");
  EXPECT_EQ(number_text(1e20), "1e+20");
  for (const double value : {0.1, 1.0 / 3, 1e-300, 5e-324, 123456789012345678.0}) {
    EXPECT_EQ(std::strtod(number_text(value).c_str(), nullptr), value);
  }
}

}  // namespace
}  // namespace lockstep
