#include "data/variables.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "config/data_place.hpp"
#include "data/column_table.hpp"
#include "data/readers.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::string last_of(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

// The least of these names that tells all variables apart.
std::vector<std::string> names_of(const std::vector<std::string>& texts) {
  std::vector<std::string> names;
  for (const auto& shorten : {+[](const std::string& text) {
                                const DataPlace place = find_place(text);
                                return last_of(place.group.empty() ? place.file : place.group);
                              },
                              +[](const std::string& text) {
                                const DataPlace place = find_place(text);
                                return place.group.empty() ? place.file : place.group.substr(1);
                              }}) {
    names.clear();
    std::ranges::transform(texts, std::back_inserter(names), shorten);
    if (std::set<std::string>(names.begin(), names.end()).size() == names.size()) return names;
  }
  return texts;
}

}  // namespace

std::shared_ptr<const h5::File> Variables::file(const std::string& path) {
  std::shared_ptr<const h5::File>& file = files_[path];
  if (!file) file = std::make_shared<const h5::File>(h5::File::open(path));
  return file;
}

std::unique_ptr<TableReader> Variables::open_one(const std::string& text) {
  const DataPlace place = find_place(text);
  if (place.group.empty()) {
    if (!is_hdf5(place.file)) return open_table(place.file);
    throw Error(ErrorKind::data, fmt::format("{} is an HDF5 file; name the data set in it, \"{}:/NAME\": it holds {}",
                                             text, text, fmt::join(file(place.file)->children("/"), ", ")));
  }
  if (is_one_of_a_pair(place.file)) {
    throw Error(ErrorKind::data,
                fmt::format("{}: {} is no HDF5 file and has no groups; give its name alone", text, place.file));
  }
  const std::shared_ptr<const h5::File> opened = file(place.file);
  if (opened->exists(place.group) && opened->is_group(place.group)) {
    throw Error(ErrorKind::data, fmt::format("{} is a group; name a data set in it: it holds {}", text,
                                             fmt::join(opened->children(place.group), ", ")));
  }
  return open_hdf5_table(opened, place.group);
}

std::unique_ptr<TableReader> Variables::open(const std::string& first, const std::vector<std::string>& more, bool named,
                                             std::vector<std::string>& names) {
  std::vector<std::string> texts{first};
  texts.insert(texts.end(), more.begin(), more.end());
  const std::vector<std::string> variables = named ? names_of(texts) : std::vector<std::string>{};
  std::vector<std::unique_ptr<TableReader>> tables;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const TableHeader& header = tables.emplace_back(open_one(texts[i]))->header();
    if (header.columns == 0) throw Error(ErrorKind::data, header.name + " has rows without numbers");
    if (!named) continue;
    const std::vector<std::string> columns = column_names(variables[i], header);
    names.insert(names.end(), columns.begin(), columns.end());
  }
  return beside(std::move(tables));
}

std::vector<std::string> Variables::names_beside(const std::string& text, const std::string& attribute,
                                                 std::size_t columns) {
  const DataPlace place = find_place(text);
  if (place.group.empty()) return {};
  const std::size_t slash = place.group.find_last_of('/');
  std::vector<std::string> names =
      read_names(*file(place.file), slash == 0 ? "/" : place.group.substr(0, slash), attribute);
  if (columns != 0 && names.size() != columns) names.clear();
  return names;
}

}  // namespace lockstep
