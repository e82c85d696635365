// How much memory there is, from files as kernels write them.
#include "core/memory_room.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <optional>
#include <string>

#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20U;

class MemoryRoom : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = root_.path() / path.substr(1);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void machine(const std::string& available, const std::string& swap = "0") const {
    write("/proc/meminfo", "MemTotal:       24684092 kB\nMemFree:        1 kB\nMemAvailable:   " + available +
                               " kB\nSwapTotal:      9 kB\nSwapFree:       " + swap + " kB\n");
  }
  // The room of each limit by its name.
  [[nodiscard]] std::map<std::string, std::size_t> rooms() const {
    std::map<std::string, std::size_t> rooms;
    for (const MemoryLimit& limit : memory_limits(root_.path().string())) rooms[limit.name] = limit.room;
    return rooms;
  }
  [[nodiscard]] static std::string mib(std::size_t count) { return std::to_string(count * kMiB) + "\n"; }

  TemporaryFolder root_;
};

using Rooms = std::map<std::string, std::size_t>;
constexpr const char* kSecondMount = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

TEST_F(MemoryRoom, OfTheMachineIsWhatIsAvailableAndFreeSwap) {
  machine("1024", "512");
  EXPECT_EQ(rooms(), (Rooms{{"/proc/meminfo", 1536 * 1024}}));
}

TEST_F(MemoryRoom, ThatCannotBeFoundOutLimitsNothing) {
  EXPECT_EQ(rooms(), Rooms{});
  write("/proc/meminfo", "MemTotal: many kB\nMemAvailable\n");
  write("/proc/self/cgroup", "0::\nnothing\n:::\n1:memory\n");
  write("/proc/self/mountinfo", "36 35\n - \nx - cgroup2\n");
  EXPECT_EQ(rooms(), Rooms{});
}

TEST_F(MemoryRoom, OfAControlGroupAndOfThoseAboveIt) {
  machine("1048576");
  write("/proc/self/cgroup", "0::/slurm/job_7/step_0\n");
  write("/proc/self/mountinfo", kSecondMount);
  const std::string job = "/sys/fs/cgroup/slurm/job_7";
  write(job + "/step_0/memory.max", "max\n");
  write(job + "/step_0/memory.current", mib(90));
  write(job + "/memory.max", mib(200));
  write(job + "/memory.current", mib(150));
  // Files in use and not, and what the kernel keeps for later, would be given back; shared memory would not.
  write(job + "/memory.stat",
        "anon 104857600\nfile 52428800\nshmem 20971520\ninactive_file 10485760\nactive_file 20971520\n"
        "slab_reclaimable 1048576\nslab 99\n");
  EXPECT_EQ(rooms(), (Rooms{{"/proc/meminfo", 1024 * kMiB}, {job, (200 - 150 + 10 + 20 + 1) * kMiB}}));
}

TEST_F(MemoryRoom, OfAControlGroupHasItsPartOfTheSwap) {
  machine("1048576", "102400");
  write("/proc/self/cgroup", "0::/g\n");
  write("/proc/self/mountinfo", kSecondMount);
  write("/sys/fs/cgroup/g/memory.max", mib(100));
  write("/sys/fs/cgroup/g/memory.current", mib(100));
  EXPECT_EQ(rooms().at("/sys/fs/cgroup/g"), 100 * kMiB);  // the machine's, where nothing else is said
  write("/sys/fs/cgroup/g/memory.swap.max", mib(30));
  write("/sys/fs/cgroup/g/memory.swap.current", mib(12));
  EXPECT_EQ(rooms().at("/sys/fs/cgroup/g"), 18 * kMiB);
  write("/sys/fs/cgroup/g/memory.swap.max", "0\n");
  EXPECT_EQ(rooms().at("/sys/fs/cgroup/g"), 0U);
}

TEST_F(MemoryRoom, OfAControlGroupOfTheFirstVersion) {
  machine("1048576");
  write("/proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/box/deep\n1:cpu:/other\n0::/\n");
  write("/proc/self/mountinfo",
        "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,cpu,memory\n");
  const std::string memory = "/sys/fs/cgroup/memory";
  for (const auto& [folder, limit] :
       {std::pair{"", "9223372036854771712\n"}, {"/box", "104857600\n"}, {"/box/deep", "62914560\n"}}) {
    write(memory + folder + "/memory.limit_in_bytes", limit);
    write(memory + folder + "/memory.usage_in_bytes", mib(50));
    write(memory + folder + "/memory.stat",
          "inactive_file 1\ntotal_inactive_file 1048576\ntotal_active_file 2097152\n");
  }
  EXPECT_EQ(rooms(),
            (Rooms{{"/proc/meminfo", 1024 * kMiB}, {memory + "/box/deep", 13 * kMiB}, {memory + "/box", 53 * kMiB}}));
}

// The group is told as the host of the container names it, and where groups are mounted it is the uppermost.
TEST_F(MemoryRoom, OfAContainerIsWhatIsMounted) {
  for (const char* group : {"/docker/1234", "/docker/1234/inner", "/../elsewhere", "/"}) {
    write("/proc/self/cgroup", std::string("0::") + group + "\n");
    write("/proc/self/mountinfo", "29 23 0:26 /docker/1234 /sys/fs/cgroup ro - cgroup2 cgroup ro\n");
    write("/sys/fs/cgroup/memory.max", mib(64));
    write("/sys/fs/cgroup/memory.current", mib(4));
    EXPECT_EQ(rooms(), (Rooms{{"/sys/fs/cgroup", 60 * kMiB}})) << group;
  }
}

// Two containers have different groups in folders of one name; two ranks of one have the same.
TEST_F(MemoryRoom, KnowsAGroupByMoreThanItsFolder) {
  const auto group_of = [](const std::filesystem::path& root) {
    for (MemoryLimit& limit : memory_limits(root.string())) {
      if (limit.kind == MemoryLimit::Kind::group) return limit.id;
    }
    return std::string("none");
  };
  const TemporaryFolder other;
  write("/proc/self/cgroup", "0::/\n");
  write("/proc/self/mountinfo", kSecondMount);
  write("/sys/fs/cgroup/memory.max", mib(64));
  write("/sys/fs/cgroup/memory.current", mib(4));
  std::filesystem::copy(root_.path(), other.path(), std::filesystem::copy_options::recursive);
  EXPECT_EQ(group_of(root_.path()), group_of(root_.path()));
  EXPECT_NE(group_of(root_.path()), group_of(other.path()));
  EXPECT_NE(group_of(root_.path()), "none");
}

TEST_F(MemoryRoom, OfTheAddressSpaceIsWhatTheLimitLeaves) {
  // So large that the shadow memory of a sanitizer, 20 TB, is within it.
  constexpr std::size_t half = std::size_t{1} << 45U;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  const rlimit limit{.rlim_cur = 2 * half, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
  write("/proc/self/statm", std::to_string(half / 4096) + " 1 1 1 0 1 0\n");
  const Rooms found = rooms();
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  ASSERT_TRUE(found.contains("ulimit -v"));
  EXPECT_GE(found.at("ulimit -v"), half);  // and what the heap has free
  EXPECT_LT(found.at("ulimit -v"), half + (1024 * kMiB));
}

// On whatever the tests run.
TEST_F(MemoryRoom, IsKnownHere) {
  const std::vector<MemoryLimit> limits = memory_limits();
  ASSERT_FALSE(limits.empty());
  EXPECT_EQ(limits.front().name, "/proc/meminfo");
  EXPECT_GT(limits.front().room, kMiB);
}

}  // namespace
}  // namespace lockstep
