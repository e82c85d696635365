// Locking, errors and object lookup for the HDF5 wrapper.
#include "io/hdf5_call.hpp"
#include "io/hdf5_source.hpp"

#include <algorithm>
#include <atomic>

namespace lockstep::h5 {
namespace {

std::recursive_mutex& process_lock() {
  static std::recursive_mutex mutex;
  return mutex;
}

herr_t keep_innermost(unsigned depth, const H5E_error2_t* error, void* text) {
  if (depth == 0 && error->desc != nullptr) *static_cast<std::string*>(text) = error->desc;
  return 0;
}

// For what a file of another program may be the reason of, in HDF5's words.
std::string remedy(const std::string& reason) {
  if (reason.find("open for write") != std::string::npos || reason.find("SWMR") != std::string::npos) {
    return ". A program has it open for writing, or ended without closing it: close it there; where none has it open, "
           "h5clear -s FILE makes it readable, if it is whole";
  }
  if (reason.find("version") != std::string::npos) {
    return ". It is damaged or of a newer HDF5 than " + library_version() +
           "; write it again there, with h5repack --high=2 or h5py.File(..., libver=(\"earliest\", \"v110\"))";
  }
  return "";
}

std::string join(const std::vector<std::string>& names) {
  constexpr std::size_t most = 12;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > most) text += ", and " + std::to_string(names.size() - most) + " more";
  return text.empty() ? "nothing" : text;
}

}  // namespace

Lock::Lock() : lock_(process_lock()) {
  restore_ = H5Eget_auto2(H5E_DEFAULT, &printer_, &printer_data_) >= 0;
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Lock::~Lock() {
  if (restore_) H5Eset_auto2(H5E_DEFAULT, printer_, printer_data_);
}

std::string last_error() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, &text);  // upward starts at the innermost
  H5Eclear2(H5E_DEFAULT);
  return text.empty() ? "HDF5 gives no reason" : text;
}

void fail(ErrorKind kind, const std::string& name, const std::string& what) {
  const std::string reason = last_error();
  throw Error(kind, name + ": " + what + ": " + reason + remedy(reason));
}

Handle checked(hid_t id, ErrorKind kind, const std::string& name, const std::string& what) {
  if (id < 0) fail(kind, name, what);
  return Handle(id);
}

std::string image_name() {
  static std::atomic<unsigned> count = 0;
  return "/dev/null/image-" + std::to_string(count++);
}

std::string absolute(const std::string& path) {
  if (path.empty()) return "/";
  return path.front() == '/' ? path : "/" + path;
}

bool reachable(hid_t file, const std::string& path) {
  // H5Lexists asks for the last link only and fails when one before it is missing.
  std::size_t end = 0;
  while (end != std::string::npos) {
    end = path.find('/', end + 1);
    const std::string prefix = path.substr(0, end);
    if (prefix.empty() || prefix.back() == '/') continue;  // the root, or a doubled slash
    if (H5Lexists(file, prefix.c_str(), H5P_DEFAULT) <= 0) return false;
    if (!may_follow(file, prefix)) return false;
    if (H5Oexists_by_name(file, prefix.c_str(), H5P_DEFAULT) <= 0) return false;  // a dangling link
  }
  return true;
}

std::vector<std::string> names_in(hid_t group, const std::string& name) {
  H5G_info_t info;
  if (H5Gget_info(group, &info) < 0) fail(ErrorKind::data, name, "a group cannot be read");
  std::vector<std::string> names;
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    const ssize_t size = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, nullptr, 0, H5P_DEFAULT);
    if (size < 0) fail(ErrorKind::data, name, "a name in a group cannot be read");
    std::string text(static_cast<std::size_t>(size), '\0');
    H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, text.data(), text.size() + 1, H5P_DEFAULT);
    names.push_back(std::move(text));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Handle open_object(hid_t file, const std::string& name, const std::string& path) {
  if (reachable(file, path)) {
    return checked(H5Oopen(file, path.c_str(), H5P_DEFAULT), ErrorKind::data, name, path + " cannot be opened");
  }
  const std::string dangling = dangling_link(file, path);
  if (!dangling.empty()) throw Error(ErrorKind::data, name + ": " + dangling);
  if (path != "/" && H5Lexists(file, path.c_str(), H5P_DEFAULT) > 0) {  // HDF5 knows what is wrong with it
    return checked(H5Oopen(file, path.c_str(), H5P_DEFAULT), ErrorKind::data, name, path + " cannot be opened");
  }
  std::string nearest = path;
  do {
    nearest.resize(nearest.find_last_of('/'));
  } while (!nearest.empty() && !reachable(file, nearest));
  if (nearest.empty()) nearest.push_back('/');
  const Handle parent =
      checked(H5Oopen(file, nearest.c_str(), H5P_DEFAULT), ErrorKind::data, name, nearest + " cannot be opened");
  if (H5Iget_type(parent.get()) != H5I_GROUP) {
    throw Error(ErrorKind::data, name + ": there is no " + path + "; " + nearest + " is not a group");
  }
  throw Error(ErrorKind::data,
              name + ": there is no " + path + "; " + nearest + " holds " + join(names_in(parent.get(), name)));
}

Handle open_dataset(hid_t file, const std::string& name, const std::string& path) {
  Handle object = open_object(file, name, path);
  if (H5Iget_type(object.get()) != H5I_DATASET) {
    throw Error(ErrorKind::data, name + ": expected a data set at " + path + ", found a group or a type");
  }
  return object;
}

std::vector<std::size_t> chunk_of(hid_t created, std::size_t dims, const std::string& name, const std::string& path) {
  std::vector<hsize_t> chunk(dims);
  const int found = H5Pget_chunk(created, static_cast<int>(dims), chunk.data());
  if (found != static_cast<int>(dims) || std::find(chunk.begin(), chunk.end(), hsize_t{0}) != chunk.end()) {
    throw Error(ErrorKind::data, name + ": the chunks of " + path +
                                     " have no size, or other dimensions than it; the "
                                     "file is damaged");
  }
  return {chunk.begin(), chunk.end()};
}

hid_t native(ElementType type) {
  switch (type) {
    case ElementType::f32:
      return H5T_NATIVE_FLOAT;
    case ElementType::f64:
      return H5T_NATIVE_DOUBLE;
    case ElementType::i8:
      return H5T_NATIVE_INT8;
    case ElementType::u8:
      return H5T_NATIVE_UINT8;
    case ElementType::i16:
      return H5T_NATIVE_INT16;
    case ElementType::u16:
      return H5T_NATIVE_UINT16;
    case ElementType::i32:
      return H5T_NATIVE_INT32;
    case ElementType::u32:
      return H5T_NATIVE_UINT32;
    case ElementType::i64:
      return H5T_NATIVE_INT64;
    case ElementType::u64:
      break;
  }
  return H5T_NATIVE_UINT64;
}

}  // namespace lockstep::h5
