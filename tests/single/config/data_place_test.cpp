// "FILE.h5:/group" taken apart: files and folders may have ":/" in their names too.
#include "config/data_place.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "config/run_file.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

class FindPlace : public testing::Test {
 protected:
  void make(const std::string& file) const {
    std::filesystem::create_directories(std::filesystem::path(place(file)).parent_path());
    std::ofstream(place(file)) << "x";
  }
  [[nodiscard]] std::string place(const std::string& name) const { return (folder_.path() / name).string(); }
  void expect(const std::string& name, const std::string& file, const std::string& group) const {
    const std::vector<std::string> folders = {place("none"), folder_.path().string()};
    for (const DataPlace& found : {find_place(place(name)), find_place(name, folders)}) {
      EXPECT_EQ(found.file, place(file)) << name;
      EXPECT_EQ(found.group, group) << name;
      EXPECT_TRUE(found.found);
      EXPECT_EQ(found.text(), group.empty() ? place(file) : place(file) + ":" + group);
    }
  }
  TemporaryFolder folder_;
};

TEST_F(FindPlace, TakesAFileAndAGroup) {
  make("a.h5");
  expect("a.h5", "a.h5", "");
  expect("a.h5:/", "a.h5", "/");
  expect("a.h5:/train", "a.h5", "/train");
  expect("a.h5:/deep/er", "a.h5", "/deep/er");
}

TEST_F(FindPlace, TakesAPathThatExistsWholeAsAFile) {
  make("10:/a.h5");
  expect("10:/a.h5", "10:/a.h5", "");
  expect("10:/a.h5:/train", "10:/a.h5", "/train");
}

TEST_F(FindPlace, TakesTheFileThatExistsWhereAGroupHasTheSignsToo) {
  make("a.h5");
  expect("a.h5:/10:/b", "a.h5", "/10:/b");
  make("10:/a.h5");
  expect("10:/a.h5:/20:/b", "10:/a.h5", "/20:/b");
}

TEST_F(FindPlace, TakesNoFolderForAFile) {
  make("a.h5");
  make("a.h5:/train/other");
  expect("a.h5:/train", "a.h5", "/train");
}

TEST_F(FindPlace, SaysWhatIsNotThere) {
  const DataPlace gone = find_place("gone:/a.h5:/train");
  EXPECT_FALSE(gone.found);
  EXPECT_EQ(gone.file, "gone:/a.h5");
  EXPECT_EQ(gone.group, "/train");
  EXPECT_EQ(find_place("gone.h5").file, "gone.h5");
  EXPECT_EQ(find_place(":/").group, "");
}

TEST_F(FindPlace, IsHowARunFindsItsData) {
  make("10:/a.h5");
  RunConfig run;
  run.data.train = {"10:/a.h5"};
  run.data.test = {"10:/a.h5:/test"};
  resolve_paths(run, std::vector{folder_.path().string()});
  EXPECT_EQ(run.data.train.x, place("10:/a.h5"));
  EXPECT_EQ(run.data.test.x, place("10:/a.h5:/test"));
}

}  // namespace
}  // namespace lockstep
