// What each file of joined ones is recognised by, so that a resume can say which of them has changed.
//
// It is the sum, modulo 2^64, of a hash of each of the file's rows of x, y and w, with its table and its number in the
// file: so several processes can each add some rows, in any order. The fingerprint of the data set decides whether data
// is the same; this only tells where it is not.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "data/open_dataset.hpp"

namespace lockstep {

class FilePrints {
 public:
  /// `files` may be null: then there is nothing to add up.
  explicit FilePrints(JoinedFiles files) : files_(std::move(files)), sums_(files_ ? files_->size() : 0) {}

  /// Adds rows of table `table`: 0 is x, 1 is y, and so on. `first` is the joined number of the first.
  void add(std::size_t table, const Table& rows, std::size_t first);

  /// The sums as words whose sums over at most 2^31 processes are those of all [2 * files].
  [[nodiscard]] std::vector<std::int64_t> words() const;
  /// "ROWS PRINT NAME" for each file, of the words of all processes. Names are without the folder that all files have.
  [[nodiscard]] std::vector<std::string> texts(std::span<const std::int64_t> words) const;

 private:
  JoinedFiles files_;
  std::vector<std::uint64_t> sums_;  // [files]
};

/// What is unlike in two lists of such texts: "missing: b.h5; added: c.h5; changed: a.h5 (100 rows, now 120)". Empty:
/// nothing, or one of the lists is empty.
[[nodiscard]] std::string changed_files(std::span<const std::string> before, std::span<const std::string> now);

}  // namespace lockstep
