// Data put into the order of other data, by names: of features, categories, targets and classes.
//
// Readers of the rows do it, so that all that is behind them (memory, streams, fingerprints, nets) meets the other
// data's columns and labels. Where one of the two does not name a thing, it is taken as it stands.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/column_names.hpp"
#include "core/range.hpp"
#include "data/open_dataset.hpp"

namespace lockstep {

/// Names that data has to have.
struct KnownNames {
  std::string source = {};                ///< whose they are, for messages
  ColumnNames columns = {};               ///< of what a net was trained on
  std::vector<std::string> classes = {};  ///< of labels; empty: not known, or the targets are no classes
};

/// A categorical column in which data may have texts that are not known: all of its features are 0 there.
struct UnknownCategories {
  std::string column;
  std::vector<std::string> texts;
  std::vector<std::size_t> places;  ///< columns of the file's x
};

/// What there is to tell of data that was matched.
struct NameMatch {
  std::vector<std::string> notices = {};
  std::vector<UnknownCategories> unknown = {};
  std::shared_ptr<TableReader> x = {};  ///< as it lies in the file; where some categories are unknown
};

/// Replaces the readers and names of `data` so that they are those of `known`, where both name them. y may be null.
/// Local. Errors: data, listing what is missing and what is not known.
[[nodiscard]] NameMatch match_names(OpenDataset& data, const KnownNames& known);

/// Columns `places` of another table, in that order.
[[nodiscard]] std::unique_ptr<TableReader> choose_columns(std::shared_ptr<TableReader> table,
                                                          std::vector<std::size_t> places);

/// How many of rows `rows` have an unknown category, for each of match.unknown. Reads them, some megabytes at a time,
/// and calls `alive` after each. Local. Errors: data, io.
[[nodiscard]] std::vector<std::int64_t> count_unknown(const NameMatch& match, Range rows,
                                                      const std::function<void()>& alive);

}  // namespace lockstep
