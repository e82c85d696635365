// Patterns and folders: which files they mean, and in which order.
#include "config/file_pattern.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "config/data_place.hpp"
#include "config/run_file.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

TEST(Pattern, MatchesAsShellsDo) {
  EXPECT_TRUE(matches("*.h5", "a.h5"));
  EXPECT_FALSE(matches("*.h5", "a.h55"));
  EXPECT_FALSE(matches("*.h5", ".a.h5"));
  EXPECT_TRUE(matches(".*.h5", ".a.h5"));
  EXPECT_TRUE(matches("a*b*c", "a-b-b-c"));
  EXPECT_FALSE(matches("a*b*c", "a-c-b"));
  EXPECT_TRUE(matches("**", ""));
  EXPECT_TRUE(matches("run-??.nc", "run-07.nc"));
  EXPECT_FALSE(matches("run-??.nc", "run-7.nc"));
  EXPECT_TRUE(matches("[a-c0]*", "b1"));
  EXPECT_TRUE(matches("[a-c0]*", "01"));
  EXPECT_FALSE(matches("[a-c0]*", "d1"));
  EXPECT_TRUE(matches("[!a-c]", "d"));
  EXPECT_FALSE(matches("[^a-c]", "a"));
  EXPECT_TRUE(matches("[]x]", "]"));
  EXPECT_TRUE(matches("[a-]", "-"));
  EXPECT_TRUE(matches("a[b", "a[b"));                        // no set: it is not closed
  EXPECT_TRUE(matches("[\xc3\xa0-\xc3\xbf]*", "\xc3\xa9"));  // bytes
  EXPECT_FALSE(matches("a", "ab"));
  EXPECT_FALSE(matches("ab", "a"));
}

class Matching : public testing::Test {
 protected:
  void make(const std::string& file) const {
    std::filesystem::create_directories(std::filesystem::path(place(file)).parent_path());
    std::ofstream(place(file)) << "x";
  }
  [[nodiscard]] std::string place(const std::string& name) const { return (folder_.path() / name).string(); }
  void expect(const std::string& pattern, std::vector<std::string> names) const {
    std::ranges::transform(names, names.begin(), [&](const std::string& name) { return place(name); });
    EXPECT_EQ(matching_files(place(pattern)), names) << pattern;
  }
  TemporaryFolder folder_;
};

TEST_F(Matching, SortsByTheBytesOfThePaths) {
  for (const char* name : {"b.h5", "B.h5", "a10.h5", "a9.h5", "\xc3\xa4.h5", "z.h5"}) make(name);
  expect("*.h5", {"B.h5", "a10.h5", "a9.h5", "b.h5", "z.h5", "\xc3\xa4.h5"});
  make("a/x.h5");
  make("a-b/x.h5");
  expect("*/x.h5", {"a-b/x.h5", "a/x.h5"});  // '-' comes before '/'
}

TEST_F(Matching, TakesOfAFolderWhatIsData) {
  for (const char* name : {"a.h5", "b.hdf5", "c.nc", "d.csv", ".e.h5", "deep/f.h5"}) make(name);
  std::filesystem::create_directory(place("folder.h5"));
  expect("", {"a.h5", "b.hdf5", "c.nc"});
  expect("deep", {"deep/f.h5"});
  expect("dee*/", {"deep/f.h5"});
  expect("d*", {"d.csv"});  // a folder is no file
  expect("**/*.h5", {"a.h5", "deep/f.h5"});
}

TEST_F(Matching, TakesWhatIsThereByThatVeryName) {
  make("[1]/a*.h5");
  make("1/ab.h5");
  expect("[1]/a*.h5", {"[1]/a*.h5"});
  expect("[12]/a*", {"1/ab.h5"});
  expect("none/*", {});
}

TEST_F(Matching, IsNoWayInACircleOfLinks) {
  make("a/x.h5");
  std::filesystem::create_directory_symlink(place("a"), place("a/again"));
  expect("**/x.h5", {"a/x.h5"});
}

TEST_F(Matching, IsHowARunFindsManyFiles) {
  make("runs/b.h5");
  make("runs/a.h5");
  const std::vector<std::string> folders = {place("none"), folder_.path().string()};
  for (const char* text : {"runs/*.h5:/train", "runs/:/train", "runs:/train"}) {
    const DataPlace found = find_place(text, folders);
    EXPECT_TRUE(found.found && found.many) << text;
    EXPECT_EQ(found.group, "/train");
    EXPECT_EQ(matching_files(found.file).size(), 2U);
  }
  EXPECT_FALSE(find_place("runs/a.h5:/train", folders).many);
  EXPECT_FALSE(find_place("runs/c*.h5:/train", folders).found);
  RunConfig run;
  run.data.train = {.x = "runs/*.h5:/train", .more = {"runs/:/more"}};
  run.data.test = {.x = "runs/*.h5:/t2m", .y = "runs/*.h5:/rain", .more_x = {"runs/*.h5:/p"}};
  resolve_paths(run, folders);
  EXPECT_EQ(run.data.train.x, place("runs/*.h5:/train"));
  EXPECT_EQ(run.data.train.more, std::vector{place("runs/:/more")});
  EXPECT_EQ(run.data.test.more_x, std::vector{place("runs/*.h5:/p")});
  RunConfig again = parse_run(format_run(run), "again");
  EXPECT_EQ(again.data.train, run.data.train);
  EXPECT_EQ(again.data.test, run.data.test);
  run.data.train = {"runs/c*.h5:/train"};
  expect_error(ErrorKind::data, {"no file matches runs/c*.h5", "looked for"}, [&] { resolve_paths(run, folders); });
}

TEST(DataSources, AreReadAsListsAndTables) {
  const auto train = [](const std::string& value) { return parse_run("data.train = " + value, "run.toml").data.train; };
  EXPECT_EQ(train(R"(["a.h5:/t", "b.h5:/t"])"), (DataSource{.x = "a.h5:/t", .more = {"b.h5:/t"}}));
  EXPECT_EQ(train(R"(["a.h5:/t"])"), (DataSource{"a.h5:/t"}));
  EXPECT_EQ(train(R"({x = ["a.nc:/t", "a.nc:/p"], y = "a.nc:/rain"})"),
            (DataSource{.x = "a.nc:/t", .y = "a.nc:/rain", .more_x = {"a.nc:/p"}}));
  for (const auto& [value, text] : {std::pair{"[]", "the list of files is empty"},
                                    {R"(["a", ""])", "the name of a file is empty"},
                                    {R"(["a", 3])", "expected a list of texts, found 3"},
                                    {"3", "a list of such"},
                                    {R"({x = ["a", "b"]})", "y is missing"},
                                    {R"({x = 3, y = "b"})", "expected a file name or a list"}}) {
    expect_error(ErrorKind::config, {"run.toml:1: data.train", text}, [&] { (void)train(value); });
  }
}

}  // namespace
}  // namespace lockstep
