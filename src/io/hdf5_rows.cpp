// Rows of an HDF5 data set, read piece by piece.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>
#include <system_error>

#include "io/hdf5_call.hpp"

namespace lockstep::h5 {
namespace {

constexpr std::size_t kLeastCache = std::size_t{1} << 20U;  // HDF5's own
constexpr std::size_t kMostCache = std::size_t{32} << 20U;

bool is_file(int fd, const std::string& path) {
  struct stat open {};
  struct stat named {};
  return ::fstat(fd, &open) == 0 && ::stat(path.c_str(), &named) == 0 && open.st_ino == named.st_ino &&
         open.st_dev == named.st_dev;
}

std::size_t bytes_of_file(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 ? static_cast<std::size_t>(status.st_size) : 0;
}

}  // namespace

Rows::Rows(const File& file, const std::string& path) : file_name_(file.name()), path_(absolute(path)) {
  const Lock lock;
  info_ = file.info(path_);
  if (info_.type && !info_.shape.empty()) look_at_layout(open_dataset(file.file_.get(), file_name_, path_).get());
  const Handle access = checked(H5Pcreate(H5P_DATASET_ACCESS), ErrorKind::internal, file_name_, "HDF5 property list");
  if (chunk_bytes_ != 0) {
    // A prime number of places in the table of chunks, many times the chunks that fit.
    H5Pset_chunk_cache(access.get(), 12421, std::clamp(chunk_bytes_, kLeastCache, kMostCache),
                       H5D_CHUNK_CACHE_W0_DEFAULT);
  }
  dataset_ = checked(H5Dopen2(file.file_.get(), path_.c_str(), access.get()), ErrorKind::data, file_name_,
                     path_ + " cannot be opened");
  // The file of the data set, which is another one behind an external link.
  const Handle owner = checked(H5Iget_file_id(dataset_.get()), ErrorKind::data, file_name_, path_ + ": no file");
  void* handle = nullptr;
  const Handle driver(H5Fget_access_plist(owner.get()));
  if (H5Pget_driver(driver.get()) == H5FD_SEC2 && H5Fget_vfd_handle(owner.get(), H5P_DEFAULT, &handle) >= 0) {
    fd_ = *static_cast<int*>(handle);
    file_bytes_ = bytes_of_file(fd_);
    own_file_ = is_file(fd_, file_name_);
  }
}

void Rows::look_at_layout(std::int64_t dataset) {
  const Handle created = checked(H5Dget_create_plist(dataset), ErrorKind::data, file_name_, path_);
  const H5D_layout_t layout = H5Pget_layout(created.get());
  look_at_gaps(dataset, created.get());
  if (layout == H5D_CONTIGUOUS) {
    const Handle type = checked(H5Dget_type(dataset), ErrorKind::data, file_name_, path_ + ": no type");
    const haddr_t at = H5Dget_offset(dataset);  // of the file, whatever its user block
    if (at != HADDR_UNDEF && H5Tequal(type.get(), native(*info_.type)) > 0) plain_at_ = at;
  }
  if (layout != H5D_CHUNKED) return;
  const std::vector<std::size_t> chunk = chunk_of(created.get(), info_.shape.size(), file_name_, path_);
  chunk_rows_ = chunk.front();
  chunk_bytes_ = chunk.front() * bytes_of(*info_.type);
  for (std::size_t dim = 1; dim < chunk.size(); ++dim) {
    const std::size_t along = (info_.shape[dim] + chunk[dim] - 1) / chunk[dim] * chunk[dim];
    if (__builtin_mul_overflow(chunk_bytes_, std::max<std::size_t>(along, 1), &chunk_bytes_)) {
      throw Error(ErrorKind::data, file_name_ + ": the chunks of " + path_ + " are larger than any memory");
    }
  }
}

void Rows::look_at_gaps(std::int64_t dataset, std::int64_t created) {
  if (std::find(info_.shape.begin(), info_.shape.end(), std::size_t{0}) != info_.shape.end()) return;
  H5D_space_status_t status = H5D_SPACE_STATUS_ERROR;
  if (H5Dget_space_status(dataset, &status) < 0) fail(ErrorKind::data, file_name_, path_ + " cannot be read");
  if (status == H5D_SPACE_STATUS_ALLOCATED) return;
  std::string which = "was never written: all of its";
  if (H5Pget_layout(created) == H5D_CHUNKED) {
    const std::vector<std::size_t> chunk = chunk_of(created, info_.shape.size(), file_name_, path_);
    hsize_t written = 0;
    double chunks = 1;  // a made-up file may have more than fit an integer
    for (std::size_t dim = 0; dim < chunk.size(); ++dim) {
      chunks *= static_cast<double>((info_.shape[dim] - 1) / chunk[dim] + 1);
    }
    const Handle space = checked(H5Dget_space(dataset), ErrorKind::data, file_name_, path_ + ": no shape");
    if (status == H5D_SPACE_STATUS_PART_ALLOCATED && H5Dget_num_chunks(dataset, space.get(), &written) < 0) {
      fail(ErrorKind::data, file_name_, path_ + " cannot be read");
    }
    if (static_cast<double>(written) >= chunks) return;
    if (written != 0) {
      which = "has " + std::to_string(static_cast<hsize_t>(chunks) - written) + " chunks of " +
              std::to_string(static_cast<hsize_t>(chunks)) + " that were never written: their";
    }
  } else if (status != H5D_SPACE_STATUS_NOT_ALLOCATED) {
    return;
  }
  double fill = 0;
  H5D_fill_time_t when = H5D_FILL_TIME_IFSET;
  if (H5Pget_fill_time(created, &when) >= 0 && when != H5D_FILL_TIME_NEVER) {
    H5Pget_fill_value(created, H5T_NATIVE_DOUBLE, &fill);  // 0 where there is none
  }
  std::ostringstream number;
  number << fill;
  unwritten_ = file_name_ + ": " + path_ + " " + which + " numbers are read as " + number.str() + ", its fill value";
}

void Rows::read(Range rows, std::span<std::byte> out) const {
  if (!info_.type) throw Error(ErrorKind::data, file_name_ + ": " + path_ + " does not hold plain numbers");
  if (info_.shape.empty() || rows.begin > rows.end || rows.end > info_.shape.front()) {
    throw Error(ErrorKind::usage, file_name_ + ": " + path_ + " has no such rows");
  }
  std::vector<hsize_t> start(info_.shape.size(), 0);
  std::vector<hsize_t> count(info_.shape.begin(), info_.shape.end());
  start.front() = rows.begin;
  count.front() = rows.size();
  hsize_t elements = 1;
  for (const hsize_t dim : count) elements *= dim;
  if (out.size() != elements * bytes_of(*info_.type)) {
    throw Error(ErrorKind::usage, file_name_ + ": memory of another size than the rows of " + path_);
  }
  if (elements == 0) return;
  if (plain_at_ && fd_ >= 0) {
    read_by_descriptor(*plain_at_ + rows.begin * (out.size() / rows.size()), out);
    return;
  }
  const Lock lock;
  if (!unwritten_.empty()) std::fill(out.begin(), out.end(), std::byte{0});  // HDF5 may leave them as they are
  const Handle space = checked(H5Dget_space(dataset_.get()), ErrorKind::data, file_name_, path_ + ": no shape");
  const Handle memory = checked(H5Screate_simple(1, &elements, nullptr), ErrorKind::internal, file_name_, path_);
  const bool good =
      H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr) >= 0 &&
      H5Dread(dataset_.get(), native(*info_.type), memory.get(), space.get(), H5P_DEFAULT, out.data()) >= 0;
  check_length();
  if (!good) fail(ErrorKind::data, file_name_, path_ + " cannot be read");
}

void Rows::read_by_descriptor(std::size_t at, std::span<std::byte> out) const {
  for (std::size_t have = 0; have < out.size();) {
    const ssize_t got = ::pread(fd_, out.data() + have, out.size() - have, static_cast<off_t>(at + have));
    if (got < 0 && errno == EINTR) continue;
    if (got > 0) {
      have += static_cast<std::size_t>(got);
      continue;
    }
    const std::string reason = got < 0 ? std::generic_category().message(errno) : "the file ends before";
    check_length();
    throw Error(ErrorKind::io, file_name_ + ": " + path_ + " cannot be read: " + reason);
  }
}

// HDF5 reads zeros behind the end of a file.
void Rows::check_length() const {
  if (fd_ < 0) return;
  const std::size_t now = bytes_of_file(fd_);
  if (now >= file_bytes_) return;
  throw Error(ErrorKind::data, file_name_ + ": was cut off while it was in use: it had " + std::to_string(file_bytes_) +
                                   " bytes when it was opened, and has " + std::to_string(now));
}

}  // namespace lockstep::h5
