// Many files that are read as one: the numbers of the one joined file, and what is refused.
#include "data/joined_table.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <initializer_list>
#include <numeric>

#include "data/file_list.hpp"
#include "data/file_prints.hpp"
#include "single/data/sample_files.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kColumns = 3;

class JoinedFilesTest : public testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  // Rows `rows` of the whole table, of which each number is a count; with a text attribute, where `object` has one.
  template <class T = float>
  void make(const std::string& name, Range rows, const char* object = "", const char* attribute = "",
            const char* text = "") {
    std::vector<T> x(rows.size() * kColumns);
    std::iota(x.begin(), x.end(), static_cast<T>(rows.begin * kColumns));
    std::vector<std::int32_t> y(rows.size());
    std::iota(y.begin(), y.end(), static_cast<std::int32_t>(rows.begin));
    SampleFile file(path(name));
    file.add("/x", {rows.size(), kColumns}, x).add("/y", {rows.size()}, y);
    if (*object != 0) file.text_attribute(object, attribute, text);
  }
  // "many/*.h5" of files that end at these rows, and the same rows in "one.h5".
  void make_many(const std::vector<std::size_t>& ends) {
    std::filesystem::create_directories(path("many"));
    std::size_t begin = 0;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      make("many/f" + std::to_string(100000 + i) + ".h5", {begin, ends[i]});
      begin = ends[i];
    }
    make("one.h5", {0, ends.back()});
  }
  [[nodiscard]] DataSource many() const { return {path("many/*.h5")}; }
  void expect_refused(std::initializer_list<const char*> texts) const {
    expect_error(ErrorKind::data, texts, [&] { (void)open_dataset(many(), {}); });
  }

  TemporaryFolder folder_;
};

TEST_F(JoinedFilesTest, HaveTheNumbersAndTheFingerprintOfTheOneFile) {
  make_many({4, 4, 5, 17, 23});
  const Dataset one = read_dataset({path("one.h5")}, {});
  const Dataset joined = read_dataset(many(), {});
  EXPECT_EQ(joined.fingerprint, one.fingerprint);
  EXPECT_EQ(joined.source, path("many/*.h5"));
  const OpenDataset opened = open_dataset(many(), {});
  EXPECT_TRUE(opened.x->seekable());
  EXPECT_EQ(opened.x->header().shape, (std::vector<std::size_t>{23, kColumns}));
  const std::vector<std::string> told = notices_of(opened);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].find("1 of 5 files hold no samples"), std::string::npos) << told[0];
  for (std::size_t begin = 0; begin <= 23; ++begin) {
    for (std::size_t end = begin; end <= 23; ++end) {
      std::vector<float> part((end - begin) * kColumns);
      opened.x->read({begin, end}, std::as_writable_bytes(std::span(part)));
      for (std::size_t i = 0; i < part.size(); ++i) ASSERT_EQ(part[i], static_cast<float>(begin * kColumns + i));
    }
  }
  std::vector<std::byte> memory(24 * kColumns * sizeof(float));
  EXPECT_THROW(opened.x->read({0, 24}, memory), Error);
  EXPECT_THROW(opened.x->read({0, 1}, memory), Error);
}

TEST_F(JoinedFilesTest, StandInTheOrderOfTheirList) {
  make("b.h5", {0, 3});
  make("a.h5", {3, 5});
  make("one.h5", {0, 5});
  const DataSource list{.x = path("b.h5:/"), .more = {path("a.h5:/")}};
  EXPECT_EQ(read_dataset(list, {}).fingerprint, read_dataset({path("one.h5")}, {}).fingerprint);
  const DataSource turned{.x = path("a.h5:/"), .more = {path("b.h5:/")}};
  EXPECT_NE(read_dataset(turned, {}).fingerprint, read_dataset({path("one.h5")}, {}).fingerprint);
  EXPECT_EQ(source_text({.x = "a", .more = {"b", "c", "d", "e"}}), "a, b and 3 more");
}

TEST_F(JoinedFilesTest, OfPairsStandBesideEachOther) {
  for (const unsigned char i : Bytes{1, 2}) {
    write_plain(path("x-" + std::to_string(i)), idx_bytes(0x08, {2, 2}, {i, i, 9, i}));
    write_plain(path("y-" + std::to_string(i)), idx_bytes(0x08, {2}, {i, 0}));
  }
  write_plain(path("one-x"), idx_bytes(0x08, {4, 2}, {1, 1, 9, 1, 2, 2, 9, 2}));
  write_plain(path("one-y"), idx_bytes(0x08, {4}, {1, 0, 2, 0}));
  EXPECT_EQ(read_dataset({path("x-*"), path("y-*")}, {}).fingerprint,
            read_dataset({path("one-x"), path("one-y")}, {}).fingerprint);
  expect_error(ErrorKind::data, {"2 files are of", "y-1"}, [&] { (void)read_dataset({path("x-*"), path("y-1")}, {}); });
  // A packed file is read from its begin; so are files of which one is packed.
  write_gzip(path("x-2"), idx_bytes(0x08, {2, 2}, {2, 2, 9, 2}));
  const OpenDataset opened = open_dataset({path("x-*"), path("y-*")}, {});
  EXPECT_FALSE(opened.x->seekable());
  EXPECT_TRUE(opened.y->seekable());
  EXPECT_EQ(read_dataset({path("x-*"), path("y-*")}, {}).fingerprint,
            read_dataset({path("one-x"), path("one-y")}, {}).fingerprint);
}

TEST_F(JoinedFilesTest, ThatAreUnlikeAreNamed) {
  make_many({2, 4});
  make<double>("many/z.h5", {4, 6});
  expect_refused({"z.h5 is unlike the first file", "f100000.h5", "type of x: expected float32, found float64"});
  SampleFile(path("many/z.h5")).add<float>("/x", {1, 2}, {1, 2}).add<std::int32_t>("/y", {1}, {0});
  expect_refused({"z.h5", "shape of a row of x: expected [3], found [2]"});
  SampleFile(path("many/z.h5")).add<float>("/x", {1, 3}, {1, 2, 3}).add<std::int32_t>("/y", {2}, {0, 1});
  expect_refused({"z.h5: /x holds 1 samples", "/y 2"});
  make("many/z.h5", {4, 6}, "/", "features", R"(["a", "b", "c"])");
  expect_refused({"z.h5", "names of the features: expected none, found a, b, c"});
  make("many/z.h5", {4, 6}, "/", "classes", R"(["a", "b", "c"])");
  expect_refused({"z.h5", "names of the classes: expected none, found a, b, c"});
  make("many/z.h5", {4, 6}, "/x", "units", "K");
  expect_refused({"z.h5", "units of x: expected none, found K"});
  SampleFile(path("many/z.h5")).add<float>("/x", {1, 3}, {1, 2, 3});
  expect_refused({"z.h5", "/y"});
  write_plain(path("many/z.h5"), Bytes(100, 7));
  expect_refused({"z.h5"});
}

TEST_F(JoinedFilesTest, ThatAreOneFileAreNoTwo) {
  make_many({2, 4});
  std::filesystem::create_symlink(path("many/f100000.h5"), path("many/link.h5"));
  expect_refused({"f100000.h5 and", "link.h5 are one file", "count twice"});
  const DataSource twice{.x = path("one.h5:/"), .more = {path("one.h5:/")}};
  expect_error(ErrorKind::data, {"one.h5:/ is named twice"}, [&] { (void)open_dataset(twice, {}); });
}

TEST_F(JoinedFilesTest, ThatChangeWhileInUseAreNamed) {
  std::vector<std::size_t> ends(200);
  std::iota(ends.begin(), ends.end(), 1);
  make_many(ends);
  const OpenDataset opened = open_dataset(many(), {});
  std::vector<float> row(kColumns);
  const auto read = [&](std::size_t i) { opened.x->read({i, i + 1}, std::as_writable_bytes(std::span(row))); };
  for (std::size_t i = 0; i < 200; ++i) read(i);
  make("many/f100003.h5", {0, 2});
  std::filesystem::remove(path("many/f100004.h5"));
  expect_error(ErrorKind::data, {"f100003.h5: has changed while it was in use"}, [&] { read(3); });
  expect_error(ErrorKind::io, {"f100004.h5"}, [&] { read(4); });
  read(5);
  EXPECT_EQ(row[0], 15);
}

TEST_F(JoinedFilesTest, ByTheThousandNeedFewDescriptors) {
  std::vector<std::size_t> ends(1500);
  std::iota(ends.begin(), ends.end(), 1);
  make_many(ends);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = ::open("/dev/null", O_RDONLY);  // the lowest number that is free
  ASSERT_EQ(::close(next), 0);
  const rlimit few{static_cast<rlim_t>(next) + 80, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const std::string joined = read_dataset(many(), {}).fingerprint;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(joined, read_dataset({path("one.h5")}, {}).fingerprint);
}

class FilePrintsTest : public JoinedFilesTest {
 protected:
  // As `parts` processes find them, one after the other.
  [[nodiscard]] std::vector<std::string> prints(std::size_t parts) const {
    const JoinedFiles files = open_dataset(many(), {}).x->header().files;
    const Dataset data = read_dataset(many(), {});
    std::vector<std::int64_t> sums(2 * files->size());
    for (std::size_t i = 0; i < parts; ++i) {
      FilePrints part(files);
      const Range rows = part_of(data.samples(), i, parts);
      std::size_t number = 0;
      for (const Table* table : {&data.x, &data.y}) {
        const std::size_t width = table->columns * bytes_of(table->type);
        part.add(
            number++,
            {table->type, rows.size(), table->columns, table->bytes.subspan(rows.begin * width, rows.size() * width)},
            rows.begin);
      }
      const std::vector<std::int64_t> words = part.words();
      for (std::size_t w = 0; w < sums.size(); ++w) sums[w] += words[w];
    }
    return FilePrints(files).texts(sums);
  }
};

TEST_F(FilePrintsTest, TellWhatHasChanged) {
  make_many({4, 9, 9, 17});
  const std::vector<std::string> before = prints(1);
  for (const std::size_t parts : {2U, 3U, 17U}) EXPECT_EQ(prints(parts), before);
  ASSERT_EQ(before.size(), 4U);
  EXPECT_TRUE(before[1].starts_with("5 ") && before[1].ends_with(" f100001.h5")) << before[1];
  EXPECT_EQ(changed_files(before, before), "");
  make("many/f100001.h5", {5, 10});
  make("many/f100003.h5", {9, 16});
  make("many/k.h5", {0, 1});
  std::filesystem::remove(path("many/f100000.h5"));
  EXPECT_EQ(changed_files(before, prints(1)),
            "missing: f100000.h5; added: k.h5; changed: f100001.h5, f100003.h5 (8 rows, now 7)");
  EXPECT_EQ(changed_files(before, std::vector{before[3], before[0], before[1], before[2]}),
            "the same files in another order");
  EXPECT_EQ(changed_files(before, {}), "");
}

}  // namespace
}  // namespace lockstep
