#include "data/file_list.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "config/data_place.hpp"
#include "config/file_pattern.hpp"
#include "core/hash.hpp"
#include "io/files.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::string joined(const std::string& first, const std::vector<std::string>& more) {
  constexpr std::size_t most = 3;
  if (more.empty()) return first;
  std::vector<std::string> all{first};
  all.insert(all.end(), more.begin(), more.end());
  const std::size_t left = all.size() <= most ? 0 : all.size() - 2;
  all.resize(all.size() - left);
  return fmt::format("{}{}", fmt::join(all, ", "), left == 0 ? "" : fmt::format(" and {} more", left));
}

std::string find_file(const std::string& file, std::span<const std::string> folders) {
  const std::filesystem::path path(file);
  if (path.is_absolute() || folders.empty()) return file;
  std::string tried;
  for (const std::string& folder : folders) {
    const std::filesystem::path candidate = std::filesystem::path(folder) / path;
    std::error_code code;
    if (std::filesystem::exists(candidate, code)) return candidate.string();
    tried += (tried.empty() ? "" : ", ") + candidate.string();
  }
  throw Error(ErrorKind::data, file + ": no such file; looked for " + tried);
}

// What one name means.
std::vector<DataPlace> places_of(const std::string& text, std::span<const std::string> folders) {
  DataPlace place = find_place(text, folders);
  if (!place.many) {
    if (!place.found) place.file = find_file(place.file, folders);
    if (!place.found && is_pattern(place.file)) throw Error(ErrorKind::data, "no file matches " + place.file);
    return {std::move(place)};
  }
  std::vector<DataPlace> places;
  for (std::string& file : matching_files(place.file)) places.push_back({std::move(file), place.group});
  if (places.empty()) {
    throw Error(ErrorKind::data, fmt::format("{} is a folder without files that end in .h5, .hdf5 or .nc; name the "
                                             "files by a pattern, as {}/*",
                                             place.file, place.file.substr(0, place.file.find_last_not_of('/') + 1)));
  }
  return places;
}

std::vector<DataPlace> places_of(const std::string& first, const std::vector<std::string>& more,
                                 std::span<const std::string> folders) {
  std::vector<DataPlace> places = places_of(first, folders);
  for (const std::string& text : more) {
    std::vector<DataPlace> others = places_of(text, folders);
    std::ranges::move(others, std::back_inserter(places));
  }
  return places;
}

// Samples would be there twice: links and other names of a file too.
void refuse_twice(std::span<const DataPlace> places, const std::string& source) {
  if (places.size() < 2) return;
  std::map<std::pair<std::string, std::string>, std::string> seen;
  for (const DataPlace& place : places) {
    std::error_code error;
    const std::filesystem::path file = std::filesystem::weakly_canonical(place.file, error);
    const auto [known, is_new] = seen.emplace(std::pair{file.string(), place.group}, place.file);
    if (is_new) continue;
    throw Error(ErrorKind::data,
                known->second == place.file
                    ? fmt::format("{}: {} is named twice; its samples would count twice", source, place.text())
                    : fmt::format("{}: {} and {} are one file; its samples would count twice", source, known->second,
                                  place.file));
  }
}

}  // namespace

std::string source_text(const DataSource& source) {
  if (source.y.empty() && source.more_x.empty()) return joined(source.x, source.more);
  const std::string x = joined(source.x, source.more_x);
  return source.y.empty() ? x : x + ", " + joined(source.y, source.more_y);
}

std::string identity_of(const DataSource& file) {
  Hash hash;
  const auto add = [&](const std::string& text) {
    if (!text.empty()) hash.text(file_identity(find_place(text).file));
  };
  add(file.x);
  for (const std::string& text : file.more_x) add(text);
  add(file.y);
  for (const std::string& text : file.more_y) add(text);
  return hash.hex();
}

std::vector<DataSource> list_files(const DataSource& source, std::span<const std::string> folders) {
  const std::string name = source_text(source);
  std::vector<DataSource> files;
  if (source.y.empty() && source.more_x.empty()) {
    const std::vector<DataPlace> places = places_of(source.x, source.more, folders);
    refuse_twice(places, name);
    for (const DataPlace& place : places) files.push_back({place.text()});
    return files;
  }
  // Each variable has its files: the first of each make the first source, and so on.
  const auto add = [&](const std::string& text, auto&& put) {
    const std::vector<DataPlace> places = places_of(text, folders);
    refuse_twice(places, name);
    if (files.empty()) files.resize(places.size());
    if (places.size() != files.size()) {
      throw Error(ErrorKind::data, fmt::format("{}: {} files are of {}, {} of {}; expected as many, the first of each "
                                               "belonging together, and so on",
                                               name, files.size(), source.x, places.size(), text));
    }
    for (std::size_t i = 0; i < files.size(); ++i) put(files[i], places[i].text());
  };
  add(source.x, [](DataSource& file, std::string text) { file.x = std::move(text); });
  for (const std::string& text : source.more_x) {
    add(text, [](DataSource& file, std::string place) { file.more_x.push_back(std::move(place)); });
  }
  if (!source.y.empty()) add(source.y, [](DataSource& file, std::string text) { file.y = std::move(text); });
  for (const std::string& text : source.more_y) {
    add(text, [](DataSource& file, std::string place) { file.more_y.push_back(std::move(place)); });
  }
  return files;
}

}  // namespace lockstep
