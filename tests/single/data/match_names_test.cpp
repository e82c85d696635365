// Data whose columns and labels are named is put into the order of other names, or refused by name.
#include "data/match_names.hpp"

#include "data/dataset.hpp"
#include "data/open_dataset.hpp"
#include "single/data/sample_files.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

using Names = std::vector<std::string>;
using Row = std::vector<double>;

// x: 3 samples of 10, 11, ...; y: 2 columns, or labels.
class NamedData : public testing::Test {
 protected:
  void make(const std::string& features, const std::string& targets = "", const std::string& categorical = "",
            const std::vector<float>& x = {10, 11, 12, 20, 21, 22, 30, 31, 32}) const {
    SampleFile file(path());
    file.add<float>("/x", {3, x.size() / 3}, x).add<float>("/y", {3, 2}, {1, 2, 3, 4, 5, 6});
    if (!features.empty()) file.text_attribute("/", "features", features);
    if (!targets.empty()) file.text_attribute("/", "targets", targets);
    if (!categorical.empty()) file.text_attribute("/", "categorical", categorical);
  }
  void make_labels(const std::vector<std::uint8_t>& labels, const std::string& classes) const {
    SampleFile(path())
        .add<float>("/x", {labels.size(), 1}, std::vector<float>(labels.size()))
        .add<std::uint8_t>("/y", {labels.size()}, labels)
        .text_attribute("/", "classes", classes);
  }
  [[nodiscard]] OpenDataset open() const { return open_dataset({path()}, {}); }
  // The file, matched: what was told, and row `row` of x and y.
  NameMatch match(const KnownNames& known) {
    OpenDataset data = open();
    NameMatch match = match_names(data, known);
    x = rows(*data.x);
    y = rows(*data.y);
    columns = data.columns;
    classes = data.class_names;
    return match;
  }
  void refuses(const KnownNames& known, std::initializer_list<const char*> says) {
    expect_error(ErrorKind::data, says, [&] { (void)match(known); });
  }
  [[nodiscard]] std::string path() const { return (folder_.path() / "named.h5").string(); }

  std::vector<Row> x, y;
  ColumnNames columns;
  Names classes;

 private:
  // Read in two parts, as ranks do.
  static std::vector<Row> rows(TableReader& reader) {
    const TableHeader& header = reader.header();
    std::vector<Row> all;
    for (const Range part : {Range{0, 1}, Range{1, header.rows}}) {
      std::vector<std::byte> memory(part.size() * header.row_bytes());
      reader.read(part, memory);
      const Table table{header.type, part.size(), header.columns, memory, {}};
      for (std::size_t row = 0; row < part.size(); ++row) all.push_back(row_of(table, row));
    }
    return all;
  }
  TemporaryFolder folder_;
};

TEST_F(NamedData, ColumnsInAnotherOrderAreReorderedAndTold) {
  make(R"(["a", "b", "c"])", R"(["p", "q"])");
  const NameMatch told = match({.source = "the net", .columns = {.features = {"c", "a", "b"}, .targets = {"q", "p"}}});
  EXPECT_EQ(x, (std::vector<Row>{{12, 10, 11}, {22, 20, 21}, {32, 30, 31}}));
  EXPECT_EQ(y, (std::vector<Row>{{2, 1}, {4, 3}, {6, 5}}));
  EXPECT_EQ(columns.features, (Names{"c", "a", "b"}));
  ASSERT_EQ(told.notices.size(), 2U);
  EXPECT_NE(told.notices[0].find("its features are in another order than those of the net"), std::string::npos);
  EXPECT_NE(told.notices[1].find("its targets are"), std::string::npos);
}

TEST_F(NamedData, TheSameOrderOrNoNamesLeaveAllAsItIs) {
  make(R"(["a", "b", "c"])", R"(["p", "q"])");
  const std::vector<Row> expected{{10, 11, 12}, {20, 21, 22}, {30, 31, 32}};
  for (const ColumnNames& known : {ColumnNames{.features = {"a", "b", "c"}, .targets = {"p", "q"}}, ColumnNames{}}) {
    EXPECT_TRUE(match({.columns = known}).notices.empty());
    EXPECT_EQ(x, expected);
    EXPECT_EQ(columns.features, (Names{"a", "b", "c"}));
  }
  make("");
  EXPECT_TRUE(match({.columns = {.features = {"c", "a", "b"}, .targets = {"q", "p"}}}).notices.empty());
  EXPECT_EQ(x, expected);
  EXPECT_EQ(columns.features, (Names{"c", "a", "b"})) << "what is known goes on, for others that are matched to it";
}

TEST_F(NamedData, WhatIsMissingUnknownOrThereTwiceIsRefusedByName) {
  make(R"(["a", "b", "c"])", R"(["p", "q"])");
  refuses({.source = "the net", .columns = {.features = {"a", "b", "age"}}},
          {"named.h5: its features are not those of the net", "missing: 'age'", "not known there: 'c'"});
  refuses({.columns = {.features = {"a", "b"}}}, {"not known there: 'c'"});
  refuses({.columns = {.features = {"a", "b", "c", "d"}}}, {"missing: 'd'"});
  refuses({.columns = {.targets = {"p", "r"}}}, {"its targets are", "missing: 'r'", "not known there: 'q'"});
  refuses({.columns = {.features = {"a", "c", "c"}}}, {"'c' is there twice"});
  make(R"(["a", "b", "a"])");
  EXPECT_NO_THROW((void)match({.columns = {.features = {"a", "b", "a"}}}));
  refuses({.columns = {.features = {"b", "a", "c"}}}, {"'a' is there twice"});
}

TEST_F(NamedData, UnknownCategoriesBecomeZerosAndAreCounted) {
  make(R"(["c=teal", "n", "c=red"])", "", R"(["c"])", {1, 5, 0, 0, 6, 1, 1, 7, 0});
  const KnownNames known{.source = "the net", .columns = {.features = {"c=blue", "c=red", "n"}, .categorical = {"c"}}};
  const NameMatch told = match(known);
  EXPECT_EQ(x, (std::vector<Row>{{0, 0, 5}, {0, 1, 6}, {0, 0, 7}}));
  ASSERT_EQ(told.unknown.size(), 1U);
  EXPECT_EQ(told.unknown[0].column, "c");
  EXPECT_EQ(told.unknown[0].texts, Names{"teal"});
  EXPECT_EQ(count_unknown(told, {0, 3}, [] {}), std::vector<std::int64_t>{2});
  EXPECT_EQ(count_unknown(told, {1, 2}, [] {}), std::vector<std::int64_t>{0});
  EXPECT_EQ(columns.features, known.columns.features);
}

TEST_F(NamedData, CategoriesThatDoNotOccurAreZerosButTheirColumnMustBeThere) {
  make(R"(["c=red", "n", "m"])", "", R"(["c"])");
  const Names features{"c=blue", "c=red", "n", "m"};
  EXPECT_TRUE(match({.columns = {.features = features, .categorical = {"c"}}}).notices.empty());
  EXPECT_EQ(x[1], (Row{0, 20, 21, 22}));
  refuses({.columns = {.features = features}}, {"missing: 'c=blue'"});  // it is a name like others there
  refuses({.columns = {.features = {"c=red", "n", "m", "d=1", "d=2"}, .categorical = {"c", "d"}}}, {"missing: 'd'"});
  make(R"(["c", "n", "m"])");
  refuses({.columns = {.features = features, .categorical = {"c"}}}, {"missing: 'c'; not known there: 'c'"});
}

TEST_F(NamedData, LabelsGetTheNumbersOfTheOtherClassList) {
  make_labels({0, 1, 2, 1}, R"(["cat", "dog", "eel"])");
  const NameMatch told = match({.source = "the net", .classes = {"eel", "cat", "dog"}});
  EXPECT_EQ(y, (std::vector<Row>{{1}, {2}, {0}, {2}}));
  EXPECT_EQ(classes, (Names{"eel", "cat", "dog"}));
  ASSERT_EQ(told.notices.size(), 1U);
  EXPECT_NE(told.notices[0].find("its classes are in another order"), std::string::npos);
  make_labels({0, 7}, R"(["cat", "dog"])");
  (void)match({.classes = {"dog", "cat"}});
  EXPECT_EQ(y[1], Row{7}) << "no class: refused as it is, by those who check labels";
}

TEST_F(NamedData, OtherClassesAreRefused) {
  make_labels({0, 1}, R"(["cat", "dog"])");
  refuses({.source = "the net", .classes = {"cat", "dog", "eel"}},
          {"its classes are not those of the net", "missing: 'eel'"});
  refuses({.classes = {"cat", "ant"}}, {"missing: 'ant'", "not known there: 'dog'"});
  make("");
  EXPECT_NO_THROW((void)match({.classes = {"dog", "cat"}}));
  SampleFile(path())
      .add<float>("/x", {1, 1}, {0})
      .add<float>("/y", {1, 1}, {0.5})
      .text_attribute("/", "classes", R"(["cat", "dog"])");
  refuses({.classes = {"dog", "cat"}}, {"another order", "y holds no labels"});
}

TEST_F(NamedData, NamesThatDoNotCountTheColumnsAreRefused) {
  make(R"(["a", "b"])");
  expect_error(ErrorKind::data, {"/x has 3 columns", "'features' has 2 names"}, [&] { (void)open(); });
  expect_error(ErrorKind::data, {"'features' has 2 names"}, [&] { (void)open_samples({path()}); });
  make("", R"(["p"])");
  expect_error(ErrorKind::data, {"/y has 2 columns", "'targets' has 1 names"}, [&] { (void)open(); });
  make(R"(["a", "b", "c=1"])", "", R"(["d"])");
  expect_error(ErrorKind::data, {"'categorical' names 'd'", "'d=...'"}, [&] { (void)open(); });
}

}  // namespace
}  // namespace lockstep
