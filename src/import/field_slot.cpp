#include "import/field_slot.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "import/date_text.hpp"
#include "import/field_text.hpp"

namespace lockstep {
namespace {

template <class T>
FieldFault put(char decimal, std::string_view text, std::byte* slot) {
  T value = 0;
  NumberFault fault = decimal == ',' ? parse_comma_number(text, value) : parse_number(text, value);
  if (fault == NumberFault::none && !(std::abs(value) <= std::numeric_limits<float>::max())) {
    fault = NumberFault::too_large;
  }
  FieldFault result = FieldFault::none;
  if (fault != NumberFault::none) {
    if (is_missing_number(text)) {
      value = std::numeric_limits<T>::quiet_NaN();
      result = FieldFault::missing;
    } else {
      return fault == NumberFault::text         ? FieldFault::text
             : fault == NumberFault::not_finite ? FieldFault::not_finite
                                                : FieldFault::too_large;
    }
  }
  std::memcpy(slot, &value, sizeof value);
  return result;
}

FieldFault put_date(const std::string& format, std::string_view text, std::byte* slot) {
  std::optional<double> days = parse_date(text, format);
  FieldFault result = FieldFault::none;
  if (!days) {
    if (!is_missing_number(text)) return FieldFault::no_date;
    days = std::numeric_limits<double>::quiet_NaN();
    result = FieldFault::missing;
  }
  std::memcpy(slot, &*days, sizeof *days);
  return result;
}

}  // namespace

FieldFault put_number(const RecipeColumn& column, char decimal, std::string_view text, std::byte* slot) {
  switch (column.use) {
    case ColumnUse::date:
      return put_date(column.date_format, text, slot);
    case ColumnUse::value:
      return put<double>(decimal, text, slot);
    default:
      return put<float>(decimal, text, slot);
  }
}

std::string describe(FieldFault fault, const RecipeColumn& column, std::string_view text) {
  switch (fault) {
    case FieldFault::missing:
      return "the field is empty or missing";
    case FieldFault::not_finite:
      return describe(NumberFault::not_finite, text);
    case FieldFault::too_large:
      return describe(NumberFault::too_large, text);
    case FieldFault::no_date:
      return fmt::format("expected a date {}, found {}",
                         column.date_format.empty() ? "like 2024-01-31, maybe with a time"
                                                    : "as " + shown(column.date_format) + " says",
                         shown(text));
    default:
      return describe(NumberFault::text, text);
  }
}

}  // namespace lockstep
