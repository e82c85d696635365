// What the reading and the writing half of the HDF5 wrapper share: the lock, checked ids, finding objects.
// Private to src/io: only files here include <hdf5.h>.
#pragma once

#include <hdf5.h>

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/element_type.hpp"
#include "io/hdf5.hpp"
#include "lockstep/error.hpp"

namespace lockstep::h5 {

/// Holds HDF5 for this thread, since not every build of it is thread-safe, with its error printing off. Recursive. The
/// host program's own printing is put back, for it may use HDF5 too.
class Lock {
 public:
  Lock();
  ~Lock();
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  std::unique_lock<std::recursive_mutex> lock_;
  H5E_auto2_t printer_ = nullptr;
  void* printer_data_ = nullptr;
  bool restore_ = false;
};

/// The innermost message on HDF5's error stack.
[[nodiscard]] std::string last_error();

/// Throws `kind`: "NAME: what: HDF5's reason".
[[noreturn]] void fail(ErrorKind kind, const std::string& name, const std::string& what);

/// `id` as a Handle, or fail().
[[nodiscard]] Handle checked(hid_t id, ErrorKind kind, const std::string& name, const std::string& what);

/// A file name for HDF5's core driver, new at every call and never that of a file: the driver takes two open images of
/// one name for the same file, and looks on the disk first.
[[nodiscard]] std::string image_name();

/// A creation list of class `kind` whose object records no times.
[[nodiscard]] Handle without_times(hid_t kind, const std::string& name);

/// A link creation list that makes the groups on the way.
[[nodiscard]] Handle with_groups(const std::string& name);

/// "" and "/" are the root.
[[nodiscard]] std::string absolute(const std::string& path);

/// True when every link of `path` leads somewhere. `path` is absolute.
[[nodiscard]] bool reachable(hid_t file, const std::string& path);

/// Opens the object at absolute `path` of file `name`. Errors: data, telling what the nearest group holds instead.
[[nodiscard]] Handle open_object(hid_t file, const std::string& name, const std::string& path);

/// The same for a data set. Errors: data (something else is there).
[[nodiscard]] Handle open_dataset(hid_t file, const std::string& name, const std::string& path);

/// The shape of a chunk, [dims]; `created`: the properties of a data set in chunks. Errors: data (HDF5 1.10 divides by
/// a size of 0).
[[nodiscard]] std::vector<std::size_t> chunk_of(hid_t created, std::size_t dims, const std::string& name,
                                                const std::string& path);

/// Names in an open group, in alphabetical order.
[[nodiscard]] std::vector<std::string> names_in(hid_t group, const std::string& name);

/// HDF5's number type in memory.
[[nodiscard]] hid_t native(ElementType type);

/// Sets an attribute of the root; one that is there is replaced.
void write_root_attribute(hid_t file, const std::string& name, const std::string& attribute, std::string_view value);
void write_root_attribute(hid_t file, const std::string& name, const std::string& attribute, std::int64_t value);

/// The string in data set or attribute `id`, of type `type` in file `name`; `what` is for messages.
[[nodiscard]] std::string read_string(hid_t id, const std::string& name, const std::string& what);

/// The strings of a data set or attribute of one dimension; unset where it is something else.
[[nodiscard]] std::optional<std::vector<std::string>> read_strings(hid_t id, const std::string& name,
                                                                   const std::string& what);

}  // namespace lockstep::h5
