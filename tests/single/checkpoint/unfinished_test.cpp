// A temporary file that could not be removed when its write failed, as in a folder that was read-only for a while.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "checkpoint/background_writer.hpp"
#include "single/checkpoint/sample_checkpoint.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

TEST(UnfinishedCheckpoint, GoesWithTheNextSave) {
  const TemporaryFolder folder;
  const std::filesystem::path left = folder.path() / ".step-00000001.h5.tmp-1234";
  std::ofstream(left) << "part";
  BackgroundWriter writer;
  writer.start({folder.path().string(), 2, 3, {}}, build_checkpoint("test", sample_info(), SampleState().arrays()));
  const auto outcome = writer.wait([] {});
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->error, "");
  EXPECT_EQ(outcome->complaint, "");
  EXPECT_TRUE(std::filesystem::exists(outcome->path));
  EXPECT_FALSE(std::filesystem::exists(left));
}

}  // namespace
}  // namespace lockstep
