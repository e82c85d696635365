// Tables beside each other: several variables of a file, say, as the columns of one table.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/open_dataset.hpp"

namespace lockstep {

/// The tables as one whose columns are theirs, in that order; a single one as it is. Its type is theirs where they
/// have one; else float32 where that holds all of their numbers, and float64 where not.
/// Errors: data (other numbers of rows), naming the tables.
[[nodiscard]] std::unique_ptr<TableReader> beside(std::vector<std::unique_ptr<TableReader>> tables);

/// What the columns of a variable of this name and shape [n, ...] are called: "t2m", or "t2m[0]", "t2m[1]", ...
[[nodiscard]] std::vector<std::string> column_names(const std::string& name, const TableHeader& header);

}  // namespace lockstep
