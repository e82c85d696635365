// Where the numbers of a data set come from, and whether this HDF5 can read them. Private to src/io.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <optional>
#include <string>

#include "core/element_type.hpp"

namespace lockstep::h5 {

/// The type that elements of HDF5's `type` are read as: the least of ours that holds all of its values. Numbers of any
/// byte order and size up to 8 bytes, half precision among them, and enumerations (truth values are one), as their
/// numbers. Unset: not numbers.
[[nodiscard]] std::optional<ElementType> element_type(hid_t type);

/// What a type that is not read is, and what to do: "holds texts; ...".
[[nodiscard]] std::string what_else(hid_t type);

/// Errors: data: numbers in other files than the data set's own; filters that this HDF5 does not have, by name.
void check_source(hid_t created, const std::string& name, const std::string& path);

/// Why `path` leads nowhere, where its last link that is there is soft or external: ": it is a link to ...". Else
/// empty.
[[nodiscard]] std::string dangling_link(hid_t file, const std::string& path);

/// False for an external link to something that is no regular file: opening a pipe would wait for ever.
[[nodiscard]] bool may_follow(hid_t file, const std::string& path);

/// Errors: data, where another process writes to file `path` and holds HDF5's lock on it.
void expect_no_writer(const std::string& path);

}  // namespace lockstep::h5
