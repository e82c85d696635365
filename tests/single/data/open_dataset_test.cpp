// Data sets that are opened and then read in parts: the parts make the whole, in every format.
#include "data/open_dataset.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/fingerprint.hpp"
#include "single/data/sample_files.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kOpenedRows = 23;
constexpr std::size_t kOpenedColumns = 6;

class OpenedSamples : public testing::Test {
 protected:
  [[nodiscard]] std::string path(const char* name) const { return (folder_.path() / name).string(); }

  // Reads both tables of `source` in 1 to 5 parts, also out of order, and compares with read_dataset.
  void check_parts(const DataSource& source) const {
    const Dataset whole = read_dataset(source, {});
    ASSERT_EQ(whole.samples(), kOpenedRows);
    for (std::size_t parts = 1; parts <= 5; ++parts) {
      const OpenDataset opened = open_dataset(source, {});
      EXPECT_EQ(opened.source, whole.source);
      check_table(*opened.x, whole.x, parts);
      check_table(*opened.y, whole.y, parts);
    }
  }

  static void check_table(TableReader& reader, const Table& whole, std::size_t parts) {
    const TableHeader& header = reader.header();
    EXPECT_EQ(header.type, whole.type);
    EXPECT_EQ(header.rows, whole.rows);
    EXPECT_EQ(header.columns, whole.columns);
    ASSERT_EQ(header.bytes(), whole.bytes.size());
    std::vector<std::byte> bytes(header.bytes(), std::byte{0xAA});
    for (std::size_t i = parts; i-- > 0;) {
      const Range rows = part_of(header.rows, i, parts);
      reader.read(rows, std::span(bytes).subspan(rows.begin * header.row_bytes(), rows.size() * header.row_bytes()));
    }
    EXPECT_TRUE(std::ranges::equal(bytes, whole.bytes)) << header.name << " in " << parts << " parts";
    EXPECT_NO_THROW(reader.read({header.rows, header.rows}, {}));
    EXPECT_THROW(reader.read({0, header.rows + 1}, bytes), Error);
    EXPECT_THROW(reader.read({0, 1}, bytes), Error);
  }

  TemporaryFolder folder_;
};

template <class T>
std::vector<T> counted(std::size_t size) {
  std::vector<T> values(size);
  std::iota(values.begin(), values.end(), T{1});
  return values;
}

TEST_F(OpenedSamples, Hdf5InParts) {
  const auto x = counted<float>(kOpenedRows * kOpenedColumns);
  const auto y = counted<std::int64_t>(kOpenedRows);
  SampleFile(path("a.h5"))
      .add<float>("/plain/x", {kOpenedRows, 2, 3}, x)
      .add<std::int64_t>("/plain/y", {kOpenedRows}, y)
      .add<float>("/packed/x", {kOpenedRows, 2, 3}, x, 0, {5, 2, 2})  // chunks that no part and no row ends with
      .add<std::int64_t>("/packed/y", {kOpenedRows}, y, 0, {7})
      .add<float>("/foreign/x", {kOpenedRows, 2, 3}, x, H5T_IEEE_F32BE, {4, 1, 3})
      .add<std::int64_t>("/foreign/y", {kOpenedRows}, y, H5T_STD_I64BE);
  for (const char* group : {":/plain", ":/packed", ":/foreign"}) {
    check_parts({path("a.h5") + group});
    EXPECT_TRUE(open_dataset({path("a.h5") + group}, {}).x->seekable());
  }
  EXPECT_EQ(read_dataset({path("a.h5:/packed")}, {}).fingerprint, read_dataset({path("a.h5:/plain")}, {}).fingerprint);
}

TEST_F(OpenedSamples, IdxInParts) {
  Bytes numbers(kOpenedRows * kOpenedColumns * 4);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<unsigned char>(i % 127);  // finite floats
  const Bytes y = idx_bytes(0x08, {kOpenedRows}, Bytes(kOpenedRows, 3));
  for (const unsigned char code : Bytes{0x0C, 0x0D}) {
    const Bytes x = idx_bytes(code, {kOpenedRows, 2, 3}, numbers);
    write_plain(path("x"), x);
    write_plain(path("y"), y);
    check_parts({path("x"), path("y")});
    EXPECT_TRUE(open_dataset({path("x"), path("y")}, {}).x->seekable());
    write_gzip(path("x"), x);
    check_parts({path("x"), path("y")});
    const OpenDataset mixed = open_dataset({path("x"), path("y")}, {});
    EXPECT_FALSE(mixed.x->seekable());
    EXPECT_TRUE(mixed.y->seekable());
  }
}

TEST_F(OpenedSamples, AreToldApartByTheirFiles) {
  SampleFile(path("a.h5")).add<float>("/x", {1}, {1}).add<float>("/y", {1}, {0});
  std::filesystem::copy_file(path("a.h5"), path("b.h5"));
  const std::string identity = open_dataset({path("a.h5")}, {}).identity;
  EXPECT_EQ(open_dataset({path("a.h5") + ":/"}, {}).identity, identity);
  EXPECT_NE(open_dataset({path("b.h5")}, {}).identity, identity);
  EXPECT_EQ(open_dataset({path("b.h5")}, {}).identity.size(), identity.size());
}

TEST_F(OpenedSamples, AreCheckedAgainstEachOtherBeforeTheyAreRead) {
  SampleFile(path("a.h5")).add<float>("/x", {2, 1}, {1, NAN}).add<float>("/y", {1}, {0});
  expect_error(ErrorKind::data, {"/x holds 2 samples", "/y 1"}, [&] { (void)open_dataset({path("a.h5")}, {}); });
}

TEST(FingerprintBlocks, MakeWhatTheDefinitionSays) {
  // Two blocks and a short one of x, one short block of y.
  constexpr std::size_t columns = 3;
  std::vector<std::uint16_t> numbers(columns * (kFingerprintBlock / columns + 5));
  std::iota(numbers.begin(), numbers.end(), std::uint16_t{7});
  const Table x = make_table(columns, numbers);
  const Table y = make_table(1, std::vector<std::int8_t>(x.rows, 1));
  ASSERT_EQ(fingerprint_blocks(x.bytes.size()), 3U);
  ASSERT_EQ(fingerprint_blocks(y.bytes.size()), 1U);

  Hash expected;
  for (const Table* table : {&x, &y}) {
    expected.integer(static_cast<std::uint64_t>(table->type));
    expected.integer(table->rows);
    expected.integer(table->columns);
    for (std::size_t begin = 0; begin < table->bytes.size(); begin += kFingerprintBlock) {
      expected.bytes(hash_bytes(table->bytes.subspan(begin, std::min(kFingerprintBlock, table->bytes.size() - begin))));
    }
  }
  for (std::size_t parts = 1; parts <= 6; ++parts) {
    std::vector<HashBytes> hashes(4);
    for (std::size_t i = 0; i < parts; ++i) {
      const Range blocks = part_of(4, i, parts);
      hash_blocks(x, y, blocks, std::span(hashes).subspan(blocks.begin, blocks.size()));
    }
    EXPECT_EQ(fingerprint(x, y, hashes), expected.hex()) << parts << " parts";
  }
  expect_error(ErrorKind::usage, {"too few"}, [&] { (void)fingerprint(x, y, std::vector<HashBytes>(3)); });
  expect_error(ErrorKind::usage, {"too many"}, [&] { (void)fingerprint(x, y, std::vector<HashBytes>(5)); });
  EXPECT_EQ(fingerprint_blocks(0), 0U);
  EXPECT_EQ(fingerprint_blocks(kFingerprintBlock), 1U);
}

TEST(FingerprintBlocks, StayWhatTheyAre) {  // checkpoints hold it
  const Table x = make_table(2, std::vector<float>{1, 2, 3, 4});
  const Table y = make_table(1, std::vector<std::int32_t>{0, 1});
  std::vector<HashBytes> hashes(2);
  hash_blocks(x, y, {0, 2}, hashes);
  EXPECT_EQ(fingerprint(x, y, hashes), "41e4eb2b7cc5646ebc475d8801ab3a07");
}

}  // namespace
}  // namespace lockstep
