// Tables made into HDF5 files, read back as a run reads them.
#include "import/import.hpp"

#include <cmath>
#include <fstream>
#include <numeric>

#include "single/data/sample_files.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

class Import : public testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string put(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  [[nodiscard]] ImportOptions options(const std::string& text, const std::string& target) const {
    ImportOptions options;
    options.files = {put("table.csv", text)};
    options.output = path("data.h5");
    options.overwrite = true;
    options.csv.target = {target};
    return options;
  }
  [[nodiscard]] Dataset read(const char* group = "/train") const {
    return read_dataset({path("data.h5:") + group}, {});
  }
  void refuses(ErrorKind kind, const ImportOptions& options, std::initializer_list<const char*> says) const {
    expect_error(kind, says, [&] { (void)import_data(options); });
    std::size_t entries = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      entries += entry.path().extension() == ".csv" ? 0 : 1;
    }
    EXPECT_EQ(entries, 0U) << "something is left";
  }
  TemporaryFolder folder_;
};

std::vector<std::vector<double>> rows_of(const Table& table) {
  std::vector<std::vector<double>> rows;
  for (std::size_t row = 0; row < table.rows; ++row) rows.push_back(row_of(table, row));
  return rows;
}

using Numbers = std::vector<std::vector<double>>;
using Names = std::vector<std::string>;

TEST_F(Import, NumbersAreFeaturesAndValues) {
  const ImportResult result = import_data(options("a,price,b\n1,10.1,-2e-3\n +4 ,16777217,1e-60\n", "price"));
  EXPECT_EQ(result.format.features, (Names{"a", "b"}));
  EXPECT_EQ(result.train, 2U);
  EXPECT_EQ(result.test, 0U);
  const Dataset data = read();
  EXPECT_EQ(data.x.type, ElementType::f32);
  EXPECT_EQ(rows_of(data.x), (Numbers{{1, static_cast<double>(-2e-3F)}, {4, 0}}));
  EXPECT_EQ(rows_of(data.y), (Numbers{{10.1}, {16777217}})) << "values are doubles";
  EXPECT_TRUE(data.class_names.empty());
}

TEST_F(Import, SeveralTargetsComeInTheOrderOfTheColumns) {
  (void)import_data(options("a,b,c\n1,2,3\n4,5,6\n", "c,a"));
  EXPECT_EQ(rows_of(read().y), (Numbers{{1, 3}, {4, 6}}));
}

TEST_F(Import, TextTargetsBecomeSortedClasses) {
  const ImportResult result = import_data(options("kind,a\nowl,1\ncat,2\nowl,3\n\xC3\xA9l\xC3\xA9phant,4\n", "kind"));
  const Dataset data = read();
  EXPECT_EQ(data.class_names, (Names{"cat", "owl", "\xC3\xA9l\xC3\xA9phant"}));
  EXPECT_EQ(data.y.type, ElementType::i32);
  EXPECT_EQ(rows_of(data.y), (Numbers{{1}, {0}, {1}, {2}}));
  EXPECT_EQ(count_classes(data, nullptr, {}), 3U);
  EXPECT_EQ(result.format.targets, (Names{"kind"}));
}

TEST_F(Import, NumbersMayBeClassesToo) {
  ImportOptions wanted = options("a,k\n1,10\n2,9\n3,10\n", "k");
  EXPECT_TRUE(import_data(wanted).looks_like_classes);
  EXPECT_EQ(read().y.type, ElementType::f64);
  wanted.csv.task = TargetTask::classes;
  EXPECT_FALSE(import_data(wanted).looks_like_classes);
  EXPECT_EQ(read().class_names, (Names{"9", "10"})) << "numbers are sorted as numbers";
  EXPECT_EQ(rows_of(read().y), (Numbers{{1}, {0}, {1}}));
  EXPECT_FALSE(import_data(options("a,k\n1,10\n2,9.5\n", "k")).looks_like_classes);
}

TEST_F(Import, CategoriesBecomeColumnsOfZeroAndOne) {
  ImportOptions wanted = options("a,color,y,b\n1,red,0,5\n2,blue,0,6\n3,red,0,7\n", "y");
  wanted.csv.categorical = {"color"};
  EXPECT_EQ(import_data(wanted).format.features, (Names{"a", "color=blue", "color=red", "b"}));
  const Numbers rows = {{1, 0, 1, 5}, {2, 1, 0, 6}, {3, 0, 1, 7}};
  EXPECT_EQ(rows_of(read().x), rows);
  wanted.csv.categorical = {"auto"};
  (void)import_data(wanted);
  EXPECT_EQ(rows_of(read().x), rows);
  wanted.csv.categorical = {"auto,b"};
  EXPECT_EQ(import_data(wanted).format.features, (Names{"a", "color=blue", "color=red", "b=5", "b=6", "b=7"}));
}

TEST_F(Import, FeaturesOfOneNameAreRefused) {
  ImportOptions twice = options("c,c=red,y\nred,1,2\nblue,2,3\n", "y");
  twice.csv.categorical = {"c"};
  refuses(ErrorKind::data, twice, {"table.csv", "'c=red'", "drop or rename"});
}

TEST_F(Import, MissingFieldsAreRefusedOrDropped) {
  const std::string text = "a,c,y\n1,x,2\n,x,3\n2,,4\n3,x,NA\nnan,x,1\n4,NA,5\n";
  ImportOptions wanted = options(text, "y");
  wanted.csv.categorical = {"c"};
  refuses(ErrorKind::data, wanted,
          {"line 3: column 1 ('a')", "line 4: column 2 ('c')", "line 5: column 3 ('y')", "--missing drop"});
  wanted.csv.missing = {"drop"};
  const ImportResult result = import_data(wanted);
  EXPECT_EQ(result.dropped, 4U);
  EXPECT_EQ(rows_of(read().x), (Numbers{{1, 0, 1}, {4, 1, 0}})) << "NA is a category like others";
  // The first row that is whole tells the types.
  wanted = options("a,c,y\n1,,2\n1,x,2\n", "y");
  wanted.csv.categorical = {"auto"};
  wanted.csv.missing = {"drop"};
  EXPECT_EQ(import_data(wanted).format.features, (Names{"a", "c=x"}));
}

TEST_F(Import, ColumnsCanBeLeftOut) {
  ImportOptions wanted = options(",id,\"a,b\",y\n0,p,1,2\n1,q,3,4\n", "y");
  wanted.csv.drop = {"1,id"};
  EXPECT_EQ(import_data(wanted).format.features, (Names{"a,b"}));
  wanted.csv.drop = {"id"};
  std::filesystem::remove(path("data.h5"));
  refuses(ErrorKind::data, wanted, {"line 1", "column 1 has no name", "--drop 1"});
}

TEST_F(Import, WithoutAHeaderColumnsAreNumbers) {
  ImportOptions wanted = options("1,2,3\n4,5,6\n", "3");
  refuses(ErrorKind::data, wanted, {"line 1", "--no-header"});
  wanted.csv.header = false;
  EXPECT_EQ(import_data(wanted).format.features, (Names{"1", "2"}));
  EXPECT_EQ(rows_of(read().x), (Numbers{{1, 2}, {4, 5}}));
}

TEST_F(Import, RefusesBadTables) {
  const auto bad = [&](const std::string& text, std::initializer_list<const char*> says) {
    refuses(ErrorKind::data, options(text, "y"), says);
  };
  bad("a,y\n1,2\n3\n", {"line 3", "expected 2 fields", "found 1"});
  bad("a,y\n1,2\n3,4,5\n", {"line 3", "expected 2 fields", "found 3"});
  bad("a,b,y\n1,2,3\n\n1,x\n", {"line 4", "found 2"});  // not: 'x' is no number
  bad("a,y\n1,2\nred,4\n", {"line 3", "column 1 ('a')", "'red'", "--categorical a", "--drop a"});
  bad("a,y\n1,2\n\"two\nlines\",4\n", {"line 3", "'two\\nlines'"});
  bad("a,y\n1,2\n1,red\n", {"line 3", "column 2 ('y')", "'red'", "--task classes"});
  bad("a,y\n1,2\ninf,4\n", {"line 3", "finite", "'inf'"});
  bad("a,y\n1,2\n1e39,4\n", {"line 3", "'1e39'", "32-bit float"});
  bad("a,y\n1,2\n4,1e39\n", {"line 3", "'1e39'", "32-bit float"});
  bad("a,y\n1,2\n1,5,\n", {"line 3", "found 3"});
  bad(std::string("a,y\n1,2\n1\0,5\n", 14), {"line 3", "'1\\u0000'"});
  bad("a,y\n", {"no rows of data"});
  bad("\n\n", {"no rows"});
  bad("a,a,y\n1,2,3\n", {"line 1", "columns 1 and 2", "'a'"});
  std::string wide = "y";
  for (int i = 0; i < 70000; ++i) wide += ",c" + std::to_string(i);
  bad(wide + "\n", {"line 1", "70001 columns", "65536"});
}

TEST_F(Import, RefusesAHeaderLargerThanMemoryIsWorth) {
  std::string text = "y";
  for (int i = 0; i < 40; ++i) text += "," + std::string(1000000, static_cast<char>('a' + i % 26));
  refuses(ErrorKind::data, options(text + "\n", "y"), {"line 1", "more than 32 MiB"});
}

TEST_F(Import, RefusesBadTexts) {
  ImportOptions wanted = options("a,c,y\n1,x,2\n1,\xE9,2\n", "y");
  wanted.csv.categorical = {"c"};
  refuses(ErrorKind::data, wanted, {"line 3", "UTF-8", "iconv"});
  put("table.csv", std::string("a,c,y\n1,x\0z,2\n", 15));
  refuses(ErrorKind::data, wanted, {"line 2", "NUL"});
  put("table.csv", "a,c,y\n1," + std::string(300, 'x') + ",2\n");
  refuses(ErrorKind::data, wanted, {"line 2", "300 bytes"});
  std::string text = "a,c,y\n";
  for (int i = 0; i < 1001; ++i) text += "1,name" + std::to_string(i) + ",2\n";
  put("table.csv", text);
  refuses(ErrorKind::data, wanted, {"line 1002", "more than 1000 different texts", "--drop c"});
}

TEST_F(Import, RefusesOptionsThatDoNotFit) {
  ImportOptions wanted = options("a,b,y\n1,2,3\n", "z");
  refuses(ErrorKind::config, wanted, {"--target: 'z' is no column", "a, b, y"});
  wanted.csv.target = {};
  refuses(ErrorKind::config, wanted, {"--target is needed", "a, b, y"});
  wanted.csv.target = {"y"};
  wanted.csv.drop = {"y"};
  refuses(ErrorKind::config, wanted, {"'y'", "--target", "--drop"});
  wanted.csv.drop = {"a,b"};
  refuses(ErrorKind::config, wanted, {"no columns beside"});
  wanted.csv.drop = {};
  wanted.split = 0.5;
  refuses(ErrorKind::config, wanted, {"--split 0.5 of 1 rows", "none to train"});
  wanted.split = 1;
  refuses(ErrorKind::usage, wanted, {"above 0 and below 1"});
  wanted.split = {};
  wanted.output = path("table.csv");
  refuses(ErrorKind::config, wanted, {"is a file to be read"});
  wanted.output = path("missing/data.h5");
  refuses(ErrorKind::config, wanted, {"folder is not there"});
}

TEST_F(Import, OverwritesOnlyWhenTold) {
  ImportOptions wanted = options("a,y\n1,2\n", "y");
  put("data.h5", "precious");
  wanted.overwrite = false;
  expect_error(ErrorKind::config, {"data.h5", "--overwrite"}, [&] { (void)import_data(wanted); });
  wanted.overwrite = true;
  put("table.csv", "a,y\n1,2\n1,x\n");
  expect_error(ErrorKind::data, {"line 3"}, [&] { (void)import_data(wanted); });
  std::string left;
  std::getline(std::ifstream(path("data.h5")), left);
  EXPECT_EQ(left, "precious");
  put("table.csv", "a,y\n1,2\n");
  EXPECT_EQ(import_data(wanted).train, 1U);
}

TEST_F(Import, DealsExactlyAndTheSameWayEachTime) {
  std::string text = "a,y\n";
  for (int i = 0; i < 1001; ++i) text += std::to_string(i) + ",0\n";
  ImportOptions wanted = options(text, "y");
  wanted.split = 0.8;
  const ImportResult result = import_data(wanted);
  EXPECT_EQ(result.train, 800U);
  EXPECT_EQ(result.test, 201U);
  const Numbers train = rows_of(read("/train").x);
  const Numbers test = rows_of(read("/test").x);
  EXPECT_TRUE(std::is_sorted(train.begin(), train.end())) << "in input order";
  Numbers all = train;
  all.insert(all.end(), test.begin(), test.end());
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i][0], static_cast<double>(i));
  (void)import_data(wanted);
  EXPECT_EQ(rows_of(read("/test").x), test);
  wanted.seed = 2;
  (void)import_data(wanted);
  EXPECT_NE(rows_of(read("/test").x), test);
}

TEST_F(Import, TakesATestFileWithTheSameColumns) {
  ImportOptions wanted = options("a,k,c\n1,x,p\n2,y,q\n", "k");
  wanted.csv.categorical = {"c"};
  wanted.test = {put("test.csv", "a,k,c\n3,w,r\n")};
  const ImportResult result = import_data(wanted);
  EXPECT_EQ(result.format.features, (Names{"a", "c=p", "c=q", "c=r"}));
  EXPECT_EQ(read("/test").class_names, (Names{"w", "x", "y"}));
  EXPECT_EQ(rows_of(read("/train").x), (Numbers{{1, 1, 0, 0}, {2, 0, 1, 0}}));
  EXPECT_EQ(rows_of(read("/test").x), (Numbers{{3, 0, 0, 1}}));
  std::filesystem::remove(path("data.h5"));
  put("test.csv", "a,c,k\n3,r,w\n");
  refuses(ErrorKind::data, wanted, {"test.csv: line 1", "column 2 is 'c'; expected 'k'"});
  wanted.split = 0.5;
  refuses(ErrorKind::usage, wanted, {"--split and --test"});
}

TEST_F(Import, TheSameTableGivesTheSameBytes) {
  ImportOptions wanted = options("a,k\n1,x\n2,y\n", "k");
  std::vector<std::string> digests;
  for (int i = 0; i < 2; ++i) {
    (void)import_data(wanted);
    std::ifstream file(path("data.h5"), std::ios::binary);
    digests.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  EXPECT_EQ(digests[0], digests[1]);
}

TEST_F(Import, IdxPairsKeepTypeAndShape) {
  Bytes pixels(5 * 2 * 3);
  std::iota(pixels.begin(), pixels.end(), static_cast<unsigned char>(0));
  write_gzip(path("x.idx.csv"), idx_bytes(0x08, {5, 2, 3}, pixels));
  write_plain(path("y"), idx_bytes(0x08, {5}, {3, 1, 4, 1, 5}));
  std::filesystem::rename(path("x.idx.csv"), path("x"));
  ImportOptions wanted = options("", "y");
  wanted.files = {path("x"), path("y")};
  wanted.split = 0.4;
  const ImportResult result = import_data(wanted);
  EXPECT_EQ(result.train, 2U);
  EXPECT_EQ(result.format.x_shape, (std::vector<std::size_t>{2, 3}));
  const Dataset train = read("/train");
  const Dataset test = read("/test");
  EXPECT_EQ(train.x.type, ElementType::u8);
  EXPECT_EQ(train.x.columns, 6U);
  Numbers labels = rows_of(train.y);
  const Numbers others = rows_of(test.y);
  labels.insert(labels.end(), others.begin(), others.end());
  std::sort(labels.begin(), labels.end());
  EXPECT_EQ(labels, (Numbers{{1}, {1}, {3}, {4}, {5}}));
  wanted.split = {};
  wanted.test = wanted.files;
  (void)import_data(wanted);
  EXPECT_EQ(read("/test").fingerprint, read("/train").fingerprint);
}

}  // namespace
}  // namespace lockstep
