// HDF5 files whose numbers are written without HDF5: it lays the file out, the caller writes the numbers where they
// belong. So the file may be larger than memory, and a full disk is an error of a write, not a crash of HDF5.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/element_type.hpp"

namespace lockstep::h5 {

/// A data set to come: contiguous, in machine byte order, with at least one element.
struct PlannedTable {
  std::string path;
  ElementType type = ElementType::f32;
  std::vector<std::size_t> shape = {};
};

/// An attribute of the root.
struct PlannedAttribute {
  std::string name;
  std::variant<std::string, std::int64_t> value;
};

/// Where everything lies in a file.
struct Layout {
  struct Piece {
    std::size_t offset = 0;
    std::vector<std::byte> bytes;
  };
  std::size_t file_bytes = 0;
  std::vector<std::size_t> offsets;  ///< of each table's numbers, in the order they were planned
  std::vector<Piece> rest;           ///< all that is not numbers: to be written as it is
};

/// Lays out a file that holds `tables` and `attributes`; `name` is for messages. Equal plans give equal bytes.
/// Errors: usage (a table without elements), io, internal.
[[nodiscard]] Layout plan_file(const std::string& name, std::span<const PlannedTable> tables,
                               std::span<const PlannedAttribute> attributes);

}  // namespace lockstep::h5
