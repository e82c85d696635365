// Building HDF5 files in memory, and the parts that reading and writing share with the public header.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "io/hdf5_call.hpp"

namespace lockstep::h5 {
namespace {

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

// The end-of-file address in a superblock of version 0, as written here, with addresses of 8 bytes (HDF5 File Format
// Specification 3.0, II.A): behind it the driver's memory is unused.
void write_text_to(const Target& target, const std::string& attribute, std::string_view value) {
  // Of variable length, because h5py gives such texts as str, those of fixed length as bytes.
  const Handle type = checked(H5Tcopy(H5T_C_S1), ErrorKind::internal, target.name, "HDF5 string type");
  if (H5Tset_size(type.get(), H5T_VARIABLE) < 0 || H5Tset_cset(type.get(), H5T_CSET_UTF8) < 0) {
    fail(ErrorKind::internal, target.name, "HDF5 string type");
  }
  const std::string ended(value);
  const char* text = ended.c_str();
  write_attribute(target, attribute, type.get(), &text);
}

std::size_t end_of_file(const std::byte* image, const std::string& name) {
  constexpr std::size_t version_at = 8, address_size_at = 13, end_at = 40;
  if (image[version_at] != std::byte{0} || image[address_size_at] != std::byte{8}) {
    throw Error(ErrorKind::internal, name + ": HDF5 wrote another kind of superblock than expected");
  }
  std::uint64_t end = 0;
  std::memcpy(&end, image + end_at, sizeof end);
  return end;
}

}  // namespace

Handle without_times(hid_t kind, const std::string& name) {
  Handle list = checked(H5Pcreate(kind), ErrorKind::internal, name, "HDF5 property list");
  if (H5Pset_obj_track_times(list.get(), false) < 0) fail(ErrorKind::internal, name, "HDF5 property list");
  return list;
}

Handle with_groups(const std::string& name) {
  Handle list = checked(H5Pcreate(H5P_LINK_CREATE), ErrorKind::internal, name, "HDF5 property list");
  if (H5Pset_create_intermediate_group(list.get(), 1) < 0) fail(ErrorKind::internal, name, "HDF5 property list");
  return list;
}

void write_root_attribute(hid_t file, const std::string& name, const std::string& attribute, std::string_view value) {
  write_text_to({file, name, "/"}, attribute, value);
}

void write_root_attribute(hid_t file, const std::string& name, const std::string& attribute, std::int64_t value) {
  write_attribute({file, name, "/"}, attribute, H5T_NATIVE_INT64, &value);
}

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

// The memory of a core file, kept when the driver closes. HDF5 copies and frees its pointer to this as it copies and
// closes property lists and files, so each of them holds a shared_ptr of its own.
struct File::Memory {
  void* kept = nullptr;

  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { std::free(kept); }

  static Memory& of(void* udata) { return **static_cast<std::shared_ptr<Memory>*>(udata); }
  static void* allocate(std::size_t size, H5FD_file_image_op_t /*op*/, void* /*udata*/) { return std::malloc(size); }
  static void* copy(void* to, const void* from, std::size_t size, H5FD_file_image_op_t /*op*/, void* /*udata*/) {
    return std::memcpy(to, from, size);
  }
  static void* resize(void* memory, std::size_t size, H5FD_file_image_op_t /*op*/, void* /*udata*/) {
    return std::realloc(memory, size);
  }
  static herr_t release(void* memory, H5FD_file_image_op_t op, void* udata) {
    std::free(op == H5FD_FILE_IMAGE_OP_FILE_CLOSE ? std::exchange(of(udata).kept, memory) : memory);
    return 0;
  }
  static void* share(void* udata) {
    return new (std::nothrow) std::shared_ptr<Memory>(*static_cast<std::shared_ptr<Memory>*>(udata));
  }
  static herr_t unshare(void* udata) {
    delete static_cast<std::shared_ptr<Memory>*>(udata);
    return 0;
  }
};

File File::create_image(const std::string& name, std::size_t expected_bytes) {
  const Lock lock;
  Handle access = checked(H5Pcreate(H5P_FILE_ACCESS), ErrorKind::internal, name, "HDF5 property list");
  // Core driver, growing by 1 MiB at least, without a file behind it.
  const std::size_t increment = std::max(expected_bytes, std::size_t{1} << 20U);
  // The oldest format, as plain_hdf5.cpp reads it, whatever a later HDF5 would choose.
  if (H5Pset_fapl_core(access.get(), increment, false) < 0 ||
      H5Pset_libver_bounds(access.get(), H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST) < 0) {
    fail(ErrorKind::internal, name, "HDF5 driver");
  }
  auto memory = std::make_shared<Memory>();
  H5FD_file_image_callbacks_t callbacks{Memory::allocate, Memory::copy,    Memory::resize, Memory::release,
                                        Memory::share,    Memory::unshare, &memory};
  if (H5Pset_file_image_callbacks(access.get(), &callbacks) < 0) fail(ErrorKind::internal, name, "HDF5 driver");
  const Handle created = without_times(H5P_FILE_CREATE, name);
  File file(checked(H5Fcreate(image_name().c_str(), H5F_ACC_TRUNC, created.get(), access.get()), ErrorKind::io, name,
                    "cannot be made in memory"),
            name);
  file.access_ = std::move(access);
  file.memory_ = std::move(memory);
  return file;
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
  write_text_to({file_.get(), name_, absolute(path)}, name, value);
}

void File::set_attribute(const std::string& path, const std::string& name, std::int64_t value) {
  const Lock lock;
  write_attribute({file_.get(), name_, absolute(path)}, name, H5T_NATIVE_INT64, &value);
}

void File::set_attribute(const std::string& path, const std::string& name, double value) {
  const Lock lock;
  write_attribute({file_.get(), name_, absolute(path)}, name, H5T_NATIVE_DOUBLE, &value);
}

FileImage File::take_image() && {
  const Lock lock;
  if (memory_ == nullptr) throw Error(ErrorKind::usage, name_ + ": not a file that is built in memory");
  if (H5Fclose(file_.release()) < 0 || memory_->kept == nullptr)
    fail(ErrorKind::io, name_, "its image cannot be taken");
  const std::size_t size = end_of_file(static_cast<const std::byte*>(memory_->kept), name_);
  return {std::exchange(memory_->kept, nullptr), size};
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
