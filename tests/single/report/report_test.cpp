// The page as a file: whole, safe from what the run folder holds, and the same for the same files.
#include "report/report.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

class Report : public testing::Test {
 protected:
  [[nodiscard]] std::string place(const std::string& name) const { return (folder_.path() / name).string(); }
  void put(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(folder_.path() / std::filesystem::path(name).parent_path());
    std::ofstream(place(name)) << text;
  }
  void put_run(const std::string& folder, const std::string& name) const {
    put(folder + "/run.toml", "name = \"" + name + "\"\n");
    put(folder + "/metrics.csv", "epoch,step,train_loss\n1,12,0.5\n");
  }
  static nlohmann::json numbers_of(const std::string& page) {
    const std::string begin = "id=\"numbers\">";
    const std::size_t from = page.find(begin) + begin.size();
    return nlohmann::json::parse(page.substr(from, page.find("</script>", from) - from));
  }
  static std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
  }
  TemporaryFolder folder_;
};

TEST_F(Report, HoldsItsNumbersItsScriptsAndTheirLicence) {
  put_run("a", "small");
  const std::array<RunFiles, 1> runs{read_run_files(place("a"))};
  const std::string page = format_report(runs);
  EXPECT_EQ(numbers_of(page)["runs"][0]["curves"]["epochs"]["train_loss"]["y"][0], 0.5);
  EXPECT_NE(page.find("Chart.js v3"), std::string::npos);
  EXPECT_NE(page.find("Permission is hereby granted, free of charge"), std::string::npos);
  EXPECT_NE(page.find("function drawPage()"), std::string::npos);
  EXPECT_EQ(page.find("{{"), page.find("{{", page.find("Chart.js v3")));  // no place is left empty before the charts
  EXPECT_EQ(count(page, "</script>"), 3U);
  EXPECT_EQ(page, format_report(runs));
}

TEST_F(Report, WhatTheFilesHoldStaysText) {
  const std::string name = R"(</script><script>alert(1)</script>&<!--)";
  put_run("a", name);
  put("a/status.json", R"({"state": "stopped", "why": "<img src=x onerror=alert(1)></SCRIPT>"})");
  const std::string page = format_report(std::array<RunFiles, 1>{read_run_files(place("a"))});
  EXPECT_EQ(count(page, "</script>"), 3U);
  EXPECT_EQ(count(page, "</SCRIPT>"), 0U);
  EXPECT_EQ(count(page, "alert(1)</"), 0U);
  EXPECT_EQ(numbers_of(page)["runs"][0]["name"], name);
  put_run("b", "{{script}} {{numbers}}");  // which are places of the page
  const std::string other = format_report(std::array<RunFiles, 1>{read_run_files(place("b"))});
  EXPECT_EQ(numbers_of(other)["runs"][0]["name"], "{{script}} {{numbers}}");
}

TEST_F(Report, RunsOfOneNameAreToldApartByTheirFolders) {
  put_run("a", "same");
  put_run("b", "same");
  put_run("c", "other");
  std::vector<RunFiles> runs;
  for (const char* folder : {"a", "b", "c"}) runs.push_back(read_run_files(place(folder)));
  const nlohmann::json numbers = numbers_of(format_report(runs));
  EXPECT_EQ(numbers["runs"][0]["label"], place("a"));
  EXPECT_EQ(numbers["runs"][1]["label"], place("b"));
  EXPECT_EQ(numbers["runs"][2]["label"], "other");
}

TEST_F(Report, TellsWhatItLeftOut) {
  put_run("a", "small");
  put("a/steps.csv", "step,loss\n1,0.5\n2,0.");
  put("a/summary.json", "[1, 2");
  put("a/run.toml", "name = \n");
  const std::array<std::string, 1> folders{place("a")};
  const std::vector<std::string> notes = write_report(folders, place("page.html"));
  ASSERT_EQ(notes.size(), 3U);
  EXPECT_NE(notes[0].find("run.toml is shown as text alone"), std::string::npos) << notes[0];
  EXPECT_NE(notes[1].find("1 row of steps.csv left out"), std::string::npos) << notes[1];
  EXPECT_NE(notes[2].find("summary.json"), std::string::npos) << notes[2];
  std::ostringstream page;
  page << std::ifstream(place("page.html")).rdbuf();
  EXPECT_EQ(numbers_of(page.str())["runs"][0]["name"], "a");
}

TEST_F(Report, RefusesWhatIsNoRunFolder) {
  expect_error(ErrorKind::data, {"no folder", "gone"}, [&] { (void)read_run_files(place("gone")); });
  std::filesystem::create_directories(folder_.path() / "empty");
  expect_error(ErrorKind::data, {"empty", "run.toml and metrics.csv", "--output"},
               [&] { (void)read_run_files(place("empty")); });
  put("file", "x");
  expect_error(ErrorKind::data, {"found no folder"}, [&] { (void)read_run_files(place("file")); });
  put_run("a", "small");
  const std::array<std::string, 1> folders{place("a")};
  expect_error(ErrorKind::io, {"nowhere"}, [&] { (void)write_report(folders, place("nowhere/page.html")); });
}

}  // namespace
}  // namespace lockstep
