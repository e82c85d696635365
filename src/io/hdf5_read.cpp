// Opening and reading HDF5 files. Sizes that a file claims are checked before anyone may allocate them.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "io/hdf5_call.hpp"
#include "io/hdf5_source.hpp"

namespace lockstep::h5 {
namespace {

std::vector<std::size_t> shape_of(hid_t space) {
  if (H5Sget_simple_extent_type(space) == H5S_NULL) return {0};
  std::vector<hsize_t> dims(static_cast<std::size_t>(std::max(0, H5Sget_simple_extent_ndims(space))));
  H5Sget_simple_extent_dims(space, dims.data(), nullptr);
  return {dims.begin(), dims.end()};
}

/// Elements of `shape` times `bytes`; unset when that does not fit 63 bits. A dimension of 0 counts as 1 here, so that
/// no part of the product overflows either.
std::optional<std::size_t> claimed_bytes(std::span<const std::size_t> shape, std::size_t bytes) {
  std::size_t product = bytes;
  for (const std::size_t dim : shape) {
    if (__builtin_mul_overflow(product, std::max<std::size_t>(dim, 1), &product)) return {};
  }
  if (product >> 63U != 0) return {};
  return product;
}

/// A few damaged or made-up bytes can claim a data set of any size, and HDF5 reads what was never stored as fill
/// values. Contiguous data lies in the file, so it cannot be larger (1 MiB of never-written data is let pass). Chunks
/// may be compressed: deflate reaches 1032:1, other filters more, so 4096 times what is stored plus 16 MiB is the
/// bound.
void check_claim(hid_t dataset, std::span<const std::size_t> shape, std::size_t element_bytes, const std::string& name,
                 const std::string& path) {
  constexpr std::size_t mib = std::size_t{1} << 20U;
  const Handle created = checked(H5Dget_create_plist(dataset), ErrorKind::data, name, path);
  const H5D_layout_t layout = H5Pget_layout(created.get());
  check_source(created.get(), name, path);
  std::size_t bound = 0;
  if (layout == H5D_CHUNKED) {
    (void)chunk_of(created.get(), shape.size(), name, path);
    const std::size_t stored = H5Dget_storage_size(dataset);
    if (__builtin_mul_overflow(stored, std::size_t{4096}, &bound)) bound = stored;
    bound += 16 * mib;
  } else {
    const Handle file(H5Iget_file_id(dataset));
    hsize_t file_bytes = 0;
    if (H5Fget_filesize(file.get(), &file_bytes) < 0) fail(ErrorKind::data, name, "its size cannot be read");
    // HDF5 1.10 believes both the shape and the size of the storage, and where they differ reads past the storage.
    const bool empty = std::find(shape.begin(), shape.end(), std::size_t{0}) != shape.end();
    const bool stored = !empty && (layout == H5D_COMPACT || H5Dget_offset(dataset) != HADDR_UNDEF);
    bound = stored ? std::min<std::size_t>(H5Dget_storage_size(dataset), file_bytes) : file_bytes + mib;
  }
  const std::optional<std::size_t> claimed = claimed_bytes(shape, element_bytes);
  if (!claimed || *claimed > bound) {
    throw Error(ErrorKind::data, name + ": " + path + " claims " +
                                     (claimed ? std::to_string(*claimed) : std::string("more than 2^63")) +
                                     " bytes, more than the file can hold; it is damaged or was never written in full");
  }
}

Handle open_attribute(hid_t file, const std::string& name, const std::string& path, const std::string& attribute) {
  const Handle object = open_object(file, name, path);
  if (H5Aexists(object.get(), attribute.c_str()) <= 0) {
    throw Error(ErrorKind::data, name + ": " + path + " has no attribute '" + attribute + "'");
  }
  return checked(H5Aopen(object.get(), attribute.c_str(), H5P_DEFAULT), ErrorKind::data, name,
                 path + ", attribute '" + attribute + "' cannot be opened");
}

/// Reads one number into `out`, converted to memory type `type`.
void read_number(const Handle& attribute, hid_t type, bool integer, const std::string& where, void* out) {
  const Handle stored = checked(H5Aget_type(attribute.get()), ErrorKind::data, where, "its type cannot be read");
  const Handle space = checked(H5Aget_space(attribute.get()), ErrorKind::data, where, "its shape cannot be read");
  const H5T_class_t kind = H5Tget_class(stored.get());
  if ((kind != H5T_INTEGER && (integer || kind != H5T_FLOAT)) || H5Sget_simple_extent_npoints(space.get()) != 1) {
    throw Error(ErrorKind::data, where + ": expected one " + (integer ? "integer" : "number"));
  }
  if (H5Aread(attribute.get(), type, out) < 0) fail(ErrorKind::data, where, "cannot be read");
}

void read_elements(const File& file, const Handle& dataset, const std::string& path, hid_t type, std::size_t elements,
                   void* out) {
  const DatasetInfo info = file.info(path);
  std::size_t count = 1;
  for (const std::size_t dim : info.shape) count *= dim;
  if (!info.type) throw Error(ErrorKind::data, file.name() + ": " + path + " does not hold plain numbers");
  if (H5Tget_class(type) == H5T_INTEGER && (*info.type == ElementType::f32 || *info.type == ElementType::f64)) {
    throw Error(ErrorKind::data, file.name() + ": expected integers in " + path + ", found floating-point numbers");
  }
  if (count != elements) {
    throw Error(ErrorKind::data, file.name() + ": expected " + std::to_string(elements) + " elements in " + path +
                                     ", found " + std::to_string(count));
  }
  if (count != 0 && H5Dread(dataset.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0) {
    fail(ErrorKind::data, file.name(), path + " cannot be read");
  }
}

}  // namespace

namespace {

// NetCDF before version 4: "CDF" and a version of 1, 2 or 5.
bool is_classic_netcdf(const std::string& path) {
  std::array<char, 4> head{};
  std::ifstream(path, std::ios::binary).read(head.data(), head.size());
  return std::string_view(head.data(), 3) == "CDF" && (head[3] == 1 || head[3] == 2 || head[3] == 5);
}

}  // namespace

File File::open(const std::string& path) {
  const Lock lock;
  // Asked of the system first: its reasons are clearer than HDF5's, and a pipe would block.
  std::error_code code;
  const std::filesystem::file_status status = std::filesystem::status(path, code);
  if (status.type() == std::filesystem::file_type::not_found) throw Error(ErrorKind::data, path + ": no such file");
  if (code) throw Error(ErrorKind::io, path + ": " + code.message());
  if (status.type() != std::filesystem::file_type::regular) {
    throw Error(ErrorKind::data, path + ": expected an HDF5 file, found a folder or a device");
  }
  const htri_t is_hdf5 = H5Fis_hdf5(path.c_str());
  if (is_hdf5 < 0) fail(ErrorKind::io, path, "cannot be read");
  if (is_hdf5 == 0 && is_classic_netcdf(path)) {
    throw Error(ErrorKind::data,
                path +
                    ": NetCDF of the classic format (version 3), which is not HDF5; make NetCDF-4 of it: "
                    "nccopy -k nc4 " +
                    path + " NEW.nc");
  }
  if (is_hdf5 == 0) throw Error(ErrorKind::data, path + ": not an HDF5 file, or its beginning is cut off");
  expect_no_writer(path);
  const Handle access = checked(H5Pcreate(H5P_FILE_ACCESS), ErrorKind::internal, path, "HDF5 property list");
  // The driver with a file descriptor, which texts are read through. Locks fail on some network file systems, and
  // readers need none.
  H5Pset_fapl_sec2(access.get());
  H5Pset_file_locking(access.get(), false, true);
  return {
      checked(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), ErrorKind::data, path, "cannot be opened as HDF5"),
      path};
}

File File::open_image(std::span<const std::byte> image, const std::string& name) {
  const Lock lock;
  if (image.empty()) throw Error(ErrorKind::data, name + ": empty, expected an HDF5 file");
  const Handle access = checked(H5Pcreate(H5P_FILE_ACCESS), ErrorKind::internal, name, "HDF5 property list");
  // HDF5 takes the image as void* but only copies from it.
  if (H5Pset_fapl_core(access.get(), std::size_t{1} << 20U, false) < 0 ||
      H5Pset_file_image(access.get(), const_cast<std::byte*>(image.data()), image.size()) < 0) {
    fail(ErrorKind::io, name, "cannot be opened in memory");
  }
  return {checked(H5Fopen(image_name().c_str(), H5F_ACC_RDONLY, access.get()), ErrorKind::data, name,
                  "cannot be opened as HDF5"),
          name};
}

bool File::exists(const std::string& path) const {
  const Lock lock;
  return reachable(file_.get(), absolute(path));
}

bool File::is_group(const std::string& path) const {
  const Lock lock;
  const std::string at = absolute(path);
  if (!reachable(file_.get(), at)) return false;
  return H5Iget_type(open_object(file_.get(), name_, at).get()) == H5I_GROUP;
}

std::vector<std::string> File::children(const std::string& path) const {
  const Lock lock;
  const std::string at = absolute(path);
  const Handle group = open_object(file_.get(), name_, at);
  if (H5Iget_type(group.get()) != H5I_GROUP) {
    throw Error(ErrorKind::data, name_ + ": expected a group at " + at + ", found a data set");
  }
  return names_in(group.get(), name_);
}

DatasetInfo File::info(const std::string& path) const {
  const Lock lock;
  const std::string at = absolute(path);
  const Handle dataset = open_dataset(file_.get(), name_, at);
  const Handle space = checked(H5Dget_space(dataset.get()), ErrorKind::data, name_, at + ": no shape");
  const Handle type = checked(H5Dget_type(dataset.get()), ErrorKind::data, name_, at + ": no type");
  DatasetInfo info{element_type(type.get()), shape_of(space.get())};
  check_claim(dataset.get(), info.shape, H5Tget_size(type.get()), name_, at);
  return info;
}

std::string File::what_else(const std::string& path) const {
  const Lock lock;
  const Handle dataset = open_dataset(file_.get(), name_, absolute(path));
  const Handle type = checked(H5Dget_type(dataset.get()), ErrorKind::data, name_, path + ": no type");
  return h5::what_else(type.get());
}

DatasetStorage File::storage(const std::string& path) const {
  const Lock lock;
  const std::string at = absolute(path);
  const Handle dataset = open_dataset(file_.get(), name_, at);
  const Handle created = checked(H5Dget_create_plist(dataset.get()), ErrorKind::data, name_, at);
  DatasetStorage storage;
  storage.bytes = H5Dget_storage_size(dataset.get());
  if (H5Pget_layout(created.get()) == H5D_CHUNKED) {
    std::vector<hsize_t> dims(H5S_MAX_RANK);
    const int rank = H5Pget_chunk(created.get(), static_cast<int>(dims.size()), dims.data());
    if (rank < 0) fail(ErrorKind::data, name_, at + ": the shape of its chunks cannot be read");
    storage.chunk.assign(dims.begin(), dims.begin() + rank);
  }
  const int filters = H5Pget_nfilters(created.get());
  for (int i = 0; i < filters; ++i) {
    std::array<char, 64> text{};
    std::size_t values = 0;
    const H5Z_filter_t id = H5Pget_filter2(created.get(), static_cast<unsigned>(i), nullptr, &values, nullptr,
                                           text.size() - 1, text.data(), nullptr);
    if (id < 0) fail(ErrorKind::data, name_, at + ": its filters cannot be read");
    storage.filters.emplace_back(text[0] != 0 ? text.data() : "filter " + std::to_string(id));
  }
  return storage;
}

void File::read(const std::string& path, std::span<float> out) const {
  read_bytes(path, ElementType::f32, std::as_writable_bytes(out));
}

void File::read(const std::string& path, std::span<double> out) const {
  read_bytes(path, ElementType::f64, std::as_writable_bytes(out));
}

void File::read(const std::string& path, std::span<std::int64_t> out) const {
  read_bytes(path, ElementType::i64, std::as_writable_bytes(out));
}

void File::read_bytes(const std::string& path, ElementType type, std::span<std::byte> out) const {
  const Lock lock;
  if (out.size() % bytes_of(type) != 0) throw Error(ErrorKind::usage, "read_bytes: a part of an element");
  const std::string at = absolute(path);
  read_elements(*this, open_dataset(file_.get(), name_, at), at, native(type), out.size() / bytes_of(type), out.data());
}

std::string File::read_text(const std::string& path) const {
  const Lock lock;
  const std::string at = absolute(path);
  (void)info(at);  // checks its size
  return read_string(open_dataset(file_.get(), name_, at).get(), name_, at);
}

bool File::has_attributes(const std::string& path) const {
  const Lock lock;
  const std::string at = absolute(path);
  return reachable(file_.get(), at) && H5Aget_num_attrs(open_object(file_.get(), name_, at).get()) != 0;
}

bool File::has_attribute(const std::string& path, const std::string& name) const {
  const Lock lock;
  const std::string at = absolute(path);
  if (!reachable(file_.get(), at)) return false;
  return H5Aexists(open_object(file_.get(), name_, at).get(), name.c_str()) > 0;
}

std::string File::text_attribute(const std::string& path, const std::string& name) const {
  const Lock lock;
  const std::string at = absolute(path);
  return read_string(open_attribute(file_.get(), name_, at, name).get(), name_, at + ", attribute '" + name + "'");
}

std::optional<std::vector<std::string>> File::text_list_attribute(const std::string& path,
                                                                  const std::string& name) const {
  const Lock lock;
  const std::string at = absolute(path);
  return read_strings(open_attribute(file_.get(), name_, at, name).get(), name_, at + ", attribute '" + name + "'");
}

AttributeNumbers File::numbers_attribute(const std::string& path, const std::string& name) const {
  constexpr hssize_t most = 1024;
  const Lock lock;
  const std::string at = absolute(path);
  const Handle attribute = open_attribute(file_.get(), name_, at, name);
  const std::string where = name_ + ": " + at + ", attribute '" + name + "'";
  const Handle stored = checked(H5Aget_type(attribute.get()), ErrorKind::data, where, "its type cannot be read");
  const Handle space = checked(H5Aget_space(attribute.get()), ErrorKind::data, where, "its shape cannot be read");
  const H5T_class_t kind = H5Tget_class(stored.get());
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  if ((kind != H5T_INTEGER && kind != H5T_FLOAT) || count < 1 || count > most) {
    throw Error(ErrorKind::data,
                where + " changes what the numbers mean, and is not made of numbers itself; expected 1 to " +
                    std::to_string(most) + " numbers, or no such attribute");
  }
  AttributeNumbers numbers{kind == H5T_INTEGER, std::vector<long double>(static_cast<std::size_t>(count))};
  if (H5Aread(attribute.get(), H5T_NATIVE_LDOUBLE, numbers.values.data()) < 0) {
    fail(ErrorKind::data, where, "cannot be read");
  }
  return numbers;
}

std::int64_t File::integer_attribute(const std::string& path, const std::string& name) const {
  const Lock lock;
  const std::string at = absolute(path);
  std::int64_t value = 0;
  read_number(open_attribute(file_.get(), name_, at, name), H5T_NATIVE_INT64, true,
              name_ + ": " + at + ", attribute '" + name + "'", &value);
  return value;
}

double File::number_attribute(const std::string& path, const std::string& name) const {
  const Lock lock;
  const std::string at = absolute(path);
  double value = 0;
  read_number(open_attribute(file_.get(), name_, at, name), H5T_NATIVE_DOUBLE, false,
              name_ + ": " + at + ", attribute '" + name + "'", &value);
  return value;
}

}  // namespace lockstep::h5
