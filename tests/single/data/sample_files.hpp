// Makes sample files for the tests: HDF5 through HDF5 itself, and IDX.
#pragma once

#include <gtest/gtest.h>
#include <hdf5.h>
#include <zlib.h>

#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "data/dataset.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {

template <class T>
hid_t hdf5_type() {
  if constexpr (std::is_same_v<T, float>) return H5T_NATIVE_FLOAT;
  if constexpr (std::is_same_v<T, double>) return H5T_NATIVE_DOUBLE;
  if constexpr (std::is_same_v<T, std::int8_t>) return H5T_NATIVE_INT8;
  if constexpr (std::is_same_v<T, std::uint8_t>) return H5T_NATIVE_UINT8;
  if constexpr (std::is_same_v<T, std::int16_t>) return H5T_NATIVE_INT16;
  if constexpr (std::is_same_v<T, std::uint16_t>) return H5T_NATIVE_UINT16;
  if constexpr (std::is_same_v<T, std::int32_t>) return H5T_NATIVE_INT32;
  if constexpr (std::is_same_v<T, std::uint32_t>) return H5T_NATIVE_UINT32;
  if constexpr (std::is_same_v<T, std::int64_t>) return H5T_NATIVE_INT64;
  if constexpr (std::is_same_v<T, std::uint64_t>) return H5T_NATIVE_UINT64;
}

/// An HDF5 file on disk that data sets and attributes are added to; closed by its destructor.
class SampleFile {
 public:
  explicit SampleFile(const std::string& path)
      : file_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
  SampleFile(const SampleFile&) = delete;
  SampleFile& operator=(const SampleFile&) = delete;
  ~SampleFile() { H5Fclose(file_); }

  /// Stores `values` in type `stored` (0: their own); with `chunk` in chunks of that shape, compressed.
  template <class T>
  SampleFile& add(const std::string& path, std::vector<hsize_t> shape, const std::vector<T>& values, hid_t stored = 0,
                  const std::vector<hsize_t>& chunk = {}) {
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
    if (!chunk.empty()) {
      EXPECT_GE(H5Pset_chunk(layout, static_cast<int>(chunk.size()), chunk.data()), 0);
      EXPECT_GE(H5Pset_deflate(layout, 4), 0);
    }
    const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
    const hid_t data =
        H5Dcreate2(file_, path.c_str(), stored == 0 ? hdf5_type<T>() : stored, space, links, layout, H5P_DEFAULT);
    EXPECT_GE(H5Dwrite(data, hdf5_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
    H5Dclose(data);
    H5Sclose(space);
    H5Pclose(layout);
    H5Pclose(links);
    return *this;
  }

  SampleFile& text_attribute(const std::string& path, const std::string& name, const std::string& text) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, text.size());
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t made =
        H5Acreate_by_name(file_, path.c_str(), name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    EXPECT_GE(H5Awrite(made, type, text.data()), 0);
    H5Aclose(made);
    H5Sclose(space);
    H5Tclose(type);
    return *this;
  }

 private:
  hid_t file_;
};

using Bytes = std::vector<unsigned char>;

/// The bytes of an IDX file of type `code`; `values` are its numbers, already big-endian.
inline Bytes idx_bytes(unsigned char code, const std::vector<std::uint32_t>& shape, const Bytes& values) {
  Bytes bytes = {0, 0, code, static_cast<unsigned char>(shape.size())};
  for (const std::uint32_t dim : shape) {
    for (const unsigned shift : {24U, 16U, 8U, 0U}) bytes.push_back(static_cast<unsigned char>(dim >> shift & 255U));
  }
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

inline void write_plain(const std::string& path, std::span<const unsigned char> bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

inline void write_gzip(const std::string& path, std::span<const unsigned char> bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  EXPECT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())), static_cast<int>(bytes.size()));
  EXPECT_EQ(gzclose(file), Z_OK);
}

/// A table in memory; `type` is that of T.
template <class T>
Table table_of(ElementType type, std::size_t columns, const std::vector<T>& values) {
  EXPECT_EQ(kElementType<T>, type);
  return make_table(columns, values);
}

inline std::vector<double> row_of(const Table& table, std::size_t row) {
  std::vector<double> out(table.columns);
  table.row(row, out);
  return out;
}

}  // namespace lockstep
