// What is wrong with a table is told in one go, with what to do about it.
#include <fstream>

#include "import/field_text.hpp"
#include "import/import.hpp"
#include "single/data/sample_files.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

class CsvFaults : public testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  [[nodiscard]] ImportOptions options(const std::string& text, const std::string& target = "y",
                                      char delimiter = ',') const {
    std::ofstream(path("table.csv"), std::ios::binary) << text;
    ImportOptions options;
    options.files = {path("table.csv")};
    options.output = path("data.h5");
    options.overwrite = true;
    options.csv.target = {target};
    options.csv.delimiter = delimiter;
    return options;
  }
  void refuses(const ImportOptions& options, std::initializer_list<const char*> says) const {
    expect_error(ErrorKind::data, says, [&] { (void)import_data(options); });
  }
  [[nodiscard]] Dataset read() const { return read_dataset({path("data.h5:/train")}, {}); }
  TemporaryFolder folder_;
};

TEST_F(CsvFaults, NumbersWithDecimalCommasAreNoClassesAndNoCategories) {
  const std::string table = "a;y\n1,5;2,25\n-2,5e-1;3\n";
  ImportOptions wanted = options(table, "y", ';');
  refuses(wanted, {"2 faults", "line 2: column 1 ('a'): expected a number, found '1,5'", "--decimal ,",
                   "line 2: column 2 ('y'): expected a number, found '2,25'"});
  wanted.csv.categorical = {"auto"};
  refuses(wanted, {"line 2: column 1 ('a'): expected a number, found '1,5'", "--decimal ,"});
  wanted.csv.categorical = {"a"};
  wanted.csv.task = TargetTask::classes;
  refuses(wanted, {"column 1 ('a'): expected a category, found '1,5'", "column 2 ('y'): expected a class, found '2,25'",
                   "--decimal ,"});
  refuses(options("a,y\n\"1,234\",2\n"), {"column 1 ('a')", "'1,234'", "commas between thousands"});
}

TEST_F(CsvFaults, DecimalCommasAreReadWhereTheyAreAnnounced) {
  ImportOptions wanted = options("a;b;y\n1,5;x;2,25\n-2,5e-1;z;3\n", "y", ';');
  wanted.csv.decimal = ',';
  wanted.csv.categorical = {"auto"};
  EXPECT_EQ(import_data(wanted).format.features, (std::vector<std::string>{"a", "b=x", "b=z"}));
  const Dataset data = read();
  EXPECT_EQ(row_of(data.x, 0), (std::vector{1.5, 1.0, 0.0}));
  EXPECT_EQ(row_of(data.x, 1), (std::vector{-0.25, 0.0, 1.0}));
  EXPECT_EQ(row_of(data.y, 0), (std::vector{2.25}));
  wanted = options("a;y\n1,5;2\n1.234,5;3\n", "y", ';');
  wanted.csv.decimal = ',';
  refuses(wanted, {"line 3", "'1.234,5'"});
}

TEST_F(CsvFaults, AnotherDelimiterIsNamedWhereItSplitsTheHeaderBetter) {
  const auto hint = [&](const std::string& text, char delimiter, const char* says) {
    expect_error(ErrorKind::config, {"'y' is no column", says},
                 [&] { (void)import_data(options(text, "y", delimiter)); });
  };
  hint("a;b;y\n1;2;3\n", ',', "at ';' the first row splits into 3 columns: --delimiter ';'");
  hint("a\tb\ty\n1\t2\t3\n", ',', "--delimiter tab");
  hint("a|b|y\n1|2|3\n", ',', "--delimiter '|'");
  hint("a,b,y\n1,2,3\n", ';', "--delimiter ','");
  expect_error(ErrorKind::config, {"'z' is no column", "its columns are a, y"}, [&] {
    try {
      (void)import_data(options("a,y\n1,2\n", "z"));
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find("--delimiter"), std::string::npos) << error.what();
      throw;
    }
  });
}

TEST_F(CsvFaults, AllAreToldInOneGo) {
  refuses(options("a,b,c,y\n1,2,3,4\nred,2,3,4\n1,inf,3\n1,inf,,4\nblue,2,3,cat\n"),
          {"5 faults", "line 3: column 1 ('a'): expected a number, found 'red'", "line 5: column 2 ('b')", "'inf'",
           "line 5: column 3 ('c'): the field is empty", "line 6: column 4 ('y')", "'cat'",
           "line 4: expected 4 fields, as in the header, found 3"});
  // Those of a row that comes before the types are known, and those before a quote that ends the reading.
  refuses(options("a,b,y\n,,1\n1,x,2\n"), {"2 faults", "line 2: column 1 ('a')", "line 2: column 2 ('b')"});
  refuses(options("a,y\nred,1\n1,2\"3\n"), {"line 2: column 1 ('a')", "line 3: a quote in the middle"});
}

TEST_F(CsvFaults, AreAsManyAsCanBeRead) {
  std::string header = "y", row = "1", bad = "1";
  for (int i = 0; i < 300; ++i) {
    header += ",c" + std::to_string(i);
    row += ",1";
    bad += ",red";
  }
  refuses(options(header + "\n" + row + "\n" + bad + "\n"), {"20 faults", "column 2 ('c0')", "column 21 ('c19')"});
}

TEST_F(CsvFaults, ColumnsThatNameTheRowsAreTold) {
  std::string table = "id,name,number,bad,y\n";
  for (int i = 0; i < 30; ++i) {
    table += "123e4567-e89b-12d3-a456-4266141740" + std::to_string(10 + i) + ",n" + std::to_string(i) + "," +
             std::to_string(100 + i) + (i == 20 ? ",red," : ",1,") + std::to_string(i % 3) + "\n";
  }
  ImportOptions wanted = options(table);
  wanted.csv.categorical = {"auto"};
  refuses(wanted,
          {"4 faults", "line 2: column 1 ('id')", "a UUID", "--drop id",
           "line 1: column 2 ('name'): each row has another text", "--drop name",
           "line 1: column 3 ('number'): the numbers count the rows", "--drop number", "line 22: column 4 ('bad')"});
  wanted.csv.drop = {"id,name,bad"};
  EXPECT_EQ(import_data(wanted).counting, (std::vector<std::string>{"number"}));
  wanted.csv.target = {"name"};
  wanted.csv.drop = {"id,bad"};
  refuses(wanted, {"column 2 ('name')", "choose another --target"});
}

TEST_F(CsvFaults, ColumnsThatAreLeftOutCostNoRow) {
  // `note` is half empty, else another in each row; it is found useless at its 1001st text, or at the end. `c` has
  // gaps.
  for (const int rows : {60, 3000}) {
    std::string table = "note,c,a,y\n";
    for (int i = 0; i < rows; ++i) {
      const std::string note = i % 2 == 0 ? "" : "n" + std::to_string(i);
      const std::string c = i % 20 == 7 ? "" : i % 20 == 8 ? "blue" : "red";
      table += note + "," + c + "," + std::to_string(i % 7) + "," + std::to_string(0.5 * i) + "\n";
    }
    ImportOptions wanted = options(table);
    wanted.csv.categorical = {"auto"};
    wanted.csv.drop = {"auto"};
    wanted.csv.missing = {"drop"};
    const ImportResult result = import_data(wanted);
    EXPECT_EQ(result.dropped, static_cast<std::size_t>(rows / 20)) << "those of c";
    EXPECT_EQ(result.train, static_cast<std::size_t>(rows - rows / 20));
    EXPECT_EQ(result.format.features, (std::vector<std::string>{"c=blue", "c=red", "a"}));
    EXPECT_NE(result.dropped_for[0], "");
    EXPECT_EQ(result.dropped_for[1], "");
    wanted.csv.missing = {"c=most_frequent"};  // else refused
    EXPECT_EQ(import_data(wanted).train, static_cast<std::size_t>(rows));
    wanted.csv.missing = {};
    refuses(wanted, {"line 9: column 2 ('c'): the field is empty or missing"});
  }
}

TEST_F(CsvFaults, ColumnsWithoutANameOrWithNothingInThemAreLeftOut) {
  ImportOptions wanted = options(",empty,a,y\n0,,1,2\n1,,3,4\n", "y");
  wanted.csv.categorical = {"auto"};
  refuses(wanted, {"column 1 has no name"});
  wanted.csv.drop = {"1"};
  refuses(wanted, {"no row has anything in column 'empty'"});
  wanted.csv.drop = {"auto"};
  const ImportResult result = import_data(wanted);
  EXPECT_EQ(result.format.features, std::vector<std::string>{"a"});
  EXPECT_NE(result.dropped_for[0].find("no name"), std::string::npos);
  EXPECT_NE(result.dropped_for[1].find("nothing"), std::string::npos) << result.dropped_for[1];
  EXPECT_EQ(row_of(read().x, 1), std::vector{3.0});
}

TEST_F(CsvFaults, CategoriesWithoutATextAreTold) {
  ImportOptions wanted = options("a,c,y\n1,,2\n2,,3\n");
  wanted.csv.categorical = {"c"};
  wanted.csv.missing = {"median"};
  refuses(wanted, {"column 'c': no row that trains has anything in it", "--drop c"});
  wanted.csv.missing = {"zero"};
  refuses(wanted, {"column 'c': no row has anything in it"});
  // Texts in rows that test alone are no answer to which is the most frequent.
  std::ofstream(path("test.csv")) << "a,c,y\n1,red,2\n";
  wanted.test = {path("test.csv")};
  wanted.csv.missing = {"c=most_frequent"};
  refuses(wanted, {"column 'c': no row that trains has anything in it"});
}

TEST(FieldText, KnowsNumbersWithCommasAndUuids) {
  for (const char* text : {"1,5", "-1,5", "+,5", "1.234,5", "1,234,567.8", "1,5e-3", " 2,0 "})
    EXPECT_TRUE(has_commas(text)) << text;
  for (const char* text : {"", "1.5", "a,b", "1,", "1,,2", ",", "1,5 kg", "x1,5", "1,5e"})
    EXPECT_FALSE(has_commas(text)) << text;
  double value = 0;
  EXPECT_EQ(parse_comma_number("-1,25e1", value), NumberFault::none);
  EXPECT_EQ(value, -12.5);
  for (const char* text : {"1.5", "1,2,3", "a", ""})
    EXPECT_EQ(parse_comma_number(text, value), NumberFault::text) << text;
  EXPECT_TRUE(is_uuid("123e4567-e89b-12d3-a456-426614174000"));
  EXPECT_FALSE(is_uuid("123e4567-e89b-12d3-a456-42661417400g"));
}

}  // namespace
}  // namespace lockstep
