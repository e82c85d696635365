// Reading texts. One of fixed length lies in place. One of variable length is a descriptor (length, address, index)
// that leads into a heap of the file, and HDF5 1.10 follows it without a check: a made-up one reads or writes out of
// bounds, or never ends. So HDF5 only hands out the descriptor here, and the heap is read by the code below.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/hdf5_call.hpp"

namespace lockstep::h5 {
namespace {

static_assert(std::endian::native == std::endian::little, "HDF5 stores these numbers little-endian");

/// A text of variable length as a file with 8-byte addresses keeps it.
struct Descriptor {
  std::uint32_t length = 0;
  std::uint64_t address = 0;  ///< of a heap collection
  std::uint32_t index = 0;    ///< of an object in it
};
constexpr std::size_t kDescriptorBytes = 16;

template <class T>
T number_at(std::span<const std::byte> bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.subspan(at, sizeof(T)).data(), sizeof(T));
  return value;
}

/// HDF5's conversion from variable length to 16 opaque bytes, which it does not have: the descriptor as it is.
herr_t keep_descriptor(hid_t from, hid_t to, H5T_cdata_t* data, size_t, size_t, size_t, void*, void*, hid_t) {
  if (data->command != H5T_CONV_INIT) return 0;
  const bool right =
      H5Tis_variable_str(from) > 0 && H5Tget_size(from) == kDescriptorBytes && H5Tget_size(to) == kDescriptorBytes;
  return right ? 0 : -1;
}

/// Makes that conversion known to HDF5 for as long as it lives.
class DescriptorConversion {
 public:
  DescriptorConversion(hid_t from, hid_t to) : from_(from), to_(to) {
    H5Tregister(H5T_PERS_SOFT, kName, from_, to_, keep_descriptor);
  }
  DescriptorConversion(const DescriptorConversion&) = delete;
  DescriptorConversion& operator=(const DescriptorConversion&) = delete;
  ~DescriptorConversion() { H5Tunregister(H5T_PERS_SOFT, kName, from_, to_, keep_descriptor); }

 private:
  static constexpr const char* kName = "lockstep: descriptor of a text";
  hid_t from_;
  hid_t to_;
};

/// Bytes of an open file, whether on disk or in memory; unset where the file does not have them.
std::optional<std::vector<std::byte>> bytes_of_file(hid_t file, std::uint64_t at, std::uint64_t count) {
  hsize_t file_bytes = 0;
  void* handle = nullptr;
  if (H5Fflush(file, H5F_SCOPE_LOCAL) < 0) return {};  // an image under construction has its heap elsewhere
  if (H5Fget_filesize(file, &file_bytes) < 0 || H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) < 0) return {};
  if (at > file_bytes || count > file_bytes - at) return {};
  std::vector<std::byte> bytes(count);
  const Handle access(H5Fget_access_plist(file));
  if (H5Pget_driver(access.get()) == H5FD_CORE) {
    const auto* image = *static_cast<const std::byte* const*>(handle);
    std::copy_n(image + at, count, bytes.begin());
    return bytes;
  }
  const int descriptor = *static_cast<const int*>(handle);  // File::open asks for the driver with one
  for (std::size_t have = 0; have < count;) {
    const ssize_t got = ::pread(descriptor, bytes.data() + have, count - have, static_cast<off_t>(at + have));
    if (got <= 0) return {};
    have += static_cast<std::size_t>(got);
  }
  return bytes;
}

/// The text that a descriptor leads to; unset where it leads to none.
/// Source: HDF5 File Format Specification 3.0, III.E, Disk Format: Level 1E - Global Heap.
std::optional<std::string> text_in_heap(hid_t file, const Descriptor& text) {
  constexpr std::size_t head_bytes = 16;  // of a collection: "GCOL", version, size; of an object: index, uses, size
  if (text.length == 0 || text.address == 0) return "";
  const auto head = bytes_of_file(file, text.address, head_bytes);
  if (!head || std::memcmp(head->data(), "GCOL\1", 5) != 0) return {};
  const auto heap = bytes_of_file(file, text.address, number_at<std::uint64_t>(*head, 8));
  if (!heap) return {};
  for (std::size_t at = head_bytes; at + head_bytes <= heap->size();) {
    const auto index = number_at<std::uint16_t>(*heap, at);
    const auto size = number_at<std::uint64_t>(*heap, at + 8);
    at += head_bytes;
    if (index == 0 || size > heap->size() - at) return {};  // free space is the last
    if (index == text.index) {
      if (text.length > size) return {};
      return std::string(reinterpret_cast<const char*>(heap->data()) + at, text.length);
    }
    at += (size + 7) / 8 * 8;
  }
  return {};
}

/// Reads the value of data set or attribute `id` as `type`.
void read_value(hid_t id, hid_t type, void* out, const std::string& name, const std::string& what) {
  const bool attribute = H5Iget_type(id) == H5I_ATTR;
  const herr_t status = attribute ? H5Aread(id, type, out) : H5Dread(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
  if (status < 0) fail(ErrorKind::data, name, what + " cannot be read");
}

std::vector<std::string> read_variable(hid_t id, hid_t stored, std::size_t count, const std::string& name,
                                       const std::string& what) {
  const Handle file = checked(H5Iget_file_id(id), ErrorKind::data, name, what);
  const Handle created = checked(H5Fget_create_plist(file.get()), ErrorKind::data, name, what);
  const Handle opaque = checked(H5Tcreate(H5T_OPAQUE, kDescriptorBytes), ErrorKind::internal, name, what);
  hsize_t base = 0;  // addresses count from here
  std::size_t address_bytes = 0;
  std::size_t length_bytes = 0;
  if (H5Pget_userblock(created.get(), &base) < 0 || H5Pget_sizes(created.get(), &address_bytes, &length_bytes) < 0) {
    fail(ErrorKind::data, name, what + " cannot be read");
  }
  if (address_bytes != 8 || length_bytes != 8) {
    throw Error(ErrorKind::data, name + ": " + what +
                                     " is a text of variable length in a file whose addresses or lengths are not of 8 "
                                     "bytes, which is not read");
  }
  std::vector<std::byte> raw(count * kDescriptorBytes);
  {
    const DescriptorConversion conversion(stored, opaque.get());
    read_value(id, opaque.get(), raw.data(), name, what);
  }
  std::vector<std::string> texts;
  for (std::size_t at = 0; at < raw.size(); at += kDescriptorBytes) {
    Descriptor text{.length = number_at<std::uint32_t>(raw, at),
                    .address = number_at<std::uint64_t>(raw, at + 4),
                    .index = number_at<std::uint32_t>(raw, at + 12)};
    if (text.address != 0) text.address += base;
    const std::optional<std::string> found = text_in_heap(file.get(), text);
    if (!found) throw Error(ErrorKind::data, name + ": " + what + " is damaged: its text is not where the file says");
    texts.push_back(found->substr(0, found->find('\0')));
  }
  return texts;
}

std::vector<std::string> read_fixed(hid_t id, hid_t stored, std::size_t count, const std::string& name,
                                    const std::string& what) {
  hsize_t file_bytes = 0;
  const Handle file(H5Iget_file_id(id));
  const std::size_t size = H5Tget_size(stored);
  if (H5Fget_filesize(file.get(), &file_bytes) < 0 || size == 0 || count > file_bytes / size) {
    throw Error(ErrorKind::data, name + ": " + what + " claims to be longer than the file");
  }
  std::string all(count * size, '\0');
  read_value(id, stored, all.data(), name, what);
  std::vector<std::string> texts;
  for (std::size_t at = 0; at < all.size(); at += size) {
    std::string text = all.substr(at, size);
    if (H5Tget_strpad(stored) == H5T_STR_NULLTERM) {
      text.resize(std::min(text.find('\0'), text.size()));
    } else {
      const char padding = H5Tget_strpad(stored) == H5T_STR_SPACEPAD ? ' ' : '\0';
      text.resize(text.find_last_not_of(padding) + 1);
    }
    texts.push_back(std::move(text));
  }
  return texts;
}

std::vector<std::string> read_texts(hid_t id, hid_t stored, std::size_t count, const std::string& name,
                                    const std::string& what) {
  return H5Tis_variable_str(stored) > 0 ? read_variable(id, stored, count, name, what)
                                        : read_fixed(id, stored, count, name, what);
}

Handle type_of(hid_t id, const std::string& name, const std::string& what) {
  return checked(H5Iget_type(id) == H5I_ATTR ? H5Aget_type(id) : H5Dget_type(id), ErrorKind::data, name, what);
}

Handle space_of(hid_t id, const std::string& name, const std::string& what) {
  return checked(H5Iget_type(id) == H5I_ATTR ? H5Aget_space(id) : H5Dget_space(id), ErrorKind::data, name, what);
}

}  // namespace

std::string read_string(hid_t id, const std::string& name, const std::string& what) {
  const Handle type = type_of(id, name, what);
  const Handle space = space_of(id, name, what);
  if (H5Tget_class(type.get()) != H5T_STRING || H5Sget_simple_extent_npoints(space.get()) != 1) {
    throw Error(ErrorKind::data, name + ": " + what + " is not one string");
  }
  return read_texts(id, type.get(), 1, name, what).front();
}

std::optional<std::vector<std::string>> read_strings(hid_t id, const std::string& name, const std::string& what) {
  constexpr hssize_t most = 1 << 20;
  const Handle type = type_of(id, name, what);
  const Handle space = space_of(id, name, what);
  if (H5Tget_class(type.get()) != H5T_STRING || H5Sget_simple_extent_ndims(space.get()) != 1) return {};
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  if (count < 0 || count > most) {
    throw Error(ErrorKind::data, name + ": " + what + " claims to hold " + std::to_string(count) + " texts");
  }
  if (count == 0) return std::vector<std::string>{};
  return read_texts(id, type.get(), static_cast<std::size_t>(count), name, what);
}

}  // namespace lockstep::h5
