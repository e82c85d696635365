// The readers of sample files, and what they share. Private to src/data.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "data/open_dataset.hpp"
#include "io/hdf5.hpp"

namespace lockstep {

/// Opens x and y of `group` in `file`; source and identity are left out, lengths are not compared.
/// Errors: data, io.
[[nodiscard]] OpenDataset open_hdf5(const std::string& file, const std::string& group);

/// Attribute `attribute` of `group`, else of the root: a list of texts, as such or as JSON; empty where there is none.
/// Errors: data.
[[nodiscard]] std::vector<std::string> read_names(const h5::File& file, const std::string& group,
                                                  const std::string& attribute);

/// The reader of one data set of an open file. Errors: data.
[[nodiscard]] std::unique_ptr<TableReader> open_hdf5_table(std::shared_ptr<const h5::File> file,
                                                           const std::string& path);

/// Opens x of `group` in `file` alone. Errors: data, io.
[[nodiscard]] OpenDataset open_hdf5_samples(const std::string& file, const std::string& group);

/// An IDX or .npy file, by what it holds. Errors: data, io.
[[nodiscard]] std::unique_ptr<TableReader> open_table(const std::string& file);
[[nodiscard]] bool is_one_of_a_pair(const std::string& file);  ///< IDX, gzip or .npy
[[nodiscard]] bool is_hdf5(const std::string& file);

/// Opens an IDX file, plain or gzip, or a file of NumPy's format .npy. Errors: data, io.
[[nodiscard]] std::unique_ptr<TableReader> open_idx(const std::string& file);
[[nodiscard]] std::unique_ptr<TableReader> open_npy(const std::string& file);

/// True when `head`, the first bytes of a file, are those of an IDX file or of gzip; of .npy.
[[nodiscard]] bool looks_like_idx(std::span<const std::byte> head) noexcept;
[[nodiscard]] bool looks_like_npy(std::span<const std::byte> head) noexcept;

/// A table of shape [shape[0], product of the others]; the product of all fits 63 bits.
[[nodiscard]] TableHeader make_header(const std::string& name, ElementType type, std::span<const std::size_t> shape);

/// "[60000, 28, 28]".
[[nodiscard]] std::string shape_text(std::span<const std::size_t> shape);

}  // namespace lockstep
