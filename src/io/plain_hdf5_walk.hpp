// How a plain HDF5 file is put together. Private to src/io.
#pragma once

#include <cstring>
#include <map>
#include <span>
#include <string>

#include "io/plain_hdf5.hpp"

namespace lockstep::h5 {

/// A number as it lies in the bytes of a file; all of it must lie within them.
template <class T>
[[nodiscard]] T number_at(std::span<const std::byte> bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.subspan(at, sizeof(T)).data(), sizeof(T));
  return value;
}

/// All objects by their paths. Errors: data.
[[nodiscard]] std::map<std::string, PlainObject> walk_plain(std::span<const std::byte> image, const std::string& name);

}  // namespace lockstep::h5
