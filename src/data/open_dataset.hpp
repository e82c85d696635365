// A data set that is opened, not read: what its headers say, and readers of its rows, so that several processes can
// each read a part.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/column_names.hpp"
#include "core/element_type.hpp"
#include "core/range.hpp"
#include "lockstep/run_config.hpp"

namespace lockstep {

class TimeWindows;

/// One of the files whose rows follow each other in a joined table.
struct JoinedFile {
  std::string source;  ///< "FILE.h5:/group"
  Range rows;          ///< of the joined table
};
/// Shared by all that tell of the table; null: it is one file's.
using JoinedFiles = std::shared_ptr<const std::vector<JoinedFile>>;

/// A table of a file, as its header tells.
struct TableHeader {
  std::string name;  ///< for messages: "FILE.h5: /train/x", or the file of a pair
  ElementType type = ElementType::f32;
  std::size_t rows = 0;
  std::size_t columns = 0;              ///< the product of all dimensions behind the first
  std::vector<std::size_t> shape = {};  ///< [rows, ...]
  std::size_t chunk_rows = 1;   ///< rows that the file keeps together and that are read together, packed perhaps
  std::size_t chunk_bytes = 0;  ///< of them, unpacked; 0: each row is read for itself
  bool may_miss = false;        ///< of several targets: a NaN is one that is missing
  std::string units = {};       ///< attribute `units`, of NetCDF files; may be empty
  JoinedFiles files = {};

  [[nodiscard]] std::size_t row_bytes() const noexcept { return columns * bytes_of(type); }
  [[nodiscard]] std::size_t bytes() const noexcept { return rows * row_bytes(); }
};

class TableReader {
 public:
  virtual ~TableReader() = default;

  [[nodiscard]] const TableHeader& header() const noexcept { return header_; }
  /// What a user must know of the numbers, in sentences.
  [[nodiscard]] const std::vector<std::string>& notices() const noexcept { return notices_; }
  /// False where rows are reached only through all rows before them (gzip): one process had better read them all.
  [[nodiscard]] virtual bool seekable() const noexcept { return true; }
  /// A file, and where in it all rows lie just as read() gives them, one behind the other; unset: they do not, or it is
  /// not known.
  struct PlainRows {
    std::string file;
    std::size_t at = 0;  ///< [bytes] of the first row
  };
  [[nodiscard]] virtual std::optional<PlainRows> plain() const { return {}; }
  /// Rows `rows` into `out` [rows, columns], in the header's type and machine byte order.
  /// Errors: data (cut off, damaged, more than the header says), io.
  virtual void read(Range rows, std::span<std::byte> out) = 0;
  void let_miss(bool may_miss) noexcept { header_.may_miss = may_miss; }

 protected:
  TableHeader header_;
  std::vector<std::string> notices_;
};

struct OpenDataset {
  std::string source = {};  ///< as the run file names it
  std::unique_ptr<TableReader> x = {};
  std::unique_ptr<TableReader> y = {};
  std::unique_ptr<TableReader> w = {};        ///< weights of the samples, [n, 1]; null: there are none
  std::vector<std::string> class_names = {};  ///< from the file, may be empty
  ColumnNames columns = {};                   ///< likewise; as many as there are columns
  /// Of windows over time (data/time_windows.hpp): x row by row, and which rows are in which window. Null: x has rows.
  std::shared_ptr<TableReader> rows = {};
  std::shared_ptr<const TimeWindows> windows = {};
  /// Of the files behind it: equal texts, of equal length, in processes of one host that have opened the same.
  std::string identity = {};
  bool in_turn = false;  ///< some rows of x, y and w are best read before the next rows of any: one look gives all
};

/// Opens "FILE.h5:/group" (x, y and maybe w in that group) or a pair of files, IDX (plain or gzip) or .npy, and checks
/// all that can be without reading samples: equal lengths, at least one sample. Many files become one
/// (data/joined_table.hpp). Relative paths are looked up in `folders` in order, first hit. Local, no MPI. HDF5 files
/// are opened read-only with file locking off. Errors: data (missing, truncated or foreign file; missing data set; a
/// type that is not a number; mismatched lengths; no samples), naming file and data set; io (unreadable).
[[nodiscard]] OpenDataset open_dataset(const DataSource& source, std::span<const std::string> folders);

/// Its tables: x, y, w, those that are there.
[[nodiscard]] std::vector<TableReader*> tables_of(const OpenDataset& opened);
/// The same, but of windows over time x as it is stored, row by row.
[[nodiscard]] std::vector<TableReader*> stored_tables_of(const OpenDataset& opened);
/// Bytes of a row of all of them, of x a window's; of all rows, as they are stored.
[[nodiscard]] std::size_t row_bytes_of(const OpenDataset& opened);
[[nodiscard]] std::size_t bytes_of(const OpenDataset& opened);

/// What its readers have to tell, x first.
[[nodiscard]] std::vector<std::string> notices_of(const OpenDataset& opened);

/// Opens samples without answers, y stays null: x of "FILE.h5:/group", or an IDX (plain or gzip) or .npy file; or many
/// of them. Local, no MPI. Errors: those of open_dataset.
[[nodiscard]] OpenDataset open_samples(const DataSource& source);

}  // namespace lockstep
