// Which rows of the training data are held out for validation: a pure function of (share, seed, rows).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lockstep {

/// Some rows of a table in the order in which they count; empty: all of them.
using RowList = std::span<const std::uint32_t>;

/// Row `i` of those, in the table.
[[nodiscard]] inline std::size_t row_at(RowList rows, std::size_t i) noexcept {
  return rows.empty() ? i : rows[i];
}

/// The rows of both parts, ascending. Both are empty where nothing is held out.
struct Split {
  std::vector<std::uint32_t> train;
  std::vector<std::uint32_t> validation;
};

/// floor(share * rows), where the share is meant as its decimals say. Errors: config (share is not in [0, 1)).
[[nodiscard]] std::size_t share_of(double share, std::size_t rows);

/// Holds out floor(share * rows) of `rows` rows, drawn by a permutation of their own.
/// Errors: config (share is not in [0, 1), or so small that it is not one row).
[[nodiscard]] Split split_rows(double share, std::uint64_t seed, std::size_t rows);

}  // namespace lockstep
