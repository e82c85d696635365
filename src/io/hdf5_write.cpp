// Building HDF5 files in memory, and the parts that reading and writing share with the public header.
#include <algorithm>

#include "io/hdf5_call.hpp"

namespace lockstep::h5 {
namespace {

/// A creation list of class `kind` whose object records no times.
Handle without_times(hid_t kind, const std::string& name) {
  Handle list = checked(H5Pcreate(kind), ErrorKind::internal, name, "HDF5 property list");
  if (H5Pset_obj_track_times(list.get(), false) < 0) fail(ErrorKind::internal, name, "HDF5 property list");
  return list;
}

/// A link creation list that makes the groups on the way.
Handle with_groups(const std::string& name) {
  Handle list = checked(H5Pcreate(H5P_LINK_CREATE), ErrorKind::internal, name, "HDF5 property list");
  if (H5Pset_create_intermediate_group(list.get(), 1) < 0) fail(ErrorKind::internal, name, "HDF5 property list");
  return list;
}

/// A fixed-length UTF-8 type.
Handle text_type(std::string_view text, const std::string& name) {
  Handle type = checked(H5Tcopy(H5T_C_S1), ErrorKind::internal, name, "HDF5 string type");
  if (H5Tset_size(type.get(), std::max<std::size_t>(text.size(), 1)) < 0 ||
      H5Tset_strpad(type.get(), H5T_STR_NULLPAD) < 0 || H5Tset_cset(type.get(), H5T_CSET_UTF8) < 0) {
    fail(ErrorKind::internal, name, "HDF5 string type");
  }
  return type;
}

Handle scalar(const std::string& name) {
  return checked(H5Screate(H5S_SCALAR), ErrorKind::internal, name, "HDF5 data space");
}

/// What a text type of size max(size, 1) reads from.
const char* text_bytes(std::string_view text) {
  return text.empty() ? "" : text.data();
}

struct Target {
  hid_t file;
  const std::string& name;
  std::string path;
};

void write_dataset(const Target& target, const Handle& space, hid_t type, const void* values) {
  const Handle created = without_times(H5P_DATASET_CREATE, target.name);
  const Handle links = with_groups(target.name);
  const Handle dataset =
      checked(H5Dcreate2(target.file, target.path.c_str(), type, space.get(), links.get(), created.get(), H5P_DEFAULT),
              ErrorKind::io, target.name, target.path + " cannot be made");
  if (H5Sget_simple_extent_npoints(space.get()) == 0) return;
  if (H5Dwrite(dataset.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
    fail(ErrorKind::io, target.name, target.path + " cannot be written");
  }
}

void write_array(const Target& target, std::span<const std::size_t> shape, std::size_t elements, hid_t type,
                 const void* values) {
  std::size_t count = 1;
  for (const std::size_t dim : shape) count *= dim;
  if (count != elements) {
    throw Error(ErrorKind::usage, target.name + ": the shape of " + target.path + " has " + std::to_string(count) +
                                      " elements, " + std::to_string(elements) + " are given");
  }
  const std::vector<hsize_t> dims(shape.begin(), shape.end());
  const Handle space = dims.empty() ? scalar(target.name)
                                    : checked(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr),
                                              ErrorKind::io, target.name, target.path + ": shape");
  write_dataset(target, space, type, values);
}

void write_attribute(const Target& target, const std::string& attribute, hid_t type, const void* value) {
  const Handle object = open_object(target.file, target.name, target.path);
  const std::string what = target.path + ", attribute '" + attribute + "' cannot be written";
  if (H5Aexists(object.get(), attribute.c_str()) > 0 && H5Adelete(object.get(), attribute.c_str()) < 0) {
    fail(ErrorKind::io, target.name, what);
  }
  const Handle made =
      checked(H5Acreate2(object.get(), attribute.c_str(), type, scalar(target.name).get(), H5P_DEFAULT, H5P_DEFAULT),
              ErrorKind::io, target.name, what);
  if (H5Awrite(made.get(), type, value) < 0) fail(ErrorKind::io, target.name, what);
}

}  // namespace

Handle& Handle::operator=(Handle&& other) noexcept {
  if (this != &other) {
    close();
    id_ = std::exchange(other.id_, -1);
  }
  return *this;
}

Handle::~Handle() {
  close();
}

void Handle::close() noexcept {
  if (id_ < 0) return;
  const Lock lock;
  H5Idec_ref(std::exchange(id_, -1));  // closes an id of any kind
}

File File::create_image(const std::string& name) {
  const Lock lock;
  const Handle access = checked(H5Pcreate(H5P_FILE_ACCESS), ErrorKind::internal, name, "HDF5 property list");
  // Core driver, growing by 1 MiB, without a file behind it.
  if (H5Pset_fapl_core(access.get(), std::size_t{1} << 20U, false) < 0) fail(ErrorKind::internal, name, "HDF5 driver");
  const Handle created = without_times(H5P_FILE_CREATE, name);
  return {checked(H5Fcreate(image_name().c_str(), H5F_ACC_TRUNC, created.get(), access.get()), ErrorKind::io, name,
                  "cannot be made in memory"),
          name};
}

void File::make_group(const std::string& path) {
  const Lock lock;
  const std::string at = absolute(path);
  if (is_group(at)) return;
  const Handle links = with_groups(name_);
  const Handle created = without_times(H5P_GROUP_CREATE, name_);
  const Handle group = checked(H5Gcreate2(file_.get(), at.c_str(), links.get(), created.get(), H5P_DEFAULT),
                               ErrorKind::io, name_, "group " + at + " cannot be made");
}

void File::write(const std::string& path, std::span<const std::size_t> shape, std::span<const float> values) {
  const Lock lock;
  write_array({file_.get(), name_, absolute(path)}, shape, values.size(), H5T_NATIVE_FLOAT, values.data());
}

void File::write(const std::string& path, std::span<const std::size_t> shape, std::span<const double> values) {
  const Lock lock;
  write_array({file_.get(), name_, absolute(path)}, shape, values.size(), H5T_NATIVE_DOUBLE, values.data());
}

void File::write(const std::string& path, std::span<const std::size_t> shape, std::span<const std::int64_t> values) {
  const Lock lock;
  write_array({file_.get(), name_, absolute(path)}, shape, values.size(), H5T_NATIVE_INT64, values.data());
}

void File::write_text(const std::string& path, std::string_view text) {
  const Lock lock;
  write_dataset({file_.get(), name_, absolute(path)}, scalar(name_), text_type(text, name_).get(), text_bytes(text));
}

void File::set_attribute(const std::string& path, const std::string& name, std::string_view value) {
  const Lock lock;
  // Of variable length, because h5py gives such texts as str, those of fixed length as bytes.
  const Handle type = checked(H5Tcopy(H5T_C_S1), ErrorKind::internal, name_, "HDF5 string type");
  if (H5Tset_size(type.get(), H5T_VARIABLE) < 0 || H5Tset_cset(type.get(), H5T_CSET_UTF8) < 0) {
    fail(ErrorKind::internal, name_, "HDF5 string type");
  }
  const std::string ended(value);
  const char* text = ended.c_str();
  write_attribute({file_.get(), name_, absolute(path)}, name, type.get(), &text);
}

void File::set_attribute(const std::string& path, const std::string& name, std::int64_t value) {
  const Lock lock;
  write_attribute({file_.get(), name_, absolute(path)}, name, H5T_NATIVE_INT64, &value);
}

void File::set_attribute(const std::string& path, const std::string& name, double value) {
  const Lock lock;
  write_attribute({file_.get(), name_, absolute(path)}, name, H5T_NATIVE_DOUBLE, &value);
}

std::vector<std::byte> File::image() {
  const Lock lock;
  if (H5Fflush(file_.get(), H5F_SCOPE_LOCAL) < 0) fail(ErrorKind::io, name_, "cannot be flushed");
  const ssize_t size = H5Fget_file_image(file_.get(), nullptr, 0);
  if (size < 0) fail(ErrorKind::io, name_, "its image cannot be taken");
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  if (H5Fget_file_image(file_.get(), bytes.data(), bytes.size()) < 0) {
    fail(ErrorKind::io, name_, "its image cannot be taken");
  }
  return bytes;
}

std::string library_version() {
  const Lock lock;
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  H5get_libversion(&major, &minor, &release);
  return "HDF5 " + std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(release);
}

}  // namespace lockstep::h5
