// Tables read by a recipe: rows found from any place in the file, columns by name, what is wrong with rows.
#include "import/csv_samples.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "import/csv_reader.hpp"
#include "single/data/sample_files.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

/// The rows of a table as texts, its fields by tabs.
class Texts final : public CsvRows {
 public:
  void field(std::string_view text) override { row_ += std::string(text) + "\t"; }
  void end_of_row() override { rows.push_back(std::exchange(row_, {})); }
  std::vector<std::string> rows;

 private:
  std::string row_;
};

class Tables : public testing::Test {
 protected:
  std::string put(const std::string& text) const {
    const std::string path = (folder_.path() / "new.csv").string();
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  static RowIndex index(const std::string& path, std::size_t parts) {
    const std::size_t bytes = CsvFile(path).bytes();
    std::vector<RowPart> all;
    std::uint64_t quotes = 0;
    for (std::size_t part = 0; part < parts; ++part) {
      const Range mine = part_of(bytes, part, parts);
      all.push_back(decode_part(encode(scan_rows(path, ',', mine, quotes % 2 != 0))));
      quotes += count_quotes(path, mine);
    }
    return RowIndex(all);
  }
  [[nodiscard]] std::unique_ptr<CsvSamples> open(const std::string& text, CsvReading reading = {}) const {
    const std::string path = put(text);
    auto samples = std::make_unique<CsvSamples>(path, recipe(), std::move(reading));
    samples->take(index(path, 1));
    return samples;
  }
  static Recipe recipe() {
    Recipe recipe;
    recipe.columns = {{.name = "id", .use = ColumnUse::dropped},
                      {.name = "a", .use = ColumnUse::number, .missing = MissingRule::mean, .fill = 7},
                      {.name = "c", .use = ColumnUse::category, .texts = {"blue", "red"}},
                      {.name = "b", .use = ColumnUse::number},
                      {.name = "y", .use = ColumnUse::label, .texts = {"cat", "dog"}},
                      {.name = "w", .use = ColumnUse::weight}};
    return recipe;
  }
  static std::vector<float> x(CsvSamples& samples, Range rows) {
    const OpenDataset data = samples.open();
    std::vector<float> values(rows.size() * data.x->header().columns);
    data.x->read(rows, std::as_writable_bytes(std::span(values)));
    return values;
  }
  void refuses(std::initializer_list<const char*> says, const std::string& text, const CsvReading& reading = {}) const {
    expect_error(ErrorKind::data, says, [&] {
      const auto samples = open(text, reading);
      const OpenDataset data = samples->open();
      (void)x(*samples, {0, data.x->header().rows});
    });
  }
  TemporaryFolder folder_;
};

TEST_F(Tables, RowsAreCutAsTheyAreRead) {
  std::mt19937 random(7);
  const std::vector<std::string> pieces = {"1",    "x y", ",",      ",",  "\n",           "\n",    "\r\n",
                                           "\r",   " ",   "\"q\"",  ",",  "\"a\nb\"",     "\n\n",  "\t",
                                           "\"\"", "é",   "\"\r\"", "\n", "\"x\"\"\ny\"", "\r\n\r"};
  std::size_t good = 0;
  for (int round = 0; round < 1000; ++round) {
    std::string text = round % 5 == 0 ? "\xEF\xBB\xBFh" : "h";
    for (std::size_t i = random() % 40; i > 0; --i) text += pieces[random() % pieces.size()];
    const std::string path = put(text);
    Texts whole;
    try {
      read_csv(path, ',', whole, {});
    } catch (const Error&) {
      continue;  // a quote in the middle of a field, say
    }
    ++good;
    const std::size_t parts = 1 + random() % 4;
    if (parts > 1 && text.size() / parts < 3) continue;
    const RowIndex found = index(path, parts);
    ASSERT_EQ(found.rows(), whole.rows.size()) << testing::PrintToString(text) << " in " << parts;
    RowCutter cutter(path, ',');
    CsvRowSplitter splitter(',');
    Texts cut;
    while (cutter.next()) ASSERT_EQ(splitter.split(cutter.row(), cut), "") << testing::PrintToString(text);
    ASSERT_EQ(cut.rows, whole.rows) << testing::PrintToString(text);
    for (std::size_t row = 0; row < whole.rows.size(); ++row) {
      const RowMark mark = found.before(row);
      cutter.seek(mark.offset);
      for (std::size_t i = mark.row; i <= row; ++i) ASSERT_TRUE(cutter.next());
      Texts one;
      ASSERT_EQ(splitter.split(cutter.row(), one), "");
      ASSERT_EQ(one.rows.front(), whole.rows[row]) << testing::PrintToString(text);
    }
  }
  EXPECT_GT(good, 100U);
}

TEST_F(Tables, AStrayQuoteBeforeManyRowsWithoutQuotesIsTold) {
  // The parts behind it seem to begin between quotes, of which there are no more.
  std::string text = "a,b\n5\" pipe,1\n";
  while (text.size() < 3 * kMostRow) text += "0.123456789012345,0.123456789012345\n";
  const std::string path = put(text);
  const Range behind = part_of(text.size(), 1, 2);
  EXPECT_TRUE(scan_rows(path, ',', behind, true).stray);
  EXPECT_FALSE(scan_rows(path, ',', behind, false).stray);
}

TEST_F(Tables, ColumnsAreFoundByName) {
  const auto samples = open("b,more,a,c\n1,9,2,red\n3,,NA,blue\n", {.notes = true});
  EXPECT_EQ(x(*samples, {0, 2}), (std::vector<float>{2, 0, 1, 1, 7, 1, 0, 3}));
  EXPECT_EQ(x(*samples, {1, 2}), (std::vector<float>{7, 1, 0, 3})) << "any rows, in any order";
  EXPECT_EQ(samples->open().columns.features, (std::vector<std::string>{"a", "c=blue", "c=red", "b"}));
  ASSERT_EQ(samples->notices().size(), 1U);
  EXPECT_NE(samples->notices().front().find("'more'"), std::string::npos);
  EXPECT_EQ(samples->kept_names(), std::vector<std::string>{"row"});
  EXPECT_EQ(samples->kept().at(0), "2,");
}

TEST_F(Tables, ColumnsThatDoNotFitAreRefusedByName) {
  refuses({"new.csv", "there is no column 'c', 'b'", "found: 'a', 'C'"}, "a,C\n1,red\n");
  refuses({"line 1", "two columns named 'a'"}, "a,b,c,a\n1,2,red,1\n");
  refuses({"no rows of data"}, "a,b,c\n");
  refuses({"only blank lines"}, "\n \n");
  refuses({"there is no column 'y', 'w'"}, "a,b,c\n1,2,red\n", {.answers = true});
  refuses({"--keep: 'z' is no column"}, "a,b,c\n1,2,red\n", {.keep = {"z"}});
  refuses({"is empty"}, "");
}

TEST_F(Tables, RowsThatCannotBeReadAreToldWithLineAndColumn) {
  refuses({"new.csv: line 4: column 2 ('b'): expected a number, found 'x'"}, "a,b,c\n1,2,red\n\n1,x,red\n");
  refuses({"line 3: column 2 ('b'): the field is empty or missing"}, "a,b,c\n1,2,red\n1,,red\n");
  refuses({"line 2: column 3 ('c'): the field is empty or missing"}, "a,b,c\n1,2,\n");
  refuses({"line 5: expected 3 fields, as in the header, found 2"}, "a,b,c\n1,2,\"red\"\n\"1\",2,red\n\n1,2\n");
  refuses({"line 2: a quote in the middle of a field"}, "a,b,c\n1,2,r\"ed\n1,2,\"red\n");
  refuses({"line 3: the file ends within a quoted field of this row"}, "a,b,c\n1,2,red\n1,2,\"red\n");
}

TEST_F(Tables, BadRowsAreMarkedWhereThatIsAsked) {
  const auto samples = open("id,a,b,c\np,1,2,red\nq,1,x,red\n\"r,\"\"\",1\nt,1,2,re\"d\nu,3,4,blue\n",
                            {.mark_bad = true, .notes = true, .keep = {"id"}});
  EXPECT_EQ(x(*samples, {0, 5}), (std::vector<float>{1, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 4}));
  EXPECT_EQ((std::vector<std::uint8_t>(samples->bad().begin(), samples->bad().end())),
            (std::vector<std::uint8_t>{0, 1, 1, 1, 0}));
  EXPECT_EQ(samples->kept().at(0), "p,");
  EXPECT_EQ(samples->kept().at(2), "\"r,\"\"\",");
  EXPECT_EQ(samples->met().bad, 3U);
  EXPECT_EQ(samples->met().first_bad->line, 3U);
}

TEST_F(Tables, UnknownCategoriesAreCounted) {
  const auto samples = open("a,b,c\n1,2,teal\n1,2,red\n1,2,pink\n1,2,teal\n");
  EXPECT_EQ(x(*samples, {0, 1}), (std::vector<float>{1, 0, 0, 2}));
  (void)x(*samples, {1, 4});
  CsvMet all;
  join(all, encode(samples->met()));
  join(all, encode(samples->met()));
  EXPECT_EQ(all.unknown.at("c").fields, 6U);
  EXPECT_EQ(all.unknown.at("c").texts, (std::map<std::string, std::size_t>{{"teal", 0}, {"pink", 2}}));
  samples->count_unknown({1, 4});
  EXPECT_EQ(samples->met().unknown.at("c").fields, 2U) << "anew, each row once";
}

TEST_F(Tables, AnswersAreReadWhereTheyAreAsked) {
  const auto samples = open("y,w,a,b,c\ndog,1,1,2,red\ncat,-0.5,1,2,red\n", {.answers = true});
  const OpenDataset data = samples->open();
  std::array<std::int32_t, 2> labels{};
  data.y->read({0, 2}, std::as_writable_bytes(std::span(labels)));
  EXPECT_EQ(labels, (std::array<std::int32_t, 2>{1, 0}));
  EXPECT_EQ(data.class_names, (std::vector<std::string>{"cat", "dog"}));
  refuses({"line 2: column 1 ('y'): the net knows no class 'owl'"}, "y,w,a,b,c\nowl,1,1,2,red\n", {.answers = true});
}

}  // namespace
}  // namespace lockstep
