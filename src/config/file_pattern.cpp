#include "config/file_pattern.hpp"

#include <filesystem>
#include <set>
#include <span>
#include <system_error>

#include "core/folder_names.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

// One of the set of characters at the begin of `pattern`, which is behind "[" and is cut to what is behind "]".
// Without a "]" there is no set, and "[" is meant as it stands.
bool in_set(std::string_view& pattern, char c) {
  const bool inverted = !pattern.empty() && (pattern.front() == '!' || pattern.front() == '^');
  const std::size_t first = inverted ? 1 : 0;
  const std::size_t end = pattern.find(']', first + 1);  // a "]" that comes first is one of the set
  if (end == std::string_view::npos) return c == '[';
  const std::string_view set = pattern.substr(first, end - first);
  pattern.remove_prefix(end + 1);
  bool found = false;
  const auto code = static_cast<unsigned char>(c);
  for (std::size_t i = 0; i < set.size(); ++i) {
    const auto from = static_cast<unsigned char>(set[i]);
    if (i + 2 < set.size() && set[i + 1] == '-') {
      found |= from <= code && code <= static_cast<unsigned char>(set[i + 2]);
      i += 2;
    } else {
      found |= from == code;
    }
  }
  return found != inverted;
}

bool matches_here(std::string_view pattern, std::string_view name) {
  // The last * so far, and how much of the name it has taken: it takes more where the rest does not fit.
  std::string_view behind_star, at_star;
  bool star = false;
  while (!name.empty() || !pattern.empty()) {
    if (!pattern.empty() && pattern.front() == '*') {
      pattern.remove_prefix(1);
      behind_star = pattern;
      at_star = name;
      star = true;
      continue;
    }
    if (!pattern.empty() && !name.empty()) {
      const char sign = pattern.front();
      std::string_view rest = pattern.substr(1);
      const bool fits = sign == '?' || (sign == '[' ? in_set(rest, name.front()) : sign == name.front());
      if (fits) {
        pattern = rest;
        name.remove_prefix(1);
        continue;
      }
    }
    if (!star || at_star.empty()) return false;
    at_star.remove_prefix(1);
    pattern = behind_star;
    name = at_star;
  }
  return true;
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool is_data_file(const fs::path& path) {
  const std::string name = path.filename().string();
  if (name.starts_with('.') || is_folder(path)) return false;
  return name.ends_with(".h5") || name.ends_with(".hdf5") || name.ends_with(".nc");
}

template <class Visitor>
void visit_entries(const fs::path& folder, Visitor&& visit) {
  std::error_code error;
  for (const std::string& name : names_in(folder.empty() ? "." : folder.string(), error)) visit(folder / name);
}

using Paths = std::set<std::string>;  // in the order of their bytes

void expand(const fs::path& base, std::span<const std::string> parts, bool folders, Paths& found) {
  std::error_code ignored;
  if (parts.empty()) {
    if (!is_folder(base)) {
      found.insert(base.string());
    } else if (folders) {
      visit_entries(base, [&](const fs::path& path) {
        if (is_data_file(path)) found.insert(path.string());
      });
    }
    return;
  }
  const fs::path literal = base / parts.front();
  if (fs::exists(literal, ignored)) {
    expand(literal, parts.subspan(1), folders, found);
  } else if (parts.front() == "**") {
    expand(base, parts.subspan(1), folders, found);
    visit_entries(base, [&](const fs::path& path) {  // a link may lead back here
      if (is_folder(path) && !fs::is_symlink(path) && !path.filename().string().starts_with('.')) {
        expand(path, parts, folders, found);
      }
    });
  } else if (is_pattern(parts.front())) {
    visit_entries(base, [&](const fs::path& path) {
      if (matches(parts.front(), path.filename().string())) expand(path, parts.subspan(1), folders, found);
    });
  }
}

}  // namespace

bool is_pattern(std::string_view name) noexcept {
  return name.find_first_of("*?[") != std::string_view::npos;
}

bool matches(std::string_view pattern, std::string_view name) {
  const bool hidden = name.starts_with('.');
  return (!hidden || pattern.starts_with('.')) && matches_here(pattern, name);
}

std::vector<std::string> matching_files(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    if (end > begin) parts.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  Paths found;
  expand(path.starts_with('/') ? "/" : "", parts, path.ends_with('/') || is_folder(path), found);
  return {found.begin(), found.end()};
}

}  // namespace lockstep
