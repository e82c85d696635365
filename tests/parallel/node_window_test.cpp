// Memory of a host: zeroed, aligned, seen by all of its ranks.
#include "comm/node_window.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace lockstep {
namespace {

class NodeWindowTest : public testing::Test {
 protected:
  [[nodiscard]] static Range part(const Communicator& comm, std::size_t bytes) {
    return part_of(bytes, static_cast<std::size_t>(comm.node_rank()), static_cast<std::size_t>(comm.node_size()));
  }
  Communicator world{MPI_COMM_WORLD};
  Communicator self{MPI_COMM_SELF};
};

TEST_F(NodeWindowTest, IsZeroedAndSeenByAll) {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{4096}, std::size_t{100003}}) {
    const NodeWindow window(world, bytes, part(world, bytes), {"the test", "none"});
    const std::span<std::byte> memory = window.memory();
    ASSERT_EQ(memory.size(), bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.data()) % kCacheLine, 0U);
    EXPECT_TRUE(std::ranges::all_of(memory, [](std::byte byte) { return byte == std::byte{0}; }));
    world.together([] {});
    const Range mine = part(world, bytes);
    world.together([&] { std::ranges::fill(memory.subspan(mine.begin, mine.size()), std::byte{7}); });
    EXPECT_TRUE(std::ranges::all_of(memory, [](std::byte byte) { return byte == std::byte{7}; })) << bytes;
  }
}

TEST_F(NodeWindowTest, IsTheRanksOwnWhereItIsAlone) {
  const NodeWindow window(self, 1000, {0, 1000}, {"the test", "none"});
  std::ranges::fill(window.memory(), static_cast<std::byte>(world.rank() + 1));
  world.together([] {});
  EXPECT_TRUE(std::ranges::all_of(window.memory(),
                                  [&](std::byte byte) { return byte == static_cast<std::byte>(world.rank() + 1); }));
}

TEST_F(NodeWindowTest, ThatCannotBeIsRefusedByAll) {
  const std::size_t bytes = std::size_t{1} << 60U;
  try {
    const NodeWindow window(world, bytes, {0, 0}, {"the test", "a smaller test"});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_TRUE(error.agreed());
    EXPECT_NE(std::string(error.what()).find("the test needs 1152921504606.8 MB"), std::string::npos) << error.what();
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_NE(std::string(error.what()).find("Ways out: a smaller test, or "), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace lockstep
