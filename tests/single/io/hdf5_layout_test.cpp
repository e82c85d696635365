// Files that HDF5 lays out and others fill.
#include "io/hdf5_layout.hpp"

#include <gtest/gtest.h>

#include <array>
#include <numeric>

#include "io/files.hpp"
#include "io/hdf5.hpp"
#include "io/new_file.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep::h5 {
namespace {

TEST(PlanFile, NumbersWrittenWhereItSaysAreReadByHdf5) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "a.h5").string();
  std::vector<float> numbers(70000);
  std::iota(numbers.begin(), numbers.end(), 0.0F);
  const std::vector<std::int64_t> labels = {3, 1, 2};
  const std::string names(100000, 'n');
  const std::array<PlannedTable, 2> tables = {PlannedTable{"/train/x", ElementType::f32, {1000, 70}},
                                              PlannedTable{"/train/y", ElementType::i64, {3}}};
  const std::array<PlannedAttribute, 3> attributes = {PlannedAttribute{"classes", "[]"},
                                                      PlannedAttribute{"features", names},
                                                      PlannedAttribute{"version", std::int64_t{7}}};
  const Layout layout = plan_file(path, tables, attributes);
  NewFile file(path);
  file.write(layout.offsets[1], std::as_bytes(std::span(labels)));
  file.write(layout.offsets[0], std::as_bytes(std::span(numbers)));
  for (const Layout::Piece& piece : layout.rest) file.write(piece.offset, piece.bytes);
  file.commit();
  EXPECT_EQ(std::filesystem::file_size(path), layout.file_bytes);

  const File read = File::open(path);
  std::vector<float> got(numbers.size());
  read.read("/train/x", got);
  EXPECT_EQ(got, numbers);
  std::vector<std::int64_t> got_labels(3);
  read.read("/train/y", got_labels);
  EXPECT_EQ(got_labels, labels);
  EXPECT_EQ(read.text_attribute("/", "features"), names);
  EXPECT_EQ(read.integer_attribute("/", "version"), 7);
  EXPECT_TRUE(read.storage("/train/x").chunk.empty());
}

TEST(PlanFile, TakesNoMemoryForTheNumbers) {
  const std::array<PlannedTable, 1> tables = {PlannedTable{"/x", ElementType::f64, {std::size_t{1} << 34U, 100}}};
  const Layout layout = plan_file("a.h5", tables, {});
  EXPECT_GT(layout.file_bytes, std::size_t{800} << 34U);
  std::size_t rest = 0;
  for (const Layout::Piece& piece : layout.rest) rest += piece.bytes.size();
  EXPECT_LT(rest, 100000U);
}

TEST(PlanFile, RefusesTablesWithoutElements) {
  const std::array<PlannedTable, 1> tables = {PlannedTable{"/x", ElementType::f32, {0, 3}}};
  expect_error(ErrorKind::usage, {"/x", "no elements"}, [&] { (void)plan_file("a.h5", tables, {}); });
}

TEST(NewFile, LeavesNothingUnlessItIsCommitted) {
  const TemporaryFolder folder;
  const std::array bytes = {std::byte{1}, std::byte{2}};
  {
    NewFile file(folder.path() / "a");
    file.write(5, bytes);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  NewFile file(folder.path() / "a");
  file.write(5, bytes);
  file.commit();
  EXPECT_EQ(read_file(folder.path() / "a").size(), 7U);
  EXPECT_EQ(read_end(folder.path() / "a", 2), (std::vector<std::byte>{std::byte{1}, std::byte{2}}));
  EXPECT_EQ(read_end(folder.path() / "a", 100).size(), 7U);
}

}  // namespace
}  // namespace lockstep::h5
