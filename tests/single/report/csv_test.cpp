// Tables read back: every whole row, empty cells, and what is no row of the table.
#include "report/csv.hpp"

#include <cmath>
#include <fstream>

#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

class Csv : public testing::Test {
 protected:
  CsvTable read(const std::string& text, std::initializer_list<std::string_view> texts = {}) const {
    const std::string path = (folder_.path() / "table.csv").string();
    std::ofstream(path) << text;
    return read_csv(path, std::vector<std::string_view>(texts));
  }
  TemporaryFolder folder_;
};

TEST_F(Csv, ReadsNumbersByColumn) {
  const CsvTable table = read("step,loss\n1,0.5\n20,1e-05\n");
  EXPECT_EQ(table.columns, (std::vector<std::string>{"step", "loss"}));
  EXPECT_EQ(table.rows, 2U);
  EXPECT_EQ(table.values, (std::vector<std::vector<double>>{{1, 20}, {0.5, 1e-05}}));
  EXPECT_EQ(table.column("loss")[1], 1e-05);
  EXPECT_TRUE(table.column("missing").empty());
}

TEST_F(Csv, AnEmptyCellIsNotANumberAndOthersStand) {
  const CsvTable table = read("step,norm,loss\n1,,2\n2,inf,nan\n");
  EXPECT_TRUE(std::isnan(table.column("norm")[0]));
  EXPECT_EQ(table.column("loss")[0], 2);
  EXPECT_TRUE(std::isinf(table.column("norm")[1]));
  EXPECT_TRUE(std::isnan(table.column("loss")[1]));
}

TEST_F(Csv, RowsThatAreNotWholeAreLeftOutAndCounted) {
  const CsvTable table = read("step,loss\n1,0.5\nnonsense\n\n3,4,5\n4,0.5x\n5,0.25\n6,0.2");
  EXPECT_EQ(table.values, (std::vector<std::vector<double>>{{1, 5}, {0.5, 0.25}}));
  EXPECT_EQ(table.left_out, 5U);  // the last one has no end: a crash may have cut "0.25"
}

TEST_F(Csv, ColumnsOfTextsKeepThem) {
  const CsvTable table = read("step,host,behind\n1,,\n2,node7,0.25\n", {"host"});
  EXPECT_EQ(table.texts, (std::vector<std::pair<std::size_t, std::string>>{{1, "node7"}}));
  EXPECT_EQ(table.column("behind")[1], 0.25);
}

TEST_F(Csv, AnEmptyFileIsATableOfNothing) {
  EXPECT_EQ(read("").rows, 0U);
  EXPECT_EQ(read("step,loss\n").rows, 0U);
  expect_error(ErrorKind::data, {"gone.csv"}, [&] { (void)read_csv((folder_.path() / "gone.csv").string()); });
}

}  // namespace
}  // namespace lockstep
