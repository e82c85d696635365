// Rows and fields of CSV files, and the lines that errors tell.
#include "import/csv_reader.hpp"

#include <csv.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
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
    std::filesystem::remove(path);  // to write over a file can wait for the disk
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

/// What libcsv makes of a text, unset where it refuses it.
std::optional<Rows> by_libcsv(const std::string& text, char delimiter) {
  csv_parser parser;
  csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI);
  csv_set_delim(&parser, static_cast<unsigned char>(delimiter));
  struct Found {
    Rows rows;
    std::vector<std::string> row;
  } found;
  const auto field = [](void* bytes, std::size_t size, void* to) {
    static_cast<Found*>(to)->row.emplace_back(static_cast<const char*>(bytes), size);
  };
  const auto row = [](int, void* to) {
    auto& into = *static_cast<Found*>(to);
    into.rows.push_back(std::exchange(into.row, {}));
  };
  const bool whole = csv_parse(&parser, text.data(), text.size(), +field, +row, &found) == text.size() &&
                     csv_fini(&parser, +field, +row, &found) == 0;
  csv_free(&parser);
  return whole ? std::optional(found.rows) : std::nullopt;
}

TEST_F(CsvReader, MakesOfAnyTextWhatLibcsvDoes) {
  std::mt19937 random(1);
  const std::string letters = "aab1 \t,,,\n\n\r\"\"";
  std::size_t accepted = 0;
  for (int i = 0; i < 1000; ++i) {
    const bool quotes = random() % 2 == 0;
    const char delimiter = i % 3 == 0 ? '\t' : ',';
    std::string text = "x";  // else it may begin as another kind of file does
    for (std::size_t size = random() % 40; size > 0; --size) {
      text += letters[random() % (letters.size() - (quotes ? 0 : 2))];
      if (text.ends_with('\r') && random() % 2 == 0) text += '\n';
    }
    const std::optional<Rows> expected = by_libcsv(text, delimiter);
    accepted += expected ? 1 : 0;
    if (expected) {
      EXPECT_EQ(read(text, delimiter), *expected) << testing::PrintToString(text);
    } else {
      expect_error(ErrorKind::data, {"line "}, [&] { (void)read(text, delimiter); });
    }
  }
  EXPECT_GT(accepted, 500U);
  EXPECT_LT(accepted, 980U);
}

// The line of every row, by counting line ends before it, whatever the rows before it hold.
TEST_F(CsvReader, TellsTheLineInAnyText) {
  std::mt19937 random(2);
  for (int i = 0; i < 100; ++i) {
    std::string text;
    std::size_t line = 1;
    for (std::size_t rows = random() % 6; rows > 0; --rows) {
      const std::string end = random() % 2 == 0 ? "\n" : "\r\n";
      if (random() % 3 == 0) text += end, ++line;
      if (random() % 2 == 0) text += "\"q" + end + "\"\"\",", ++line;
      text += "1,2" + end, ++line;
    }
    text += "1,bad\n1,2\n";
    refuses(text, {("line " + std::to_string(line) + ":").c_str()});
  }
}

}  // namespace
}  // namespace lockstep
