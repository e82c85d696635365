#include "core/folder_names.hpp"

#include <dirent.h>

#include <cerrno>
#include <memory>

namespace lockstep {

std::vector<std::string> names_in(const std::string& folder, std::error_code& error) {
  error.clear();
  const std::unique_ptr<DIR, void (*)(DIR*)> entries(::opendir(folder.c_str()), [](DIR* open) { ::closedir(open); });
  std::vector<std::string> names;
  if (!entries) {
    error = std::error_code(errno, std::generic_category());
    return names;
  }
  while (true) {
    errno = 0;
    const dirent* const entry = ::readdir(entries.get());
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  if (errno == 0) return names;
  error = std::error_code(errno, std::generic_category());
  return {};
}

}  // namespace lockstep
