// IDX pairs: plain and gzip, every type, and damaged files.
#include "data/dataset.hpp"
#include "data/open_dataset.hpp"
#include "single/data/sample_files.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

class IdxSamples : public testing::Test {
 protected:
  [[nodiscard]] std::string path(const char* name) const { return (folder_.path() / name).string(); }
  [[nodiscard]] Dataset read() const { return read_dataset({path("x"), path("y")}, {}); }
  void refuses(std::initializer_list<const char*> says) const {
    expect_error(ErrorKind::data, says, [&] { (void)read(); });
  }
  TemporaryFolder folder_;
  const Bytes x_ = idx_bytes(0x08, {3, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255});
  const Bytes y_ = idx_bytes(0x08, {3}, {2, 0, 1});
};

TEST_F(IdxSamples, AreReadPlainAndCompressed) {
  write_plain(path("x"), x_);
  write_plain(path("y"), y_);
  const Dataset plain = read();
  EXPECT_EQ(plain.samples(), 3U);
  EXPECT_EQ(plain.inputs(), 4U);
  EXPECT_EQ(row_of(plain.x, 2), (std::vector<double>{8, 9, 10, 255}));
  EXPECT_EQ(row_of(plain.y, 0), std::vector<double>{2});
  write_gzip(path("x"), x_);
  write_gzip(path("y"), y_);
  EXPECT_EQ(read().fingerprint, plain.fingerprint);
}

TEST_F(IdxSamples, AreReadInEveryType) {
  struct Case {
    unsigned char code;
    Bytes bytes;
    double value;
  };
  const std::vector<Case> cases = {
      {0x08, {200}, 200},
      {0x09, {0xFE}, -2},
      {0x0B, {0xFE, 0xD4}, -300},
      {0x0C, {0x00, 0x01, 0x11, 0x70}, 70000},
      {0x0D, {0x3F, 0xC0, 0x00, 0x00}, 1.5},
      {0x0E, {0xBF, 0xF8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00}, -1.5},
  };
  write_plain(path("y"), idx_bytes(0x08, {1}, {0}));
  for (const Case& c : cases) {
    write_plain(path("x"), idx_bytes(c.code, {1}, c.bytes));
    EXPECT_EQ(row_of(read().x, 0), std::vector<double>{c.value}) << int{c.code};
  }
}

TEST_F(IdxSamples, CutOffAnywhereAreAnError) {
  write_plain(path("y"), y_);
  for (std::size_t length = 0; length < x_.size(); ++length) {
    write_plain(path("x"), std::span(x_).first(length));
    refuses({"x"});
  }
  write_gzip(path("x"), x_);
  std::ifstream file(path("x"), std::ios::binary);
  const Bytes packed{std::istreambuf_iterator<char>(file), {}};
  for (std::size_t length = 0; length < packed.size(); ++length) {
    write_plain(path("x"), std::span(packed).first(length));
    refuses({"x"});
  }
}

TEST_F(IdxSamples, WithAFlippedBitInTheCompressedStreamAreAnError) {
  write_plain(path("y"), y_);
  write_gzip(path("x"), x_);
  std::ifstream file(path("x"), std::ios::binary);
  Bytes packed{std::istreambuf_iterator<char>(file), {}};
  packed[packed.size() - 6] ^= 1U;  // within the checksum
  write_plain(path("x"), packed);
  refuses({"x", "damaged"});
}

TEST_F(IdxSamples, FewerOrMoreThanTheHeaderSaysAreAnError) {
  write_plain(path("y"), y_);
  Bytes longer = x_;
  longer.push_back(1);
  write_plain(path("x"), longer);
  refuses({"[3, 2, 2]", "12 bytes", "more"});
  write_plain(path("x"), std::span(x_).first(x_.size() - 2));
  refuses({"[3, 2, 2]", "12 bytes", "holds 10"});
}

TEST_F(IdxSamples, AreRefusedBeforeTheyAreReadWherePlain) {
  write_plain(path("y"), y_);
  const auto open = [&] { (void)open_dataset({path("x"), path("y")}, {}); };
  write_plain(path("x"), std::span(x_).first(x_.size() - 2));
  expect_error(ErrorKind::data, {"12 bytes", "holds 10"}, open);
  write_gzip(path("x"), std::span(x_).first(x_.size() - 2));
  EXPECT_NO_THROW(open());  // what is in it shows when it is read
  refuses({"12 bytes", "holds 10"});
}

TEST_F(IdxSamples, CutOffOnceTheyAreOpenAreAnError) {
  write_plain(path("x"), x_);
  write_plain(path("y"), y_);
  const OpenDataset opened = open_dataset({path("x"), path("y")}, {});
  std::filesystem::resize_file(path("x"), x_.size() - 2);
  std::vector<std::byte> row(4);
  EXPECT_NO_THROW(opened.x->read({1, 2}, row));
  expect_error(ErrorKind::data, {"12 bytes", "holds 10"}, [&] { opened.x->read({2, 3}, row); });
}

TEST_F(IdxSamples, OfAbsurdSizeAreRefusedBeforeMemoryIsTaken) {
  write_plain(path("y"), y_);
  write_plain(path("x"), idx_bytes(0x0E, {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, {1}));
  refuses({"more than the file can hold"});
  write_plain(path("x"), idx_bytes(0x08, {0, 0xFFFFFFFF}, {}));
  refuses({"more than the file can hold"});
}

TEST_F(IdxSamples, SwappedAreAnErrorThatHelps) {
  write_plain(path("x"), y_);
  write_plain(path("y"), x_);
  refuses({"[3, 2, 2]", "swapped?"});
}

TEST_F(IdxSamples, OfDifferentLengthsAreRefused) {
  write_plain(path("x"), x_);
  write_plain(path("y"), idx_bytes(0x08, {2}, {2, 0}));
  refuses({"holds 3 samples", "2; expected"});
}

TEST_F(IdxSamples, MustBeIdx) {
  write_plain(path("y"), y_);
  write_plain(path("x"), idx_bytes(0x0A, {1}, {1}));  // no such type
  refuses({"not an IDX file"});
  write_plain(path("x"), Bytes{0, 0, 8, 0, 1});  // no dimensions
  refuses({"not an IDX file"});
  SampleFile(path("x")).add<float>("/x", {1}, {1});
  refuses({"is an HDF5 file", "name the data set in it"});
  std::filesystem::remove(path("x"));
  refuses({"No such file"});
  std::filesystem::create_directory(path("x"));
  refuses({"folder"});
}

}  // namespace
}  // namespace lockstep
