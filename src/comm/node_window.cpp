#include "comm/node_window.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <optional>
#include <vector>

#include "comm/memory_check.hpp"
#include "comm/patience.hpp"
#include "core/byte_size.hpp"

namespace lockstep {
namespace {

#ifndef MADV_POPULATE_WRITE
constexpr int kPopulateWrite = 23;  // Linux 5.14; older kernels answer EINVAL
#else
constexpr int kPopulateWrite = MADV_POPULATE_WRITE;
#endif

// Where Open MPI puts the files behind shared windows, from its own variable; /dev/shm is its default.
std::string ask_backing_directory() {
  std::string directory = "/dev/shm";
  int level = MPI_THREAD_FUNNELED;  // Open MPI takes the level given here for all of MPI, so it must stay what it is
  if (MPI_Query_thread(&level) != MPI_SUCCESS || MPI_T_init_thread(level, &level) != MPI_SUCCESS) return directory;
  int index = 0;
  MPI_T_cvar_handle handle = MPI_T_CVAR_HANDLE_NULL;
  int count = 0;
  if (MPI_T_cvar_get_index("osc_sm_backing_directory", &index) == MPI_SUCCESS &&
      MPI_T_cvar_handle_alloc(index, nullptr, &handle, &count) == MPI_SUCCESS) {
    std::vector<char> text(static_cast<std::size_t>(std::max(count, 1)) + 1, '\0');
    if (MPI_T_cvar_read(handle, text.data()) == MPI_SUCCESS && text[0] == '/') directory = text.data();
    MPI_T_cvar_handle_free(&handle);
  }
  MPI_T_finalize();
  return directory;
}

// Asked once: Open MPI opens all of its components to answer, a quarter of a second, and the answer does not change.
const std::string& backing_directory() {
  static const std::string directory = ask_backing_directory();
  return directory;
}

[[noreturn]] void fail_too_small(std::size_t bytes, const WindowUse& use, const std::string& found) {
  throw Error(
      ErrorKind::config,
      fmt::format("{} needs {:.1f} MB of shared memory on this host; {}. Ways out: a larger shared memory (docker "
                  "run --shm-size), another place for it (mpirun --mca osc_sm_backing_directory DIR), or {}",
                  use.what, megabytes(bytes), found, use.way_out));
}

std::optional<std::size_t> free_bytes(const std::string& directory) {
  struct statvfs system {};
  if (statvfs(directory.c_str(), &system) != 0) return {};
  return static_cast<std::size_t>(system.f_bavail) * system.f_frsize;
}

// Errors: config. What is missed here, populate() meets.
void check_space(std::size_t bytes, const WindowUse& use) {
  constexpr std::size_t kOverhead = std::size_t{1} << 16U;  // what Open MPI puts beside it, with room to spare
  const auto fits = [&](std::optional<std::size_t> free) {
    return free && *free >= bytes && *free - bytes >= kOverhead;
  };
  const char* const named = std::getenv("OMPI_MCA_osc_sm_backing_directory");
  if (fits(free_bytes(named != nullptr ? named : "/dev/shm"))) return;
  const std::string& directory = backing_directory();  // asking is slow, so not before there is reason to
  const std::optional<std::size_t> free = free_bytes(directory);
  if (!free || fits(free)) return;  // where nothing is known, the allocation itself will tell
  fail_too_small(bytes, use, fmt::format("{} has {:.1f} MB free", directory, megabytes(*free)));
}

std::uintptr_t round_up(std::uintptr_t value, std::uintptr_t unit) {
  return (value + unit - 1) / unit * unit;
}

// Touches the pages of `part`, which makes them exist, here and now: a write to a page that the file system has no room
// for would end the process with a bus error. Whole pages within `memory` only, for only those are surely ours.
void populate(std::span<std::byte> memory, Range part, std::size_t bytes, const WindowUse& use) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto base = reinterpret_cast<std::uintptr_t>(memory.data());
  const std::uintptr_t begin = std::max((base + part.begin) / page * page, round_up(base, page));
  const std::uintptr_t end = std::min(round_up(base + part.end, page), (base + memory.size()) / page * page);
  if (begin >= end) return;
  std::byte* const start = memory.data() + (begin - base);
  if (madvise(start, end - begin, kPopulateWrite) == 0 || errno == EINVAL || errno == ENOSYS) return;
  fail_too_small(bytes, use, fmt::format("{} has no room for it ({})", backing_directory(), std::strerror(errno)));
}

Buffer<std::byte> plain_memory(std::size_t bytes, const WindowUse& use) try {
  return Buffer<std::byte>(bytes);
} catch (const std::bad_alloc&) {
  throw Error(ErrorKind::io,
              fmt::format("{} needs {:.1f} MB of memory, more than there is", use.what, megabytes(bytes)));
}

}  // namespace

void NodeWindow::require_space(const Communicator& comm, std::size_t bytes, const WindowUse& use) {
  comm.together(
      [&] {
        if (comm.node_size() > 1 && comm.node_rank() == 0) check_space(bytes, use);
      },
      Blame::host);
}

NodeWindow::NodeWindow(const Communicator& comm, std::size_t bytes, Range mine, const WindowUse& use)
    : pulse_(comm.pulse()), exceptions_at_start_(std::uncaught_exceptions()) {
  const bool alone = comm.node_size() == 1;
  require_memory(comm, alone ? MemoryNeed{.own = bytes} : MemoryNeed{.shared = bytes},
                 {.what = use.what, .way_out = use.way_out});
  require_space(comm, bytes, use);
  comm.assemble();
  {
    const Waiting waiting(comm.pulse());  // alone or not: all ranks begin as many
    if (!alone) allocate(comm, bytes);
  }
  comm.together(
      [&] {
        if (alone) {
          own_ = plain_memory(bytes, use);
          memory_ = own_.view();
          return;
        }
        populate(memory_, mine, bytes, use);
        std::memset(memory_.data() + mine.begin, 0, mine.size());  // MPI promises no zeros
      },
      Blame::host);
}

void NodeWindow::allocate(const Communicator& comm, std::size_t bytes) {
  void* base = nullptr;
  // Open MPI puts a header of its own before the memory: a cache line more, to begin on one. The offset within a page,
  // and so the place of that line, is the same for every rank.
  const MPI_Aint local = comm.node_rank() == 0 ? static_cast<MPI_Aint>(bytes + kCacheLine) : 0;
  check_mpi(MPI_Win_allocate_shared(local, 1, MPI_INFO_NULL, comm.node(), static_cast<void*>(&base), &window_),
            "MPI_Win_allocate_shared");
  MPI_Aint size = 0;
  int unit = 0;
  check_mpi(MPI_Win_shared_query(window_, 0, &size, &unit, static_cast<void*>(&base)), "MPI_Win_shared_query");
  const auto address = reinterpret_cast<std::uintptr_t>(base);
  memory_ = {static_cast<std::byte*>(base) + (round_up(address, kCacheLine) - address), bytes};
}

NodeWindow::~NodeWindow() {
  int finalized = 0;
  if (std::uncaught_exceptions() > exceptions_at_start_ || gave_up(pulse_)) {
    static_cast<void>(new Buffer<std::byte>(std::move(own_)));  // MPI may still write to it
    return;
  }
  if (MPI_Finalized(&finalized) != MPI_SUCCESS || finalized != 0) return;
  const Waiting waiting(pulse_);
  if (window_ != MPI_WIN_NULL) MPI_Win_free(&window_);
}

}  // namespace lockstep
