#include "config/data_place.hpp"

#include <filesystem>
#include <optional>

namespace lockstep {
namespace {

// A file, with the first of the folders that has it.
std::optional<std::string> find_file(const std::string& file, std::span<const std::string> folders) {
  const auto is_there = [](const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored) && !std::filesystem::is_directory(path, ignored);
  };
  if (folders.empty() || std::filesystem::path(file).is_absolute()) {
    return is_there(file) ? std::optional(file) : std::nullopt;
  }
  for (const std::string& folder : folders) {
    const std::filesystem::path path = std::filesystem::path(folder) / file;
    if (is_there(path)) return path.string();
  }
  return {};
}

}  // namespace

DataPlace find_place(const std::string& text, std::span<const std::string> folders) {
  if (auto file = find_file(text, folders)) return {.file = *std::move(file)};
  const auto before = [&](std::size_t end) {  // the ":/" before, and a file in front of it
    const std::size_t colon = end == 0 ? 0 : text.rfind(":/", end - 1);
    return colon == std::string::npos ? 0 : colon;
  };
  const std::size_t last = before(text.size());
  for (std::size_t colon = last; colon != 0; colon = before(colon)) {
    if (auto file = find_file(text.substr(0, colon), folders)) {
      return {.file = *std::move(file), .group = text.substr(colon + 1)};
    }
  }
  if (last == 0) return {.file = text, .found = false};
  return {.file = text.substr(0, last), .group = text.substr(last + 1), .found = false};
}

}  // namespace lockstep
