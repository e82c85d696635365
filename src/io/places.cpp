#include "io/places.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <system_error>

#include "lockstep/error.hpp"

namespace lockstep {

namespace fs = std::filesystem;

fs::path follow_links(const fs::path& path) {
  constexpr int kMostLinks = 40;  // as Linux
  fs::path place = path;
  for (int links = 0; links < kMostLinks; ++links) {
    std::error_code error;
    if (!fs::is_symlink(fs::symlink_status(place, error))) return place;
    const fs::path target = fs::read_symlink(place, error);
    if (error) throw Error(ErrorKind::io, place.string() + ": the link cannot be read: " + error.message());
    place = target.is_absolute() ? target : place.parent_path() / target;
  }
  throw Error(ErrorKind::io, path.string() + ": too many links, one to the next");
}

void make_folders(const fs::path& folder) {
  std::error_code error;
  if (folder.empty() || fs::is_directory(folder, error)) return;
  const fs::path place = follow_links(folder.has_filename() ? folder : folder.parent_path());  // without a last slash
  if (place.has_parent_path() && place.parent_path() != place) make_folders(place.parent_path());
  fs::create_directory(place, error);
  if (error) throw Error(ErrorKind::io, "cannot make the folder " + folder.string() + ": " + error.message());
}

std::string other_than_file(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) return "";
  if (S_ISDIR(status.st_mode)) return "a folder";
  if (S_ISFIFO(status.st_mode)) return "a pipe";
  if (S_ISSOCK(status.st_mode)) return "a socket";
  return "a device";
}

void remove_linked_file(const fs::path& path) noexcept {
  try {
    std::error_code ignored;
    const fs::path place = follow_links(path);
    if (!fs::is_directory(place, ignored)) fs::remove(place, ignored);
  } catch (const std::exception&) {  // a circle of links leads to no file
    return;
  }
}

}  // namespace lockstep
