// Pairs of .npy files: what NumPy writes, and what is refused.
#include <cstring>

#include "single/data/sample_files.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

template <class T>
Bytes npy(const std::string& header, const std::vector<T>& values, unsigned char version = 1) {
  Bytes bytes = {0x93, 'N', 'U', 'M', 'P', 'Y', version, 0};
  for (std::size_t i = 0; i < (version == 1 ? 2U : 4U); ++i) {
    bytes.push_back(static_cast<unsigned char>(header.size() >> (8 * i) & 255U));
  }
  bytes.insert(bytes.end(), header.begin(), header.end());
  const auto* numbers = reinterpret_cast<const unsigned char*>(values.data());
  bytes.insert(bytes.end(), numbers, numbers + values.size() * sizeof(T));
  return bytes;
}

std::string header(const std::string& descr, const std::string& shape, const std::string& order = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

class NpyPair : public testing::Test {
 protected:
  NpyPair() {
    write_plain(x_, npy<float>(header("<f4", "(3, 2)"), {1, 2, 3, 4, 5, 6}));
    write_plain(y_, npy<std::int64_t>(header("<i8", "(3,)"), {2, 0, 1}));
  }
  [[nodiscard]] Dataset read() const { return read_dataset({x_, y_}, {}); }
  template <class T>
  void refuses(const std::string& text, const std::vector<T>& values, std::initializer_list<const char*> says) const {
    write_plain(x_, npy(text, values));
    expect_error(ErrorKind::data, {"x.npy"}, [&] { (void)read(); });
    expect_error(ErrorKind::data, says, [&] { (void)read(); });
  }
  TemporaryFolder folder_;
  std::string x_ = (folder_.path() / "x.npy").string();
  std::string y_ = (folder_.path() / "y.npy").string();
};

TEST_F(NpyPair, IsRead) {
  const Dataset data = read();
  EXPECT_EQ(data.x.type, ElementType::f32);
  EXPECT_EQ(data.y.type, ElementType::i64);
  EXPECT_EQ(row_of(data.x, 2), (std::vector<double>{5, 6}));
  EXPECT_EQ(row_of(data.y, 0), (std::vector<double>{2}));
  EXPECT_EQ(count_classes(data, nullptr, {}), 3U);
}

TEST_F(NpyPair, MayHaveOtherVersionsTypesAndShapes) {
  write_plain(
      x_, npy<std::int16_t>("{\"shape\":(3,2,1),\"fortran_order\":False,\"descr\":\"<i2\"}", {1, 2, 3, 4, -5, 6}, 2));
  EXPECT_EQ(row_of(read().x, 2), (std::vector<double>{-5, 6}));
  write_plain(x_, npy<unsigned char>(header("|u1", "(3, 2)"), {1, 2, 3, 4, 255, 6}, 3));
  EXPECT_EQ(row_of(read().x, 2), (std::vector<double>{255, 6}));
  write_plain(x_, npy<double>(header("<f8", "(3,)", "True"), {1, 2, 3}));  // of one dimension both orders are one
  EXPECT_EQ(row_of(read().x, 2), (std::vector<double>{3}));
  write_plain(y_, idx_bytes(0x08, {3}, {7, 8, 9}));  // and IDX beside it
  EXPECT_EQ(row_of(read().y, 2), (std::vector<double>{9}));
}

TEST_F(NpyPair, RefusesOtherTypes) {
  const std::vector<float> six(6);
  refuses(header(">f4", "(3, 2)"), six, {"'>f4'", "big-endian", "newbyteorder"});
  refuses(header("|O", "(3, 2)"), six, {"Python objects"});
  refuses(header("<c8", "(3,)"), six, {"complex"});
  refuses(header("|b1", "(3, 2)"), std::vector<char>(6), {"boolean", "uint8"});
  refuses(header("<f2", "(3, 2)"), std::vector<std::int16_t>(6), {"half precision"});
  refuses(header("<U4", "(3, 2)"), six, {"'<U4'", "expected float32"});
  refuses("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,), }", six, {"several fields"});
}

TEST_F(NpyPair, RefusesFortranOrder) {
  refuses(header("<f4", "(3, 2)", "True"), std::vector<float>(6), {"Fortran order", "ascontiguousarray"});
}

TEST_F(NpyPair, RefusesDamage) {
  const std::vector<float> six(6);
  refuses(header("<f4", "(3, 2)"), std::vector<float>(5), {"[3, 2]", "20 bytes", "not 24"});
  refuses(header("<f4", "(3, 2)"), std::vector<float>(7), {"28 bytes"});
  refuses(header("<f4", "()"), std::vector<float>(1), {"single number"});
  refuses(header("<f4", "(0, 2)"), std::vector<float>(), {"no samples"});
  refuses(header("<f4", "(18446744073709551615, 2)"), six, {"cut off or damaged"});
  refuses(header("<f4", "(99999999999999999999, 2)"), six, {"shape"});
  refuses(header("<f4", "(3 2)"), six, {"comma"});
  refuses(header("<f4", "(-3, 2)"), six, {"shape"});
  refuses(header("<f4", "(3, 2"), six, {"header"});
  refuses(header("<f4", "(3, 2)", "Maybe"), six, {"True or False"});
  refuses("{'descr': '<f4', 'shape': (3, 2)}", six, {"'fortran_order'"});
  refuses("{'descr': '<f4', 'descr': '<f4'}", six, {"once each"});
  refuses("{'descr': '<f4", six, {"quote is not closed"});
  refuses("", six, {"expected '{'"});
  const Bytes whole = npy<float>(header("<f4", "(3, 2)"), six);
  for (const std::size_t size : {7U, 9U, 30U}) {
    write_plain(x_, std::span(whole).first(size));
    expect_error(ErrorKind::data, {"cut off"}, [&] { (void)read(); });
  }
  write_plain(x_, npy<float>(header("<f4", "(3, 2)"), six, 9));
  expect_error(ErrorKind::data, {"version 9.0"}, [&] { (void)read(); });
}

TEST_F(NpyPair, IsAskedForWhereOneFileIsGiven) {
  expect_error(ErrorKind::data, {"looks like .npy", "y = \"LABELS\""}, [&] { (void)read_dataset({x_}, {}); });
}

TEST(Csv, IsToBeImportedFirst) {
  const TemporaryFolder folder;
  const std::string table = (folder.path() / "table.CSV").string();
  write_plain(table, Bytes{'a', ',', 'b'});
  for (const DataSource& source : {DataSource{table}, DataSource{table, table}}) {
    expect_error(ErrorKind::data, {"table.CSV", "lockstep import", "--target"},
                 [&] { (void)read_dataset(source, {}); });
  }
}

}  // namespace
}  // namespace lockstep
