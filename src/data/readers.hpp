// The readers of sample files, and what they share. Private to src/data.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.hpp"

namespace lockstep {

/// Tables as read, not yet checked against each other, with their names for messages.
struct RawDataset {
  Table x;
  Table y;
  std::string x_name;  ///< "FILE.h5: /train/x", or the IDX file
  std::string y_name;
  std::vector<std::string> class_names = {};
};

/// Reads x and y of `group` in `file`. Errors: data, io.
[[nodiscard]] RawDataset read_hdf5(const std::string& file, const std::string& group);

/// Reads a pair of IDX files, plain or gzip. Errors: data, io.
[[nodiscard]] RawDataset read_idx(const std::string& x_file, const std::string& y_file);

/// True when `head`, the first bytes of a file, are those of an IDX file or of gzip.
[[nodiscard]] bool looks_like_idx(std::span<const std::byte> head) noexcept;

/// A zeroed table of shape [shape[0], product of the others]; the product fits 63 bits.
/// Errors: data (more than the memory there is), naming `name`.
[[nodiscard]] Table make_table(ElementType type, std::span<const std::size_t> shape, const std::string& name);

/// "[60000, 28, 28]".
[[nodiscard]] std::string shape_text(std::span<const std::size_t> shape);

}  // namespace lockstep
