#include "data/number_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

bool is_float(ElementType type) {
  return type == ElementType::f32 || type == ElementType::f64;
}

/// `type`, an integer type, without a sign or with one.
ElementType with_sign(ElementType type, bool is_signed) {
  switch (type) {
    case ElementType::i8:
    case ElementType::u8:
      return is_signed ? ElementType::i8 : ElementType::u8;
    case ElementType::i16:
    case ElementType::u16:
      return is_signed ? ElementType::i16 : ElementType::u16;
    case ElementType::i32:
    case ElementType::u32:
      return is_signed ? ElementType::i32 : ElementType::u32;
    case ElementType::i64:
    case ElementType::u64:
      return is_signed ? ElementType::i64 : ElementType::u64;
    default:
      return type;
  }
}

double one_number(const h5::File& file, const std::string& path, const char* attribute, double otherwise) {
  return file.has_attribute(path, attribute) ? file.number_attribute(path, attribute) : otherwise;
}

/// `value` in type T; unset where T cannot hold it, so that no number is equal to it.
template <class T>
std::optional<T> in_type(long double value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    const bool fits = value >= static_cast<long double>(std::numeric_limits<T>::min()) &&
                      value <= static_cast<long double>(std::numeric_limits<T>::max());
    if (!fits || static_cast<long double>(static_cast<T>(value)) != value) return {};
    return static_cast<T>(value);
  }
}

}  // namespace

NumberRules::NumberRules(const h5::File& file, const std::string& path, ElementType stored) : stored_(stored) {
  if (file.has_attribute(path, "_Unsigned") && !is_float(stored)) {
    std::string text = file.text_attribute(path, "_Unsigned");
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    if (text != "true" && text != "false") {
      throw Error(ErrorKind::data, fmt::format("{}: {}, attribute '_Unsigned': expected \"true\" or \"false\", found "
                                               "\"{}\"",
                                               file.name(), path, text));
    }
    stored_ = with_sign(stored, text == "false");
  }
  scale_ = one_number(file, path, "scale_factor", 1);
  offset_ = one_number(file, path, "add_offset", 0);
  if (!std::isfinite(scale_) || !std::isfinite(offset_) || scale_ == 0) {
    throw Error(ErrorKind::data, fmt::format("{}: {} is scaled by {} and shifted by {} (scale_factor, add_offset); "
                                             "expected finite numbers, and a scale that is not 0",
                                             file.name(), path, scale_, offset_));
  }
  packed_ = scale_ != 1 || offset_ != 0;
  for (const char* attribute : {"_FillValue", "missing_value"}) {
    if (!file.has_attribute(path, attribute)) continue;
    for (const long double value : file.numbers_attribute(path, attribute).values) {
      if (!std::isnan(value)) missing_.push_back({attribute, as_stored(value)});  // NaN is refused as it is
    }
  }
  add_default_fill(file, path);
  read_bounds(file, path);
}

// NetCDF's default fill values, for types of more than a byte (netcdf.h, NC_FILL_...): what its variables hold where
// they were never written, unless an attribute says otherwise.
void NumberRules::add_default_fill(const h5::File& file, const std::string& path) {
  if (file.has_attribute(path, "_FillValue") || !file.has_attribute("/", "_NCProperties")) return;
  const auto fill = [this]() -> std::optional<long double> {
    switch (stored_) {
      case ElementType::f32:
      case ElementType::f64:
        return 9.9692099683868690e+36L;
      case ElementType::i16:
        return -32767;
      case ElementType::u16:
        return 65535;
      case ElementType::i32:
        return -2147483647;
      case ElementType::u32:
        return 4294967295;
      case ElementType::i64:
        return -9223372036854775806LL;
      case ElementType::u64:
        return 18446744073709551614ULL;
      default:
        return std::nullopt;
    }
  }();
  if (fill) missing_.push_back({"_FillValue (NetCDF's default, for it has none)", *fill});
}

void NumberRules::read_bounds(const h5::File& file, const std::string& path) {
  for (const char* attribute : {"valid_min", "valid_max", "valid_range"}) {
    if (!file.has_attribute(path, attribute)) continue;
    const h5::AttributeNumbers numbers = file.numbers_attribute(path, attribute);
    const bool range = std::strcmp(attribute, "valid_range") == 0;
    if (numbers.values.size() != (range ? 2U : 1U)) {
      throw Error(ErrorKind::data,
                  fmt::format("{}: {}, attribute '{}': expected {}, found {} numbers", file.name(), path, attribute,
                              range ? "two numbers" : "one number", numbers.values.size()));
    }
    const bool of_meant = packed_ && !numbers.integers && !is_float(stored_);
    const auto bound = [&](std::size_t i) {
      return static_cast<double>(of_meant ? numbers.values[i] : as_stored(numbers.values[i]));
    };
    const bool least = range || std::strcmp(attribute, "valid_min") == 0;
    const bool largest = range || !least;
    bounds_.push_back({.attribute = attribute,
                       .least = least ? bound(0) : -kInfinite,
                       .largest = largest ? bound(range ? 1 : 0) : kInfinite,
                       .of_meant = of_meant});
  }
}

// Attributes are stored as the numbers are, perhaps with the other sign.
long double NumberRules::as_stored(long double value) const {
  if (is_float(stored_)) return value;
  const auto wrap = std::ldexp(1.0L, static_cast<int>(8 * bytes_of(stored_)));
  const bool is_signed = with_sign(stored_, true) == stored_;
  if (!is_signed && value < 0 && value >= -wrap / 2) return value + wrap;
  if (is_signed && value >= wrap / 2 && value < wrap) return value - wrap;
  return value;
}

std::string NumberRules::told() const {
  return fmt::format(": its numbers are those stored * {} + {} (attributes scale_factor and add_offset)", scale_,
                     offset_);
}

template <class T>
void NumberRules::check_all(std::span<const T> values, std::size_t first, const TableHeader& table) const {
  const auto place = [&](std::size_t i) {
    return fmt::format("{}: row {}, column {} (counted from 0) is {}", table.name, first + i / table.columns,
                       i % table.columns, +values[i]);
  };
  for (const Missing& missing : missing_) {
    const std::optional<T> mark = in_type<T>(missing.value);
    if (!mark) continue;
    const auto found = std::find(values.begin(), values.end(), *mark);
    if (found == values.end()) continue;
    throw Error(
        ErrorKind::data,
        fmt::format("{}, which its attribute {} says is missing; leave such rows out or put numbers in their place "
                    "(in Python: keep = (x != {}).all(axis=1))",
                    place(static_cast<std::size_t>(found - values.begin())), missing.attribute, +*mark));
  }
  for (const Bound& bound : bounds_) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      double value = static_cast<double>(values[i]);
      if (bound.of_meant) value = value * scale_ + offset_;
      if (!(value < bound.least || value > bound.largest)) continue;
      throw Error(
          ErrorKind::data,
          fmt::format("{}, which its attribute {} says is not valid: {}{} to {}; leave such rows out, put numbers "
                      "in their place, or mend the attribute",
                      place(i), bound.attribute, bound.of_meant ? fmt::format("it means {}, of ", value) : "",
                      bound.least, bound.largest));
    }
  }
}

void NumberRules::check(std::span<const std::byte> stored, std::size_t first, const TableHeader& table) const {
  if (missing_.empty() && bounds_.empty()) return;
  visit_element_type(stored_, [&](auto zero) {
    using T = decltype(zero);
    check_all<T>({reinterpret_cast<const T*>(stored.data()), stored.size() / sizeof(T)}, first, table);
  });
}

void NumberRules::unpack(std::span<const std::byte> stored, std::span<std::byte> out) const {
  auto* meant = reinterpret_cast<double*>(out.data());
  visit_element_type(stored_, [&](auto zero) {
    using T = decltype(zero);
    const std::span values(reinterpret_cast<const T*>(stored.data()), stored.size() / sizeof(T));
    std::transform(values.begin(), values.end(), meant,
                   [&](T value) { return static_cast<double>(value) * scale_ + offset_; });
  });
}

}  // namespace lockstep
