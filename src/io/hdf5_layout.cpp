#include "io/hdf5_layout.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "io/hdf5_call.hpp"

namespace lockstep::h5 {
namespace {

/// A file in memory that takes no memory where nothing is written.
class SparseMemory {
 public:
  explicit SparseMemory(const std::string& name) : fd_(::memfd_create("lockstep", MFD_CLOEXEC)), name_(name) {
    if (fd_ < 0) fail_with("no file in memory can be made");
  }
  SparseMemory(const SparseMemory&) = delete;
  SparseMemory& operator=(const SparseMemory&) = delete;
  ~SparseMemory() { ::close(fd_); }

  /// Throws where a file must not have `bytes`: HDF5 crashes at its end when it is told so.
  void try_size(std::size_t bytes) const {
    if (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) fail_with("a file of that size cannot be made");
  }
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }
  [[nodiscard]] std::size_t size() const {
    struct stat status {};
    if (::fstat(fd_, &status) != 0) fail_with("its plan cannot be read");
    return static_cast<std::size_t>(status.st_size);
  }
  void read(std::size_t offset, std::span<std::byte> out) const {
    while (!out.empty()) {
      const ssize_t got = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
      if (got <= 0) fail_with("its plan cannot be read");
      offset += static_cast<std::size_t>(got);
      out = out.subspan(static_cast<std::size_t>(got));
    }
  }

 private:
  [[noreturn]] void fail_with(const char* what) const {
    throw Error(ErrorKind::io, name_ + ": " + what + ": " + std::generic_category().message(errno));
  }
  int fd_;
  const std::string& name_;
};

std::size_t bytes_in(const PlannedTable& table, const std::string& name) {
  std::size_t bytes = bytes_of(table.type);
  for (const std::size_t dim : table.shape) {
    if (dim == 0 || __builtin_mul_overflow(bytes, dim, &bytes) || bytes >> 62U != 0) {
      throw Error(ErrorKind::usage, name + ": " + table.path + " has no elements, or more than a file can hold");
    }
  }
  return bytes;
}

/// Makes the data set; returns where its numbers lie.
std::size_t add_table(hid_t file, const PlannedTable& table, const std::string& name) {
  const Handle links = with_groups(name);
  const Handle made = without_times(H5P_DATASET_CREATE, name);
  // Room at once, which nobody fills: else there is no place yet, or all of it in memory.
  if (H5Pset_alloc_time(made.get(), H5D_ALLOC_TIME_EARLY) < 0 ||
      H5Pset_fill_time(made.get(), H5D_FILL_TIME_NEVER) < 0) {
    fail(ErrorKind::internal, name, "HDF5 property list");
  }
  const std::vector<hsize_t> dims(table.shape.begin(), table.shape.end());
  const Handle space = checked(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), ErrorKind::io,
                               name, table.path + ": shape");
  const Handle dataset = checked(
      H5Dcreate2(file, table.path.c_str(), native(table.type), space.get(), links.get(), made.get(), H5P_DEFAULT),
      ErrorKind::io, name, table.path + " cannot be made");
  const haddr_t offset = H5Dget_offset(dataset.get());
  if (offset == HADDR_UNDEF) fail(ErrorKind::internal, name, table.path + " got no place in the file");
  return offset;
}

}  // namespace

Layout plan_file(const std::string& name, std::span<const PlannedTable> tables,
                 std::span<const PlannedAttribute> attributes) {
  const Lock lock;
  const SparseMemory memory(name);
  Layout layout;
  std::vector<std::pair<std::size_t, std::size_t>> numbers;  // offset and bytes of each table
  std::size_t most = std::size_t{1} << 20U;                  // bytes of the file, generously
  for (const PlannedTable& table : tables) most += bytes_in(table, name) + (std::size_t{1} << 16U);
  for (const PlannedAttribute& attribute : attributes) {
    const auto* text = std::get_if<std::string>(&attribute.value);
    most += 2 * (text == nullptr ? 0 : text->size()) + (std::size_t{1} << 16U);
  }
  memory.try_size(most);
  {
    const Handle access = checked(H5Pcreate(H5P_FILE_ACCESS), ErrorKind::internal, name, "HDF5 property list");
    H5Pset_fapl_stdio(access.get());  // the other drivers ask for the file's path, and it has none
    H5Pset_file_locking(access.get(), false, true);
    H5Pset_alignment(access.get(), 1U << 16U, 1U << 12U);  // tables begin on a page
    const Handle created = without_times(H5P_FILE_CREATE, name);
    Handle handle = checked(H5Fcreate(memory.path().c_str(), H5F_ACC_TRUNC, created.get(), access.get()), ErrorKind::io,
                            name, "cannot be laid out in memory");
    const hid_t file = handle.get();
    for (const PlannedTable& table : tables) {
      const std::size_t bytes = bytes_in(table, name);
      layout.offsets.push_back(add_table(file, table, name));
      numbers.emplace_back(layout.offsets.back(), bytes);
    }
    for (const PlannedAttribute& attribute : attributes) {
      std::visit([&](const auto& value) { write_root_attribute(file, name, attribute.name, value); }, attribute.value);
    }
    if (H5Fclose(handle.release()) < 0) fail(ErrorKind::io, name, "cannot be laid out in memory");
  }
  layout.file_bytes = memory.size();
  std::sort(numbers.begin(), numbers.end());
  numbers.emplace_back(layout.file_bytes, 0);
  std::size_t at = 0;
  for (const auto& [offset, bytes] : numbers) {
    if (offset > at) {
      std::vector<std::byte> between(offset - at);
      memory.read(at, between);
      layout.rest.push_back({at, std::move(between)});
    }
    at = offset + bytes;
  }
  return layout;
}

}  // namespace lockstep::h5
