// Missing fields filled by what the rows that train say, dates, weights and missing targets, as runs read them.
#include <cmath>
#include <fstream>

#include "import/import.hpp"
#include "io/hdf5.hpp"
#include "single/data/sample_files.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

using Row = std::vector<double>;

class Missing : public testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  [[nodiscard]] ImportOptions options(const std::string& text, const std::string& target,
                                      std::vector<std::string> missing, const std::string& test = "") const {
    ImportOptions options;
    std::ofstream(path("table.csv")) << text;
    options.files = {path("table.csv")};
    if (!test.empty()) {
      std::ofstream(path("test.csv")) << test;
      options.test = {path("test.csv")};
    }
    options.output = path("data.h5");
    options.overwrite = true;
    options.csv.target = {target};
    options.csv.categorical = {"auto"};
    options.csv.missing = std::move(missing);
    return options;
  }
  /// x of a group, row by row.
  [[nodiscard]] std::vector<Row> x(const std::string& group = "/train") const { return table(group + "/x"); }
  [[nodiscard]] std::vector<Row> table(const std::string& name) const {
    const h5::File file = h5::File::open(path("data.h5"));
    const h5::DatasetInfo info = file.info(name);
    const std::size_t columns = info.shape.size() == 1 ? 1 : info.shape[1];
    std::vector<double> values(info.shape[0] * columns);
    file.read(name, std::span(values));
    std::vector<Row> rows;
    for (std::size_t i = 0; i < info.shape[0]; ++i) {
      rows.emplace_back(values.begin() + static_cast<std::ptrdiff_t>(i * columns),
                        values.begin() + static_cast<std::ptrdiff_t>((i + 1) * columns));
    }
    return rows;
  }
  [[nodiscard]] Recipe recipe() const {
    return recipe_of_json(h5::File::open(path("data.h5")).text_attribute("/", "recipe"), "data.h5");
  }
  TemporaryFolder folder_;
};

constexpr const char* kTable = "a,c,y\n4,red,1\n,blue,2\n1,,3\n2,red,4\n10,blue,5\nNA,,6\n3.5,red,7\n";

TEST_F(Missing, IsFilledByTheMiddleOfTheRowsThatTrain) {
  (void)import_data(options(kTable, "y", {"median"}, "a,c,y\n1000,blue,1\n,blue,2\n2000,blue,2\n,,3\n"));
  // The median of 4, 1, 2, 10, 3.5 is 3.5; red is there three times, blue twice. The rows that test do not count.
  EXPECT_EQ(x(),
            (std::vector<Row>{{4, 0, 1}, {3.5, 1, 0}, {1, 0, 1}, {2, 0, 1}, {10, 1, 0}, {3.5, 0, 1}, {3.5, 0, 1}}));
  EXPECT_EQ(x("/test"), (std::vector<Row>{{1000, 1, 0}, {3.5, 1, 0}, {2000, 1, 0}, {3.5, 0, 1}}));
  EXPECT_EQ(recipe().columns[0].fill, 3.5);
}

TEST_F(Missing, IsFilledByEachRule) {
  (void)import_data(options(kTable, "y", {"mean", "c=zero"}));
  EXPECT_EQ(x()[1], (Row{static_cast<float>(20.5 / 5), 1, 0}));
  EXPECT_EQ(x()[2], (Row{1, 0, 0})) << "no text stands for a missing one";
  (void)import_data(options(kTable, "y", {"zero"}));
  EXPECT_EQ(x()[5], (Row{0, 0, 0}));
  (void)import_data(options("a,y\n7,1\n-2,1\n7,1\n-2,2\n,3\n0,1\n", "y", {"most_frequent"}));
  EXPECT_EQ(x()[4], (Row{-2})) << "of equally frequent ones the smallest";
  (void)import_data(options("a,y\n1,1\n2,1\n,1\n4,2\n3,3\n", "y", {"median"}));
  EXPECT_EQ(x()[2], (Row{2.5})) << "of an even number of values the mean of the two in the middle";
  (void)import_data(options("a,y\n-1,1\n-0.5,1\n,1\n-3e5,2\n", "y", {"median"}));
  EXPECT_EQ(x()[2], (Row{-1})) << "negative numbers have an order too";
}

TEST_F(Missing, IsToldByAFeatureWhereThatIsAsked) {
  ImportOptions wanted = options("a,b,c,y\n1,5,red,1\n,6,,2\n3,7,red,3\n", "y", {"mean+indicator"});
  EXPECT_EQ(import_data(wanted).format.features,
            (std::vector<std::string>{"a", "a.missing", "b", "c=red", "c.missing"}))
      << "none for b, of which nothing is missing";
  EXPECT_EQ(x(), (std::vector<Row>{{1, 0, 5, 1, 0}, {2, 1, 6, 1, 1}, {3, 0, 7, 1, 0}}));
}

TEST_F(Missing, IsRefusedOrDroppedByColumn) {
  const ImportOptions both = options("a,b,y\n1,2,3\n,2,4\n1,,5\n7,8,9\n", "y", {"median", "b=drop"});
  EXPECT_EQ(import_data(both).dropped, 1U);
  EXPECT_EQ(x(), (std::vector<Row>{{1, 2}, {4, 2}, {7, 8}}));
  expect_error(ErrorKind::data, {"line 4: column 2 ('b'): the field is empty", "--missing drop", "median"}, [&] {
    (void)import_data(options("a,b,y\n1,2,3\n,2,4\n1,,5\n", "y", {"b=refuse", "zero"}));
  });
}

TEST_F(Missing, RefusesRulesThatMakeNoSense) {
  const auto refuses = [&](std::vector<std::string> missing, std::initializer_list<const char*> says) {
    expect_error(ErrorKind::config, says, [&] { (void)import_data(options(kTable, "y", std::move(missing))); });
  };
  refuses({"middle"}, {"--missing 'middle'", "most_frequent"});
  refuses({"a=middle"}, {"--missing 'a=middle'"});
  refuses({"x=mean"}, {"--missing", "'x' is no column"});
  refuses({"y=mean"}, {"targets", "not filled"});
  refuses({"drop+indicator"}, {"is for fills"});
  ImportOptions numbers = options("a,b,y\n,1,1\n,2,2\n", "y", {"mean"}, "a,b,y\n5,1,1\n");
  numbers.csv.categorical.clear();
  expect_error(ErrorKind::data, {"no row that trains has anything in column 'a'", "--drop a"},
               [&] { (void)import_data(numbers); });
}

TEST_F(Missing, ColumnsAreToldByTheirFirstField) {
  // No row is whole.
  ImportOptions wanted = options("a,c,y\n,,1\n,red,2\n3,,3\n", "y", {"most_frequent"});
  EXPECT_EQ(import_data(wanted).format.features, (std::vector<std::string>{"a", "c=red"}));
  EXPECT_EQ(x(), (std::vector<Row>{{3, 1}, {3, 1}, {3, 1}}));
  expect_error(ErrorKind::data, {"no row has anything in column 'b'", "--drop"},
               [&] { (void)import_data(options("a,b,y\n1,,1\n2,,2\n", "y", {"mean"})); });
}

TEST_F(Missing, TargetsOfSeveralAreKeptAsNaN) {
  ImportOptions wanted = options("a,u,v\n1,2,3\n2,,4\n3,,\n4,5,NA\n", "u,v", {});
  const ImportResult result = import_data(wanted);
  EXPECT_EQ(result.dropped, 1U) << "a row without any target teaches nothing";
  const std::vector<Row> y = table("/train/y");
  ASSERT_EQ(y.size(), 3U);
  EXPECT_EQ(y[0], (Row{2, 3}));
  EXPECT_TRUE(std::isnan(y[1][0]));
  EXPECT_EQ(y[1][1], 4);
  EXPECT_TRUE(std::isnan(y[2][1]));
  EXPECT_EQ(result.seen[1].missing, 2U);
  wanted.csv.missing = {"u=refuse"};
  expect_error(ErrorKind::data, {"line 3: column 2 ('u')"}, [&] { (void)import_data(wanted); });
  wanted.csv.missing = {"drop"};
  EXPECT_EQ(import_data(wanted).train, 1U);
  expect_error(ErrorKind::data, {"column 2 ('u')", "the field is empty or missing"},
               [&] { (void)import_data(options("a,u\n1,\n2,3\n", "u", {"mean"})); });
}

TEST_F(Missing, WeightsAndDatesAreColumnsOfTheirOwnKind) {
  ImportOptions wanted = options("when,w,y\n1970-01-05,1.5,1\n,-2,2\n1970-01-07,0,3\n", "y", {"mean"});
  wanted.csv.weight = {"w"};
  const ImportResult result = import_data(wanted);
  EXPECT_EQ(result.format.features.front(), "when.days");
  EXPECT_EQ(table("/train/w"), (std::vector<Row>{{1.5}, {-2}, {0}}));
  EXPECT_EQ(x()[1].front(), 5) << "a date in the middle";
  EXPECT_EQ(result.seen[1].negative, 1U);
  EXPECT_EQ(result.seen[1].negative_sum, -2);
  wanted = options("when,w,y\n05.01.1970,,1\n", "y", {"zero"});
  wanted.csv.weight = {"w"};
  wanted.csv.date = {"when=%d.%m.%Y"};
  expect_error(ErrorKind::data, {"column 2 ('w'): the field is empty or missing"}, [&] { (void)import_data(wanted); });
  wanted = options("when,y\n5.1.1970,1\n1970-01-05,2\n", "y", {});
  wanted.csv.date = {"when=%d.%m.%Y"};
  expect_error(ErrorKind::data, {"line 3: column 1 ('when'): expected a date as '%d.%m.%Y' says, found '1970-01-05'"},
               [&] { (void)import_data(wanted); });
}

TEST_F(Missing, ADryRunWritesNothing) {
  ImportOptions wanted = options(kTable, "y", {"median"});
  wanted.dry_run = true;
  wanted.output = {};
  EXPECT_EQ(import_data(wanted).recipe.columns[0].fill, 3.5);
  std::size_t entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    entries += entry.path().extension() == ".csv" ? 0 : 1;
  }
  EXPECT_EQ(entries, 0U);
}

}  // namespace
}  // namespace lockstep
