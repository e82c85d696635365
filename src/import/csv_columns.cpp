// Which column of a CSV table is what: header and options.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "import/csv_table.hpp"
#include "import/field_text.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostCategories = 1000;
constexpr std::size_t kMostClasses = 65536;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::config, what);
}

void check_name(const std::string& name, std::size_t column) {
  if (name.size() > 255) throw BadRow(fmt::format("the name of column {} has more than 255 bytes", column + 1), column);
  if (is_utf8(name) && name.find('\0') == std::string::npos) return;
  throw BadRow(fmt::format("the name of column {} is not UTF-8 text; convert the file first, for example with iconv -f "
                           "latin1 -t utf8",
                           column + 1),
               column);
}

}  // namespace

void ImportedTable::take_header() {
  std::vector<std::string> names = std::exchange(early_, {});
  header_wanted_ = false;
  if (!columns_.empty()) {  // of another file: the same as before
    for (std::size_t i = 0; i < std::max(names.size(), columns_.size()); ++i) {
      const std::string found = i < names.size() ? shown(names[i]) : "nothing";
      const std::string wanted = i < columns_.size() ? shown(columns_[i].name) : "nothing";
      if (found != wanted && !(found == "''" && wanted == shown(std::to_string(i + 1)))) {
        throw BadRow(fmt::format("column {} is {}; expected {}, as in the first file", i + 1, found, wanted), 0);
      }
    }
    return;
  }
  bool numbers = true;
  std::unordered_map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    check_name(names[i], i);
    double value = 0;
    numbers = numbers && parse_number(names[i], value) == NumberFault::none;
    const auto [place, fresh] = seen.emplace(names[i], i);
    if (!fresh && !names[i].empty()) {
      throw BadRow(fmt::format("columns {} and {} are both named {}; expected different names", place->second + 1,
                               i + 1, shown(names[i])),
                   i);
    }
  }
  if (numbers) throw BadRow("the first row holds numbers alone; for a table without column names give --no-header", 0);
  std::vector<std::size_t> unnamed;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!names[i].empty()) continue;
    names[i] = std::to_string(i + 1);
    unnamed.push_back(i);
    if (seen.count(names[i]) != 0) {
      throw BadRow(fmt::format("column {0} has no name, and another is named {0}", names[i]), i);
    }
  }
  take_names(std::move(names));
  for (const std::size_t i : unnamed) {
    if (columns_[i].role == ColumnRole::dropped || columns_[i].role == ColumnRole::open_target) continue;
    throw BadRow(fmt::format("column {0} has no name (row numbers, perhaps); give it one, or leave it out with --drop "
                             "{0}",
                             i + 1),
                 i);
  }
}

void ImportedTable::take_names(std::vector<std::string> names) {
  for (std::string& name : names) columns_.push_back({std::move(name)});
  assign_roles();
}

std::vector<std::size_t> ImportedTable::find_columns(const std::vector<std::string>& words, const char* option,
                                                     bool* automatic) const {
  std::vector<std::string_view> names;
  for (const CsvColumn& column : columns_) names.emplace_back(column.name);
  std::vector<std::size_t> found;
  const auto find = [&](std::string_view word) {
    const auto place = std::find(names.begin(), names.end(), word);
    if (place != names.end()) found.push_back(static_cast<std::size_t>(place - names.begin()));
    return place != names.end();
  };
  for (const std::string& word : words) {
    if (find(word)) continue;  // also a name with commas
    std::string_view rest = word;
    while (true) {
      const std::size_t comma = rest.find(',');
      const std::string_view part = rest.substr(0, comma);
      if (automatic != nullptr && part == "auto") {
        *automatic = true;
      } else if (!find(part)) {
        refuse(fmt::format("{}: {} is no column of {}; its columns are {}{}", option, shown(part), file_, listed(names),
                           hint_));
      }
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return found;
}

void ImportedTable::assign_roles() {
  bool automatic = false;
  const std::vector<std::size_t> targets = find_columns(options_.target, "--target");
  const std::vector<std::size_t> categorical = find_columns(options_.categorical, "--categorical", &automatic);
  const std::vector<std::size_t> dropped = find_columns(options_.drop, "--drop");
  if (targets.empty()) {
    std::vector<std::string_view> names;
    for (const CsvColumn& column : columns_) names.emplace_back(column.name);
    refuse(fmt::format("--target is needed: the column to predict; {} has {}{}", file_, listed(names), hint_));
  }
  std::vector<const char*> given(columns_.size(), nullptr);
  const auto assign = [&](const std::vector<std::size_t>& which, const char* option, ColumnRole role) {
    for (const std::size_t i : which) {
      if (given[i] != nullptr) {
        refuse(fmt::format("column {} is given by {} and by {}; expected once", shown(columns_[i].name), given[i],
                           option));
      }
      given[i] = option;
      columns_[i].role = role;
    }
  };
  if (automatic) {
    for (CsvColumn& column : columns_) column.role = ColumnRole::open_feature;
  }
  // Several targets are values: a sample has one class.
  const bool single = targets.size() == 1;
  if (!single && options_.task == TargetTask::classes) {
    refuse(fmt::format("--task classes takes one target, found {}", targets.size()));
  }
  assign(targets, "--target",
         options_.task == TargetTask::classes               ? ColumnRole::label
         : options_.task == TargetTask::automatic && single ? ColumnRole::open_target
                                                            : ColumnRole::value);
  assign(categorical, "--categorical", ColumnRole::category);
  assign(dropped, "--drop", ColumnRole::dropped);
  if (targets.size() + dropped.size() == columns_.size()) {
    refuse(fmt::format("{} has no columns beside its targets and those left out{}", file_, hint_));
  }
}

void ImportedTable::assign_slots() {
  std::size_t at = 0;
  for (CsvColumn& column : columns_) {
    if (column.role != ColumnRole::number && column.role != ColumnRole::category) continue;
    column.slot = at;
    at += sizeof(float);
    if (column.role == ColumnRole::category) column.categories = std::make_unique<Categories>(kMostCategories);
  }
  for (CsvColumn& column : columns_) {
    if (column.role == ColumnRole::label) {
      column.categories = std::make_unique<Categories>(kMostClasses);
      column.slot = at;
      at += sizeof(std::uint32_t);
    } else if (column.role == ColumnRole::value) {
      column.slot = at;
      at += sizeof(double);
      ++values_;
    }
  }
  row_.resize(at);
}

}  // namespace lockstep
