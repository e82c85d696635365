// RAII over HDF5's C API.
//
// HDF5 is used from one thread at a time: every function here takes one process-wide lock, and HDF5's own error
// printing is off while it is held. A failed call throws with the innermost message of HDF5's error stack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/element_type.hpp"
#include "core/range.hpp"

namespace lockstep::h5 {

/// Owner of any hid_t. Move-only; closes in its destructor, which never throws.
class Handle {
 public:
  Handle() = default;
  explicit Handle(std::int64_t id) noexcept : id_(id) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  Handle& operator=(Handle&& other) noexcept;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle();
  [[nodiscard]] std::int64_t get() const noexcept { return id_; }
  /// Gives the id up to someone who closes it.
  [[nodiscard]] std::int64_t release() noexcept { return std::exchange(id_, -1); }

 private:
  void close() noexcept;
  std::int64_t id_ = -1;
};

/// Shape and type of a data set.
struct DatasetInfo {
  std::optional<ElementType> type;  ///< that it is read as (half precision as float32); unset: not a plain number
  std::vector<std::size_t> shape;
};

/// The numbers of an attribute; of 64-bit integers too all digits are there.
struct AttributeNumbers {
  bool integers = false;
  std::vector<long double> values = {};
};

/// How a data set lies in its file.
struct DatasetStorage {
  std::vector<std::size_t> chunk = {};    ///< shape of a chunk; empty: not chunked
  std::vector<std::string> filters = {};  ///< "deflate", "shuffle", ..., in the order they are applied
  std::size_t bytes = 0;                  ///< taken in the file
};

class File;

/// A data set that is kept open to read rows of it, in any order. What a file keeps in chunks stays in HDF5's cache, up
/// to a row of them, so that rows of the same chunks that are read one after the other are not unpacked twice.
class Rows {
 public:
  /// `file` must outlive it. Errors: data (see File::info; chunks of no size).
  Rows(const File& file, const std::string& path);

  [[nodiscard]] const DatasetInfo& info() const noexcept { return info_; }
  /// Rows that lie in the same chunks; 1 where there are none.
  [[nodiscard]] std::size_t chunk_rows() const noexcept { return chunk_rows_; }
  /// Bytes of the chunks of a row, all of which are read for it; 0 where there are none.
  [[nodiscard]] std::size_t chunk_bytes() const noexcept { return chunk_bytes_; }
  /// What of it was never written, and is read as its fill value; empty: nothing is known of such.
  [[nodiscard]] const std::string& unwritten() const noexcept { return unwritten_; }
  /// Where the first row lies in the file, where all rows lie there just as they are read, one behind the other, and
  /// the file is the one that was opened, not one behind an external link.
  [[nodiscard]] std::optional<std::size_t> plain_at() const noexcept { return own_file_ ? plain_at_ : std::nullopt; }
  /// Reads rows `rows`, which count along the first dimension, in the type of info() and machine byte order.
  /// Does not hold HDF5's lock where the rows lie in the file as they are, so that a slow disk keeps nobody else from
  /// HDF5. Errors: data (damaged; the file has become shorter since it was opened), io, usage.
  void read(Range rows, std::span<std::byte> out) const;

 private:
  void look_at_layout(std::int64_t dataset);
  void look_at_gaps(std::int64_t dataset, std::int64_t created);
  void read_by_descriptor(std::size_t at, std::span<std::byte> out) const;
  void check_length() const;

  std::string file_name_;
  std::string path_;
  DatasetInfo info_;
  std::size_t chunk_rows_ = 1;
  std::size_t chunk_bytes_ = 0;
  std::string unwritten_;
  int fd_ = -1;            // HDF5's own, of the file that the data set lies in, be it behind an external link; -1: none
  bool own_file_ = false;  // that file is the one that was opened
  std::size_t file_bytes_ = 0;           // when it was opened
  std::optional<std::size_t> plain_at_;  // where the numbers lie in the file just as they are read; unset: they do not
  Handle dataset_;
};

/// The bytes of a file that was built in memory. HDF5 knows nothing of them any more.
class FileImage {
 public:
  /// Takes over `memory`, which malloc gave.
  FileImage(void* memory, std::size_t size) noexcept : memory_(memory), size_(size) {}
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {static_cast<const std::byte*>(memory_.get()), size_};
  }

 private:
  struct Free {
    void operator()(void* memory) const noexcept { std::free(memory); }
  };
  std::unique_ptr<void, Free> memory_;
  std::size_t size_;
};

/// A file open for reading, or one being built in memory.
/// Paths inside are absolute or relative to the root; attributes belong to the object at `path`.
/// Errors: data (what is missing or has another type or shape than asked, naming file and path), io.
class File {
 public:
  File(File&&) noexcept = default;
  File& operator=(File&&) = delete;  // members would go in the wrong order
  ~File() = default;

  /// Opens read-only, with HDF5 file locking off. Errors: data (missing, truncated, not HDF5).
  [[nodiscard]] static File open(const std::string& path);
  /// Opens a file image in memory (HDF5's core driver); `name` is for messages. The bytes are copied.
  [[nodiscard]] static File open_image(std::span<const std::byte> image, const std::string& name);
  /// An empty file in memory, to be written and then taken by take_image(). Memory for `expected_bytes` is taken at
  /// once; beyond that it grows.
  [[nodiscard]] static File create_image(const std::string& name, std::size_t expected_bytes = 0);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] bool exists(const std::string& path) const;
  [[nodiscard]] bool is_group(const std::string& path) const;
  /// Names in a group, in alphabetical order.
  [[nodiscard]] std::vector<std::string> children(const std::string& path) const;

  /// Shape and type, checked: a data set that claims more bytes than its storage can hold is refused here, so the shape
  /// may be allocated. A null data space has shape {0}.
  [[nodiscard]] DatasetInfo info(const std::string& path) const;
  /// What a data set without a type of ours holds and what to do: "holds texts, a run needs numbers; ...".
  [[nodiscard]] std::string what_else(const std::string& path) const;
  [[nodiscard]] DatasetStorage storage(const std::string& path) const;
  /// Reads all elements, converted to the type of the span (HDF5 converts). Element counts must agree. Integers are
  /// read from integer types only.
  void read(const std::string& path, std::span<float> out) const;
  void read(const std::string& path, std::span<double> out) const;
  void read(const std::string& path, std::span<std::int64_t> out) const;
  /// One string, of fixed or variable length.
  [[nodiscard]] std::string read_text(const std::string& path) const;

  /// Whether the object has any attribute. False where nothing is at `path`.
  [[nodiscard]] bool has_attributes(const std::string& path) const;
  [[nodiscard]] bool has_attribute(const std::string& path, const std::string& name) const;
  [[nodiscard]] std::string text_attribute(const std::string& path, const std::string& name) const;
  /// A list of texts, an array of one dimension; unset where the attribute is something else, one text say.
  [[nodiscard]] std::optional<std::vector<std::string>> text_list_attribute(const std::string& path,
                                                                            const std::string& name) const;
  /// Numbers of any shape.
  [[nodiscard]] AttributeNumbers numbers_attribute(const std::string& path, const std::string& name) const;
  [[nodiscard]] std::int64_t integer_attribute(const std::string& path, const std::string& name) const;
  [[nodiscard]] double number_attribute(const std::string& path, const std::string& name) const;

  // Writing; groups on the way are made, times are not recorded: equal contents are equal bytes. An attribute that is
  // there is replaced; it holds less than 64 KiB. A text that ends in NULs is read back without them.
  void make_group(const std::string& path);
  void write(const std::string& path, std::span<const std::size_t> shape, std::span<const float> values);
  void write(const std::string& path, std::span<const std::size_t> shape, std::span<const double> values);
  void write(const std::string& path, std::span<const std::size_t> shape, std::span<const std::int64_t> values);
  void write_text(const std::string& path, std::string_view text);
  void set_attribute(const std::string& path, const std::string& name, std::string_view value);
  void set_attribute(const std::string& path, const std::string& name, std::int64_t value);
  void set_attribute(const std::string& path, const std::string& name, double value);

  /// Closes a file that create_image made and gives out its bytes, without a copy.
  [[nodiscard]] FileImage take_image() &&;

 private:
  friend class Rows;
  struct Memory;  // of an image that is being built
  void read_bytes(const std::string& path, ElementType type, std::span<std::byte> out) const;

  File(Handle file, std::string name) : file_(std::move(file)), name_(std::move(name)) {}
  Handle access_;  // of an image that is being built: the driver uses the list's pointer to memory_, so it goes last
  Handle file_;
  std::string name_;
  std::shared_ptr<Memory> memory_;  // shared with HDF5's driver
};

[[nodiscard]] std::string library_version();

}  // namespace lockstep::h5
