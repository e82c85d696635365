#include "config/data_place.hpp"

#include <filesystem>
#include <optional>

#include "config/file_pattern.hpp"

namespace lockstep {
namespace {

// Whether a file is there; or many, by the name of a folder or a pattern.
bool is_there(const std::string& path, bool many) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return many;
  return many ? is_pattern(path) && !matching_files(path).empty() : std::filesystem::exists(path, ignored);
}

// A file, or many, with the first of the folders that has it.
std::optional<std::string> find_in(std::span<const std::string> folders, const std::string& file, bool many) {
  if (folders.empty() || std::filesystem::path(file).is_absolute()) {
    return is_there(file, many) ? std::optional(file) : std::nullopt;
  }
  for (const std::string& folder : folders) {
    const std::string path = (std::filesystem::path(folder) / file).string();
    if (is_there(path, many)) return path;
  }
  return {};
}

}  // namespace

DataPlace find_place(const std::string& text, std::span<const std::string> folders) {
  const auto before = [&](std::size_t end) {  // the ":/" before, and a file in front of it
    const std::size_t colon = end == 0 ? 0 : text.rfind(":/", end - 1);
    return colon == std::string::npos ? 0 : colon;
  };
  const std::size_t last = before(text.size());
  for (const bool many : {false, true}) {
    if (auto file = find_in(folders, text, many)) return {.file = *std::move(file), .many = many};
    for (std::size_t colon = last; colon != 0; colon = before(colon)) {
      if (auto file = find_in(folders, text.substr(0, colon), many)) {
        return {.file = *std::move(file), .group = text.substr(colon + 1), .many = many};
      }
    }
  }
  if (last == 0) return {.file = text, .found = false};
  return {.file = text.substr(0, last), .group = text.substr(last + 1), .found = false};
}

}  // namespace lockstep
