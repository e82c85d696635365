// What is worth telling of the numbers that a net is to learn from, before it does. Nothing here is refused.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "data/normalization.hpp"

namespace lockstep {

/// Numbers to be looked at.
struct LookedAt {
  const Table& rows;                        ///< held; all of them, or some
  const ColumnScaling& scaling;             ///< of these columns; empty: they are taken as they are
  std::string place;                        ///< "x of data/cars.h5:/train"
  std::span<const std::string> names = {};  ///< of the columns; empty: they have none
  bool are_targets = false;                 ///< that a regression is to meet; a NaN is one that is missing
  bool all = true;                          ///< whether there are no other rows
};

/// Columns that are constant but for rounding, and how normalisation takes them; numbers that are different as stored
/// and the same in float32, in which nets compute; columns of very unlike size that nothing normalises; targets that do
/// not vary.
[[nodiscard]] std::vector<std::string> number_notices(const LookedAt& numbers);

}  // namespace lockstep
