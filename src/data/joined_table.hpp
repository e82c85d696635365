// Many files that are read as one: their rows follow each other.
//
// Of all files the headers are read once. A few files are kept open, the others are opened when rows of them are read;
// a file that is not as it was then is refused.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/open_dataset.hpp"
#include "lockstep/run_config.hpp"

namespace lockstep {

/// Joins what `open` makes of each of `files`, in that order; x alone where y is null. `source` is for messages.
/// Local. Errors: those of `open`; data (files that are unlike the first one: types, shapes, names, units).
[[nodiscard]] OpenDataset join_files(const std::string& source, std::vector<DataSource> files,
                                     std::function<OpenDataset(const DataSource&)> open);

}  // namespace lockstep
