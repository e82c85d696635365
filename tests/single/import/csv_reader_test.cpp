// Rows and fields of CSV files, and the lines that errors tell.
#include "import/csv_reader.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <vector>

#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

using Rows = std::vector<std::vector<std::string>>;

class Collecting final : public CsvRows {
 public:
  void field(std::string_view text) override {
    row_.emplace_back(text);
    if (text == "bad") throw BadRow("this is bad", row_.size() - 1);
  }
  void end_of_row() override { rows.push_back(std::exchange(row_, {})); }
  Rows rows;

 private:
  std::vector<std::string> row_;
};

class CsvReader : public testing::Test {
 protected:
  Rows read(const std::string& text, char delimiter = ',') const {
    const std::string path = (folder_.path() / "table.csv").string();
    std::ofstream(path, std::ios::binary) << text;
    Collecting rows;
    read_csv(path, delimiter, rows, {});
    return rows.rows;
  }
  void refuses(const std::string& text, std::initializer_list<const char*> says) const {
    expect_error(ErrorKind::data, says, [&] { (void)read(text); });
  }
  TemporaryFolder folder_;
};

TEST_F(CsvReader, TakesEveryKindOfLineEnd) {
  const Rows rows = {{"a", "b"}, {"1", "2"}};
  EXPECT_EQ(read("a,b\n1,2\n"), rows);
  EXPECT_EQ(read("a,b\n1,2"), rows);
  EXPECT_EQ(read("a,b\r\n1,2\r\n"), rows);
  EXPECT_EQ(read("a,b\r1,2\r"), rows);
  EXPECT_EQ(read("\xEF\xBB\xBF"
                 "a,b\n1,2\n"),
            rows);
  EXPECT_EQ(read("\n\na,b\r\n\r\n  \n1,2\n\n"), rows) << "blank lines";
}

TEST_F(CsvReader, TakesQuotes) {
  EXPECT_EQ(read("\"a,b\",\"c \"\"d\"\"\",\"two\nlines\"\n"), (Rows{{"a,b", "c \"d\"", "two\nlines"}}));
  EXPECT_EQ(read("\" a \", b ,\"\",\n"), (Rows{{" a ", "b", "", ""}}));
}

TEST_F(CsvReader, TakesOtherDelimiters) {
  EXPECT_EQ(read("a;b,c;\n", ';'), (Rows{{"a", "b,c", ""}}));
  EXPECT_EQ(read("a\t\tb\n", '\t'), (Rows{{"a", "", "b"}}));
}

TEST_F(CsvReader, FieldsMayLieAcrossPieces) {
  Rows rows;
  std::string text;
  for (int i = 0; i < 40000; ++i) {  // 800 KB
    rows.push_back({std::to_string(i), "a \"quoted\"\r\nfield"});
    text += std::to_string(i) + ",\"a \"\"quoted\"\"\r\nfield\"\r\n";
  }
  EXPECT_EQ(read(text), rows);
}

TEST_F(CsvReader, TellsPhysicalLines) {
  refuses("bad\n", {"table.csv: line 1: this is bad"});
  refuses("a,b\n1,2\n3,bad\n", {"line 3:"});
  refuses("a,b\r\n1,2\r\n3,bad", {"line 3:"});
  refuses("a,b\r1,2\r3,bad\r", {"line 3:"});
  refuses("\n\na\n\nbad\n", {"line 5:"});
  refuses("\r\n\r\na\r\n \r\nbad\r\n", {"line 5:"});
  refuses("\"one\ntwo\",\"three\nfour\"\n1,bad\n", {"line 4:"});
  refuses("a,b\n\"one\ntwo\r\nthree\",bad\n", {"line 4:"});  // a field of a row that has line ends before it
}

TEST_F(CsvReader, RefusesQuotesThatDoNotFit) {
  refuses("a,b\n1,2\n\"c,d\n5,6\n", {"line 3:", "ends within a quoted field"});
  refuses("a,b\n1,5\" pipe\n", {"line 2:", "quote in the middle"});
  refuses("a,b\r\n\r\n\"x\"y,2\r\n", {"line 3:", "quote in the middle"});
}

TEST_F(CsvReader, RefusesAHugeFieldWithoutReadingItAll) {
  refuses("a,b\n1,\"" + std::string((1U << 20U) + 5, 'x') + "\"\n", {"line 2:", "1 MiB", "quote not closed?"});
}

TEST_F(CsvReader, RefusesWhatIsNoCsv) {
  refuses("", {"is empty"});
  refuses("\x1F\x8B\x08", {"gunzip"});
  refuses(
      "\xFF\xFE"
      "a",
      {"UTF-16", "iconv"});
  refuses("\x89HDF\r\n\x1A\n", {"HDF5"});
  Collecting rows;
  expect_error(ErrorKind::data, {"No such file"}, [&] { read_csv("/missing.csv", ',', rows, {}); });
  expect_error(ErrorKind::data, {"folder"}, [&] { read_csv(folder_.path().string(), ',', rows, {}); });
}

}  // namespace
}  // namespace lockstep
