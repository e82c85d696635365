// HDF5 files larger than memory, written by others than HDF5. HDF5 makes the file in a memory file of the system, with
// room for arrays that are never written, which costs nothing there; then all that it did write is taken out.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "io/hdf5_call.hpp"

namespace lockstep::h5 {
namespace {

std::string reason(int code) {
  return std::generic_category().message(code);
}

std::vector<std::byte> read_part(int fd, std::size_t begin, std::size_t end, const std::string& name) {
  std::vector<std::byte> bytes(end - begin);
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = ::pread(fd, bytes.data() + have, bytes.size() - have, static_cast<off_t>(begin + have));
    if (got <= 0) throw Error(ErrorKind::io, name + ": its structure cannot be read: " + reason(got < 0 ? errno : EIO));
    have += static_cast<std::size_t>(got);
  }
  return bytes;
}

// Asked before HDF5 meets it, which may crash where it cannot make a file longer.
void check_limit(std::size_t bytes, const std::string& name) {
  constexpr std::size_t structure = std::size_t{1} << 20U;  // more than it ever is
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  if (limit.rlim_cur >= bytes + structure) return;
  throw Error(ErrorKind::io, name + " needs " + std::to_string(bytes) +
                                 " bytes, too near to the limit on the size of files, or above it: " +
                                 std::to_string(limit.rlim_cur) + " bytes (ulimit -f)");
}

}  // namespace

struct File::Reserved {
  struct Array {
    std::string path;
    std::size_t bytes;
  };
  int fd = -1;
  std::vector<Array> arrays;

  Reserved() = default;
  Reserved(const Reserved&) = delete;
  Reserved& operator=(const Reserved&) = delete;
  ~Reserved() {
    if (fd >= 0) ::close(fd);
  }
  [[nodiscard]] std::size_t bytes() const {
    std::size_t sum = 0;
    for (const Array& array : arrays) sum += array.bytes;
    return sum;
  }
};

File File::create_frame(const std::string& name) {
  const Lock lock;
  auto reserved = std::make_shared<Reserved>();
  reserved->fd = ::memfd_create("lockstep-frame", MFD_CLOEXEC);
  if (reserved->fd < 0) throw Error(ErrorKind::io, name + ": no memory file for its structure: " + reason(errno));
  const Handle access = checked(H5Pcreate(H5P_FILE_ACCESS), ErrorKind::internal, name, "HDF5 property list");
  // The usual driver asks for the real name of what it opens, and a memory file has none.
  H5Pset_fapl_stdio(access.get());
  H5Pset_file_locking(access.get(), false, true);
  const std::string place = "/proc/self/fd/" + std::to_string(reserved->fd);
  const Handle created = without_times(H5P_FILE_CREATE, name);
  File file(checked(H5Fcreate(place.c_str(), H5F_ACC_TRUNC, created.get(), access.get()), ErrorKind::io, name,
                    "cannot be made in memory"),
            name);
  file.reserved_ = std::move(reserved);
  return file;
}

void File::reserve(const std::string& path, ElementType type, std::span<const std::size_t> shape) {
  const Lock lock;
  const std::string at = absolute(path);
  std::size_t bytes = bytes_of(type);
  for (const std::size_t dim : shape) {
    if (dim == 0 || __builtin_mul_overflow(bytes, dim, &bytes) || bytes >> 62U != 0) {
      throw Error(ErrorKind::usage, name_ + ": no room can be kept for " + at + ", which is empty or beyond 62 bits");
    }
  }
  if (reserved_ == nullptr) throw Error(ErrorKind::usage, name_ + ": not a file of which the frame is made");
  check_limit(reserved_->bytes() + bytes, name_);
  const std::vector<hsize_t> dims(shape.begin(), shape.end());
  const Handle space = checked(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), ErrorKind::io,
                               name_, at + ": shape");
  const Handle created = without_times(H5P_DATASET_CREATE, name_);
  if (H5Pset_layout(created.get(), H5D_CONTIGUOUS) < 0 || H5Pset_alloc_time(created.get(), H5D_ALLOC_TIME_EARLY) < 0 ||
      H5Pset_fill_time(created.get(), H5D_FILL_TIME_NEVER) < 0) {
    fail(ErrorKind::internal, name_, "HDF5 property list");
  }
  const Handle links = with_groups(name_);
  const Handle dataset =
      checked(H5Dcreate2(file_.get(), at.c_str(), native(type), space.get(), links.get(), created.get(), H5P_DEFAULT),
              ErrorKind::io, name_, at + " cannot be made");
  reserved_->arrays.push_back({at, bytes});
}

Frame File::take_frame() && {
  const Lock lock;
  if (reserved_ == nullptr) throw Error(ErrorKind::usage, name_ + ": not a file of which the frame is made");
  Frame frame;
  for (const Reserved::Array& array : reserved_->arrays) {
    const haddr_t place = H5Dget_offset(open_object(file_.get(), name_, array.path).get());
    if (place == HADDR_UNDEF) fail(ErrorKind::internal, name_, array.path + " has no place");
    frame.arrays.push_back(place);
  }
  if (H5Fclose(file_.release()) < 0) fail(ErrorKind::io, name_, "its structure cannot be made");
  struct stat status {};
  if (::fstat(reserved_->fd, &status) != 0) throw Error(ErrorKind::io, name_ + ": " + reason(errno));
  frame.bytes = static_cast<std::size_t>(status.st_size);

  std::vector<std::pair<std::size_t, std::size_t>> holes;
  for (std::size_t i = 0; i < frame.arrays.size(); ++i) {
    holes.emplace_back(frame.arrays[i], frame.arrays[i] + reserved_->arrays[i].bytes);
  }
  holes.emplace_back(frame.bytes, frame.bytes);
  std::sort(holes.begin(), holes.end());
  std::size_t at = 0;
  for (const auto& [begin, end] : holes) {
    if (begin > at) frame.parts.push_back({at, read_part(reserved_->fd, at, begin, name_)});
    at = end;
  }
  return frame;
}

}  // namespace lockstep::h5
