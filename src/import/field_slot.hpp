// The field of a table, put into the slot of its row.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "import/recipe.hpp"

namespace lockstep {

enum class FieldFault { none, missing, text, not_finite, too_large, no_date };

/// Puts the number or date that `text` says into `slot`, as RowSlots tells; NaN where it is missing. `column` is a
/// number, a value, a weight or a date. The slot is left alone where there is another fault.
[[nodiscard]] FieldFault put_number(const RecipeColumn& column, char decimal, std::string_view text, std::byte* slot);

/// "expected a number, found 'abc'", or what else is wrong.
[[nodiscard]] std::string describe(FieldFault fault, const RecipeColumn& column, std::string_view text);

}  // namespace lockstep
