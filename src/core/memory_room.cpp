#include "core/memory_room.hpp"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include "core/byte_size.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max() / 4;

std::size_t minus(std::size_t a, std::size_t b) {
  return a > b ? a - b : 0;
}

std::optional<std::size_t> number_of(std::string_view text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data()) return {};
  return number;
}

// The number that a file holds; unset where it holds none: "max", say, or is not there.
std::optional<std::size_t> number_in(const std::string& path) {
  std::string word;
  std::ifstream(path) >> word;
  return number_of(word);
}

// The number behind `name` in a file of lines "name number ..."; 0 where it is not there.
std::size_t entry_in(const std::string& path, std::string_view name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    std::size_t number = 0;
    if (words >> word >> number && word == name) return number;
  }
  return 0;
}

std::optional<MemoryLimit> of_machine(const std::string& root, std::size_t swap) {
  const std::string path = "/proc/meminfo";
  const std::size_t available = entry_in(root + path, "MemAvailable:") * 1024;
  if (available == 0) return {};
  return MemoryLimit{.name = path, .room = available + swap};
}

// Where control groups are told of: a line of /proc/self/mountinfo,
// "36 35 98:0 /group /sys/fs/cgroup/memory rw ... - cgroup cgroup rw,memory".
struct Mount {
  std::string group;  // that lies at its place
  std::string place;
};

std::optional<Mount> find_mount(const std::string& root, bool second) {
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line.substr(0, dash));
    std::istringstream behind(line.substr(dash + 3));
    std::string ignored;
    std::string type;
    std::string options;
    Mount mount;
    before >> ignored >> ignored >> ignored >> mount.group >> mount.place;
    behind >> type >> ignored >> options;
    const bool of_memory = ("," + options + ",").find(",memory,") != std::string::npos;
    if (second ? type == "cgroup2" : type == "cgroup" && of_memory) return mount;
  }
  return {};
}

// The group of this process: of a line "0::/path", or of "4:memory:/path" (version 1).
std::optional<std::string> find_group(const std::string& root, bool second) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t last = first == std::string::npos ? first : line.find(':', first + 1);
    if (last == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, last - first - 1) + ",";
    if (second ? line.starts_with("0::") : controllers.find(",memory,") != std::string::npos)
      return line.substr(last + 1);
  }
  return {};
}

// Files of a group: what it may have, what it has, and what of that would be given back.
struct Names {
  const char* most;
  const char* used;
  const char* prefix;  // of the entries of memory.stat that count the groups below too
};
constexpr Names kFirst{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_"};
constexpr Names kSecond{"memory.max", "memory.current", ""};

std::size_t reclaimable(const std::string& folder, const std::string& prefix) {
  std::size_t bytes = 0;
  for (const char* entry : {"inactive_file", "active_file", "slab_reclaimable"})
    bytes += entry_in(folder + "/memory.stat", prefix + entry);
  return bytes;
}

// Containers have the same folder for different groups.
std::string identity_of(const std::string& folder) {
  struct stat status {};
  if (stat(folder.c_str(), &status) != 0) return folder;
  return fmt::format("{}:{}", status.st_dev, status.st_ino);
}

// What a group may still swap out, of what the machine has left.
std::size_t swap_of(const std::string& folder, std::size_t swap) {
  const std::optional<std::size_t> most = number_in(folder + "/memory.swap.max");
  return most ? std::min(swap, minus(*most, number_in(folder + "/memory.swap.current").value_or(0))) : swap;
}

std::vector<MemoryLimit> of_groups(const std::string& root, bool second, std::size_t swap) {
  std::vector<MemoryLimit> limits;
  const std::optional<Mount> mount = find_mount(root, second);
  const std::optional<std::string> group = find_group(root, second);
  if (!mount || !group) return limits;
  // In a container the group may be told as its host knows it, and what is mounted is already that group.
  std::string_view below = *group;
  if (mount->group != "/" && below.starts_with(mount->group)) below.remove_prefix(mount->group.size());
  namespace fs = std::filesystem;
  std::error_code ignored;
  while (below.ends_with('/')) below.remove_suffix(1);
  fs::path folder = mount->place + std::string(below);
  if (below.find("..") != std::string_view::npos || !fs::is_directory(root + folder.string(), ignored))
    folder = mount->place;
  const Names& names = second ? kSecond : kFirst;
  for (;; folder = folder.parent_path()) {
    const std::string at = root + folder.string();
    const std::optional<std::size_t> most = number_in(at + "/" + names.most);
    const std::optional<std::size_t> used = number_in(at + "/" + names.used);
    if (most && used && *most < kUnlimited) {
      const std::size_t back = reclaimable(at, names.prefix);
      limits.push_back({.kind = MemoryLimit::Kind::group,
                        .id = identity_of(at),
                        .name = folder.string(),
                        .room = minus(*most + back + swap_of(at, swap), *used)});
    }
    if (folder == mount->place || folder == folder.root_path() || folder.empty()) return limits;
  }
}

std::optional<MemoryLimit> of_address_space(const std::string& root) {
  rlimit limit{};
  std::size_t pages = 0;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return {};
  if (!(std::ifstream(root + "/proc/self/statm") >> pages)) return {};
  const std::size_t used = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return MemoryLimit{.kind = MemoryLimit::Kind::address_space,
                     .name = "ulimit -v",
                     .room = minus(static_cast<std::size_t>(limit.rlim_cur) + mallinfo2().fordblks, used)};
}

}  // namespace

std::string describe(const MemoryLimit& limit) {
  const double room = megabytes(limit.room);
  switch (limit.kind) {
    case MemoryLimit::Kind::machine:
      return fmt::format("{:.1f} MB are available, free swap included ({})", room, limit.name);
    case MemoryLimit::Kind::group:
      return fmt::format("the control group has {:.1f} MB left ({})", room, limit.name);
    case MemoryLimit::Kind::address_space:
      break;
  }
  return fmt::format("the limit of address space leaves {:.1f} MB ({})", room, limit.name);
}

void require_room(std::size_t bytes, const std::string& what) {
  constexpr std::size_t kLittle = std::size_t{1} << 26U;
  if (bytes < kLittle) return;
  for (const MemoryLimit& limit : memory_limits()) {
    if (bytes <= limit.room) continue;
    throw Error(ErrorKind::config,
                fmt::format("{} needs {:.1f} MB of memory; {}", what, megabytes(bytes), describe(limit)));
  }
}

std::vector<MemoryLimit> memory_limits(const std::string& root) {
  malloc_trim(0);  // what the heap keeps for later is there too
  const std::size_t swap = entry_in(root + "/proc/meminfo", "SwapFree:") * 1024;
  std::vector<MemoryLimit> limits;
  if (auto machine = of_machine(root, swap)) limits.push_back(std::move(*machine));
  for (const bool second : {true, false}) {
    for (MemoryLimit& limit : of_groups(root, second, swap)) limits.push_back(std::move(limit));
  }
  if (auto space = of_address_space(root)) limits.push_back(std::move(*space));
  return limits;
}

}  // namespace lockstep
