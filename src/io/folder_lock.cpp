#include "io/folder_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <system_error>
#include <utility>

#include "core/quiet_thread.hpp"
#include "core/utc_time.hpp"
#include "io/places.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kRefresh{5};
constexpr std::chrono::milliseconds kLookAgain{100};
constexpr double kStale = 60;        // [s] a lock is not refreshed for, where its process cannot be looked for
constexpr double kAboutToEnd = 3;    // [s] that the ranks of a job may outlive their launcher
constexpr std::size_t kMost = 4096;  // bytes that are read of a lock

double since(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

std::string system_text(int code) {
  return std::generic_category().message(code);
}

double seconds_of(const timespec& time) {
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::string first_line(const char* file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

// The 22nd word of /proc/PID/stat [ticks since boot], which tells a process from a later one of its number; empty where
// it cannot be had. `state`: the third.
std::string start_of(std::int64_t pid, char& state) {
  const std::string text = first_line(fmt::format("/proc/{}/stat", pid).c_str());
  const auto name_end = text.rfind(')');  // the name of the program may hold anything
  if (name_end == std::string::npos) return "";
  std::istringstream words(text.substr(name_end + 1));
  std::string word;
  for (int index = 3; index <= 22 && words >> word; ++index) {
    if (index == 3) state = word.front();
    if (index == 22) return word;
  }
  return "";
}

// The process space in which numbers of processes mean what they do here.
std::string process_space() {
  std::error_code error;
  const std::string space = std::filesystem::read_symlink("/proc/self/ns/pid", error).string();
  return first_line("/proc/sys/kernel/random/boot_id") + " " + (error ? "unknown" : space);
}

std::string own_text() {
  std::array<char, 256> host{};  // zeros behind a name that is cut off
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '-';
  char state = '?';
  std::random_device random;
  return fmt::format("host {}\nprocess {}\nstart {}\nspace {}\nsince {}\ntoken {:08x}{:08x}\n", host.data(), getpid(),
                     start_of(getpid(), state), process_space(), utc_now(), random(), random());
}

// A lock as it was read.
struct Seen {
  std::string text;
  timespec time{};  // of its last refreshing
  std::map<std::string, std::string> words = {};

  [[nodiscard]] std::string word(const char* name) const {
    const auto found = words.find(name);
    return found == words.end() ? "?" : found->second;
  }
  [[nodiscard]] std::string holder() const {
    return fmt::format("process {} on {} since {}", word("process"), word("host"), word("since"));
  }
};

// Of `path`, without waiting at what is no file; nothing where there is none. Opening it is what makes a network file
// system ask for what is new. Errors: data (no file), io.
std::optional<Seen> read_lock(const std::string& path, bool refresh_own = false, const std::string& own = {}) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ESTALE)) return {};
  const int code = fd < 0 ? errno : 0;
  struct stat status {};
  const bool known = fd >= 0 && ::fstat(fd, &status) == 0;
  if (code == ELOOP || (known && !S_ISREG(status.st_mode))) {
    if (fd >= 0) ::close(fd);
    throw Error(ErrorKind::data, fmt::format("{}: expected the file that locks the folder, found {}", path,
                                             code == ELOOP ? "a link" : other_than_file(path)));
  }
  std::string text(kMost, '\0');
  const ssize_t bytes = known ? ::pread(fd, text.data(), text.size(), 0) : -1;
  const int problem = code != 0 ? code : bytes < 0 ? errno : 0;
  text.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  // By the clock of the file system, not by that of this host.
  if (refresh_own && text == own) ::futimens(fd, nullptr);
  if (fd >= 0) ::close(fd);
  if (problem == ESTALE) return {};  // removed by another host
  if (problem != 0) throw Error(ErrorKind::io, fmt::format("{}: cannot be read: {}", path, system_text(problem)));
  Seen seen{text, status.st_mtim};
  std::istringstream lines(seen.text);
  for (std::string line; std::getline(lines, line);) {
    const auto space = line.find(' ');
    if (space != std::string::npos) seen.words[line.substr(0, space)] = line.substr(space + 1);
  }
  return seen;
}

enum class Standing { alive, gone, unknown };

Standing standing_of(const Seen& seen) {
  const std::string pid = seen.word("process");
  if (seen.word("space") != process_space() || pid.find_first_not_of("0123456789") != std::string::npos ||
      pid.size() > 9) {
    return Standing::unknown;
  }
  const int number = std::stoi(pid);
  if (::kill(number, 0) != 0 && errno == ESRCH) return Standing::gone;
  char state = '?';
  const std::string start = start_of(number, state);
  const bool other = !start.empty() && start != seen.word("start");
  return other || state == 'Z' || state == 'X' ? Standing::gone : Standing::alive;
}

// A file with the text of the lock beside it, gone with this.
class Draft {
 public:
  Draft(const std::string& lock, const std::string& text) : path_(fmt::format("{}.{}", lock, token_of(text))) {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    int code = fd_ < 0 ? errno : 0;
    if (code == 0 && ::write(fd_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) code = ENOSPC;
    if (code == 0 && ::fsync(fd_) != 0) code = errno;
    if (code == 0) return;
    close();
    throw Error(ErrorKind::io, fmt::format("the folder cannot be locked: {}: {}", path_, system_text(code)));
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  ~Draft() { close(); }

  // Returns 0 or errno. An answer may be lost on its way: a second name says that the link was made.
  [[nodiscard]] int link_to(const std::string& path) const {
    if (::link(path_.c_str(), path.c_str()) == 0) return 0;
    const int code = errno;
    struct stat status {};
    return ::fstat(fd_, &status) == 0 && status.st_nlink == 2 ? 0 : code;
  }

  // The time of the file system [s].
  [[nodiscard]] double now() const {
    struct stat status {};
    ::futimens(fd_, nullptr);
    return ::fstat(fd_, &status) == 0 ? seconds_of(status.st_mtim) : 0;
  }

 private:
  static std::string token_of(const std::string& text) { return text.substr(text.rfind(' ') + 1, 16); }
  void close() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(path_.c_str());
  }

  std::string path_;
  int fd_ = -1;
};

// For file systems without hard links. Returns 0 or errno.
int make_exclusively(const std::string& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return errno;
  int code = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : ENOSPC;
  if (::close(fd) != 0 && code == 0) code = errno;
  if (code != 0) ::unlink(path.c_str());
  return code;
}

int make_lock(const Draft& draft, const std::string& path, const std::string& text) {
  const int code = draft.link_to(path);
  const bool no_links = code == EPERM || code == ENOTSUP || code == ENOSYS || code == EMLINK;
  return no_links ? make_exclusively(path, text) : code;
}

// Takes a stale lock away. Another start may have done so in between, and have the lock by now: that one is put back.
void set_aside(const std::string& path, const std::string& stale, const std::string& own) {
  const std::string aside = fmt::format("{}.old-{}", path, own.substr(own.rfind(' ') + 1, 16));
  if (std::rename(path.c_str(), aside.c_str()) != 0) return;
  const std::optional<Seen> seen = read_lock(aside);
  const bool other = seen && seen->text != stale;
  if (!other || ::link(aside.c_str(), path.c_str()) == 0 || errno == EEXIST) {
    ::unlink(aside.c_str());
  } else {
    std::rename(aside.c_str(), path.c_str());  // no hard links here
  }
}

std::string refusal(const std::string& folder, const Seen& seen) {
  return fmt::format("{} is in use by another run, {}: wait for its end, or choose another folder with --output",
                     folder, seen.holder());
}

}  // namespace

FolderLock::FolderLock(std::string folder, const std::function<void()>& alive)
    : folder_(std::move(folder)), path_(folder_ + "/" + kName), text_(own_text()) {
  take(alive);
  try {
    thread_ = start_quiet_thread("the lock of the run folder", [this] { refresh(); });
  } catch (...) {
    ::unlink(path_.c_str());
    throw;
  }
}

FolderLock::~FolderLock() {
  {
    const std::scoped_lock lock(mutex_);
    end_ = true;
  }
  ended_.notify_all();
  thread_.join();
  try {
    const std::optional<Seen> seen = read_lock(path_);
    if (seen && seen->text == text_) ::unlink(path_.c_str());
  } catch (const std::exception&) {  // what cannot be read now goes stale
    return;
  }
}

void FolderLock::take(const std::function<void()>& alive) {
  const Draft draft(path_, text_);
  const auto begin = steady_clock::now();
  auto begin_of_silence = begin;
  std::optional<Seen> first;
  for (;; std::this_thread::sleep_for(kLookAgain)) {
    if (alive) alive();
    const int code = make_lock(draft, path_, text_);
    if (code == 0) return;
    if (code != EEXIST) throw Error(ErrorKind::io, fmt::format("{}: cannot be made: {}", path_, system_text(code)));
    const std::optional<Seen> seen = read_lock(path_);
    if (!seen) continue;
    const Standing standing = standing_of(*seen);
    if (standing == Standing::alive && since(begin) > kAboutToEnd) {
      throw Error(ErrorKind::config, refusal(folder_, *seen));
    }
    if (!first || first->text != seen->text) {
      first = seen;
      begin_of_silence = steady_clock::now();
    }
    const double now = seconds_of(seen->time);
    if (standing == Standing::unknown && now != seconds_of(first->time)) {
      throw Error(ErrorKind::config, refusal(folder_, *seen));  // it was refreshed
    }
    const bool silent = draft.now() - now > kStale || since(begin_of_silence) > kStale;
    if (standing == Standing::gone || (standing == Standing::unknown && silent)) set_aside(path_, seen->text, text_);
  }
}

void FolderLock::refresh() {
  std::unique_lock lock(mutex_);
  while (!ended_.wait_for(lock, kRefresh, [this] { return end_; })) {
    lock.unlock();
    look();
    lock.lock();
  }
}

void FolderLock::look() {
  try {
    const std::optional<Seen> seen = read_lock(path_, true, text_);
    if (seen && seen->text != text_) {
      const std::scoped_lock lock(mutex_);
      holder_ = seen->holder();
      taken_.store(true, std::memory_order_relaxed);
    }
    if (seen) return;
    make_folders(folder_);
    if (make_lock(Draft(path_, text_), path_, text_) == 0) missing_.store(true, std::memory_order_relaxed);
  } catch (const std::exception&) {  // a file system that fails for a while: tried again
    return;
  }
}

std::string FolderLock::taken_by() const {
  const std::scoped_lock lock(mutex_);
  return holder_;
}

std::optional<std::string> find_holder(const std::string& folder) {
  const std::optional<Seen> seen = read_lock(folder + "/" + FolderLock::kName);
  if (!seen) return {};
  const Standing standing = standing_of(*seen);
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const bool silent = standing == Standing::unknown && now - seconds_of(seen->time) > kStale;
  if (standing == Standing::gone || silent) return {};
  return refusal(folder, *seen);
}

}  // namespace lockstep
