// Which files of a folder are checkpoints, and which of them stay.
#include "checkpoint/retention.hpp"

#include <filesystem>
#include <fstream>

#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

class Retention : public testing::Test {
 protected:
  void make(std::initializer_list<std::uint64_t> steps) {
    for (const std::uint64_t step : steps) std::ofstream(checkpoint_path(folder(), step)) << "x";
  }
  void make_other(const std::string& name) { std::ofstream(folder_.path() / name) << "x"; }
  [[nodiscard]] std::string folder() const { return folder_.path().string(); }
  [[nodiscard]] std::vector<std::uint64_t> steps() const {
    std::vector<std::uint64_t> found;
    for (const CheckpointFile& file : list_checkpoints(folder())) found.push_back(file.step);
    return found;
  }
  using Steps = std::vector<std::uint64_t>;
  TemporaryFolder folder_;
};

TEST_F(Retention, NamesCarryTheStepInEightDigitsOrMore) {
  EXPECT_EQ(checkpoint_path("runs/a", 42), "runs/a/step-00000042.h5");
  EXPECT_EQ(checkpoint_path("a", 1234567890), "a/step-1234567890.h5");
}

TEST_F(Retention, ListsNewestFirst) {
  make({5, 100, 0, 99999999, 100000000});
  EXPECT_EQ(steps(), (Steps{100000000, 99999999, 100, 5, 0}));
  EXPECT_EQ(list_checkpoints(folder()).front().path, checkpoint_path(folder(), 100000000));
}

TEST_F(Retention, IgnoresOddNames) {
  make({7});
  for (const char* name :
       {"step-0000000x.h5", "step-7.h5", "step-000000008.h5", "step--0000008.h5", "step-+0000008.h5", "step-.h5",
        "step-", ".h5", "step-00000008.hdf5", "step-00000008.h5.bak", ".step-00000008.h5.tmp-12", "xstep-00000008.h5",
        "step-99999999999999999999999.h5", "step-00000008 .h5", "metrics.csv"}) {
    make_other(name);
  }
  EXPECT_EQ(steps(), Steps{7});
}

TEST_F(Retention, OfAMissingFolderIsEmpty) {
  EXPECT_TRUE(list_checkpoints(folder() + "/none").empty());
}

TEST_F(Retention, OfWhatIsNoFolderIsAnError) {
  make_other("file");
  expect_error(ErrorKind::io, {"/file"}, [this] { (void)list_checkpoints(folder() + "/file"); });
}

TEST_F(Retention, PruningKeepsTheNewestAndTheBest) {
  make({1, 2, 3, 4, 5, 6});
  prune_checkpoints(folder(), 2, 6, 3);
  EXPECT_EQ(steps(), (Steps{6, 5, 3}));
  prune_checkpoints(folder(), 2, 6, 5);  // the best among the newest takes no further place
  EXPECT_EQ(steps(), (Steps{6, 5}));
  prune_checkpoints(folder(), 1, 6, {});
  EXPECT_EQ(steps(), Steps{6});
  prune_checkpoints(folder(), 0, 6, {});  // the newest always stays
  EXPECT_EQ(steps(), Steps{6});
}

TEST_F(Retention, PruningKeepsAllWhenThereAreFew) {
  make({1, 2});
  prune_checkpoints(folder(), 3, 2, {});
  EXPECT_EQ(steps(), (Steps{2, 1}));
}

// A run that went on from step 10, because step 30 did not verify, must not count step 30 as its newest: with keep = 1
// its only good checkpoint would be removed.
TEST_F(Retention, PruningDoesNotCountLaterCheckpointsThatCouldNotBeRead) {
  make({10, 20, 30});
  prune_checkpoints(folder(), 1, 20, {});
  EXPECT_EQ(steps(), (Steps{30, 20}));
}

TEST_F(Retention, ForeignFilesStay) {
  make({1, 2, 3});
  make_other("step-1.h5");
  make_other("notes.txt");
  prune_checkpoints(folder(), 1, 3, {});
  remove_checkpoints(folder());
  EXPECT_EQ(steps(), Steps{});
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "notes.txt"));
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "step-1.h5"));
}

TEST_F(Retention, RemovingFromAMissingFolderDoesNothing) {
  EXPECT_NO_THROW(remove_checkpoints(folder() + "/none"));
  EXPECT_NO_THROW(prune_checkpoints(folder() + "/none", 1, 1, {}));
}

TEST_F(Retention, WhatAKilledWriterLeftIsRemoved) {
  make({7});
  for (const char* name : {".step-00000008.h5.tmp-12", ".step-1234567890.h5.tmp-4194304"}) make_other(name);
  for (const char* name : {".step-0000000x.h5.tmp-12", ".metrics.csv.tmp-12", "step-00000008.h5.tmp-12", ".tmp-12"}) {
    make_other(name);
  }
  remove_unfinished_checkpoints(folder());
  EXPECT_EQ(steps(), Steps{7});
  EXPECT_FALSE(std::filesystem::exists(folder() + "/.step-00000008.h5.tmp-12"));
  EXPECT_FALSE(std::filesystem::exists(folder() + "/.step-1234567890.h5.tmp-4194304"));
  EXPECT_TRUE(std::filesystem::exists(folder() + "/.metrics.csv.tmp-12"));
  EXPECT_TRUE(std::filesystem::exists(folder() + "/.step-0000000x.h5.tmp-12"));
  expect_error(ErrorKind::io, {"/none"}, [this] { remove_unfinished_checkpoints(folder() + "/none"); });
}

}  // namespace
}  // namespace lockstep
