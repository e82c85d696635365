// The number types that samples may be stored in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace lockstep {

enum class ElementType { f32, f64, i8, u8, i16, u16, i32, u32, i64, u64 };

[[nodiscard]] constexpr std::size_t bytes_of(ElementType type) noexcept {
  switch (type) {
    case ElementType::i8:
    case ElementType::u8:
      return 1;
    case ElementType::i16:
    case ElementType::u16:
      return 2;
    case ElementType::f32:
    case ElementType::i32:
    case ElementType::u32:
      return 4;
    default:
      return 8;
  }
}

/// As NumPy calls it.
[[nodiscard]] constexpr std::string_view type_name(ElementType type) noexcept {
  constexpr std::string_view names[] = {"float32", "float64", "int8",   "uint8", "int16",
                                        "uint16",  "int32",   "uint32", "int64", "uint64"};
  return names[static_cast<std::size_t>(type)];
}

/// The ElementType of C++ type T.
template <class T>
inline constexpr ElementType kElementType = [] {
  if constexpr (std::is_same_v<T, float>) return ElementType::f32;
  if constexpr (std::is_same_v<T, double>) return ElementType::f64;
  if constexpr (std::is_same_v<T, std::int8_t>) return ElementType::i8;
  if constexpr (std::is_same_v<T, std::uint8_t>) return ElementType::u8;
  if constexpr (std::is_same_v<T, std::int16_t>) return ElementType::i16;
  if constexpr (std::is_same_v<T, std::uint16_t>) return ElementType::u16;
  if constexpr (std::is_same_v<T, std::int32_t>) return ElementType::i32;
  if constexpr (std::is_same_v<T, std::uint32_t>) return ElementType::u32;
  if constexpr (std::is_same_v<T, std::int64_t>) return ElementType::i64;
  if constexpr (std::is_same_v<T, std::uint64_t>) return ElementType::u64;
}();

/// Calls `visit` with a value of the C++ type that `type` names, e.g. visit(float{}).
template <class Visitor>
decltype(auto) visit_element_type(ElementType type, Visitor&& visit) {
  switch (type) {
    case ElementType::f64:
      return visit(double{});
    case ElementType::i8:
      return visit(std::int8_t{});
    case ElementType::u8:
      return visit(std::uint8_t{});
    case ElementType::i16:
      return visit(std::int16_t{});
    case ElementType::u16:
      return visit(std::uint16_t{});
    case ElementType::i32:
      return visit(std::int32_t{});
    case ElementType::u32:
      return visit(std::uint32_t{});
    case ElementType::i64:
      return visit(std::int64_t{});
    case ElementType::u64:
      return visit(std::uint64_t{});
    case ElementType::f32:
      break;
  }
  return visit(float{});
}

}  // namespace lockstep
