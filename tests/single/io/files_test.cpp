// Reading whole files, and writing that leaves the old file when it fails.
#include "io/files.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <fstream>
#include <string>
#include <string_view>

#include "io/places.hpp"
#include "support/expect_error.hpp"
#include "support/file_size_limit.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

void write(const std::filesystem::path& path, std::string_view text) {
  const std::array parts = {bytes(text)};
  write_file_atomically(path, parts);
}

std::string read(const std::filesystem::path& path) {
  const std::vector<std::byte> all = read_file(path);
  return {reinterpret_cast<const char*>(all.data()), all.size()};
}

std::size_t entries(const std::filesystem::path& folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

// It has holes, so that it is no larger on the disk.
TEST(ReadFile, RefusesWhatThereIsNoMemoryFor) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "huge";
  write(path, "x");
  std::filesystem::resize_file(path, std::size_t{1} << 43U);
  expect_error(ErrorKind::config, {path.c_str(), "needs 8796093.0 MB of memory; "}, [&] { (void)read_file(path); });
  EXPECT_EQ(read_begin(path, 1).size(), 1U);
}

TEST(WriteFileAtomically, WritesThePartsOneBehindTheOther) {
  const TemporaryFolder folder;
  const std::array parts = {bytes("first "), bytes(""), bytes("second")};
  write_file_atomically(folder.path() / "file", parts);
  EXPECT_EQ(read(folder.path() / "file"), "first second");
  EXPECT_EQ(entries(folder.path()), 1U);
}

TEST(WriteFileAtomically, ReplacesAFile) {
  const TemporaryFolder folder;
  write(folder.path() / "file", "a longer old text");
  write(folder.path() / "file", "new");
  EXPECT_EQ(read(folder.path() / "file"), "new");
}

TEST(WriteFileAtomically, FailsInAMissingFolder) {
  const TemporaryFolder folder;
  expect_error(ErrorKind::io, {}, [&] { write(folder.path() / "missing" / "file", "text"); });
  EXPECT_EQ(entries(folder.path()), 0U);
}

TEST(WriteFileAtomically, LeavesAFolderInItsPlaceAndNoTemporaryFile) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "target");
  expect_error(ErrorKind::io, {}, [&] { write(folder.path() / "target", "text"); });
  EXPECT_TRUE(std::filesystem::is_directory(folder.path() / "target"));
  EXPECT_EQ(entries(folder.path()), 1U);
}

TEST(WriteFileAtomically, KeepsTheOldFileWhenTheTemporaryOneCannotBeMade) {
  const TemporaryFolder folder;
  // The temporary name is longer than the name itself: 250 characters fit, with a suffix they do not.
  const std::filesystem::path path = folder.path() / std::string(250, 'a');
  write(folder.path() / "old", "old");
  std::filesystem::rename(folder.path() / "old", path);
  expect_error(ErrorKind::io, {}, [&] { write(path, "new"); });
  EXPECT_EQ(read(path), "old");
  EXPECT_EQ(entries(folder.path()), 1U);
}

TEST(WriteFileAtomically, NamesFileAndReason) {
  expect_error(ErrorKind::io, {"/proc/no-such-folder/file", "No such file or directory"},
               [] { write("/proc/no-such-folder/file", "text"); });
}

// As root a rename would put a file in the place of a device.
TEST(WriteFileAtomically, LeavesAPipeInItsPlace) {
  const TemporaryFolder folder;
  const auto pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  expect_error(ErrorKind::io, {"pipe", "expected a file"}, [&] { write_file_atomically(pipe, {}); });
  EXPECT_EQ(std::filesystem::status(pipe).type(), std::filesystem::file_type::fifo);
}

TEST(WriteFileAtomically, ALinkStaysAndWhatItPointsToIsNew) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "there");
  std::filesystem::create_symlink("second", folder.path() / "first");
  std::filesystem::create_symlink("there/file", folder.path() / "second");
  for (const char* text : {"one", "two"}) {  // the first time there is nothing yet
    write(folder.path() / "first", text);
    EXPECT_TRUE(std::filesystem::is_symlink(folder.path() / "first"));
    EXPECT_TRUE(std::filesystem::is_symlink(folder.path() / "second"));
    EXPECT_EQ(read(folder.path() / "there/file"), text);
  }
  std::filesystem::create_symlink("circle", folder.path() / "circle");
  expect_error(ErrorKind::io, {"circle", "links"}, [&] { write(folder.path() / "circle", "text"); });
}

TEST(MakeFolders, MakesThemWhereALinkPointsToNothing) {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("scratch/run", folder.path() / "run");
  make_folders(folder.path() / "run/checkpoints");
  EXPECT_TRUE(std::filesystem::is_directory(folder.path() / "scratch/run/checkpoints"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder.path() / "run"));
  make_folders((folder.path() / "other/").string());
  EXPECT_TRUE(std::filesystem::is_directory(folder.path() / "other"));
  write(folder.path() / "file", "");
  expect_error(ErrorKind::io, {"cannot make the folder"}, [&] { make_folders(folder.path() / "file/run"); });
}

TEST(RemoveLinkedFile, LeavesTheLink) {
  const TemporaryFolder folder;
  write(folder.path() / "file", "");
  std::filesystem::create_symlink("file", folder.path() / "link");
  remove_linked_file(folder.path() / "link");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "file"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder.path() / "link"));
}

TEST(FileIdentity, IsThatOfOneUnchangedFile) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "a";
  std::ofstream(path) << "one";
  std::filesystem::create_symlink(path, folder.path() / "link");
  std::filesystem::copy_file(path, folder.path() / "copy");
  const std::string before = file_identity(path);
  EXPECT_EQ(file_identity(folder.path() / "link"), before);
  EXPECT_NE(file_identity(folder.path() / "copy"), before);
  std::ofstream(path, std::ios::app) << "more";
  EXPECT_NE(file_identity(path), before);
  expect_error(ErrorKind::io, {"missing"}, [&] { (void)file_identity(folder.path() / "missing"); });
}

TEST(ReadFile, RefusesWhatIsNoRegularFile) {
  const TemporaryFolder folder;
  const std::filesystem::path pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  expect_error(ErrorKind::data, {}, [&] { (void)read_file(folder.path() / "missing"); });
  expect_error(ErrorKind::data, {}, [&] { (void)read_file(folder.path()); });
  expect_error(ErrorKind::data, {}, [&] { (void)read_file(pipe); });
}

TEST(ReadFile, ReadsAnEmptyFile) {
  const TemporaryFolder folder;
  write(folder.path() / "empty", "");
  EXPECT_TRUE(read_file(folder.path() / "empty").empty());
}

TEST(RowFile, KeepsWhatCannotBeWrittenAndLeavesNoTornRow) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "rows.csv";
  write(path, "head\n");
  RowFile file(path);
  EXPECT_EQ(file.add("1,one\n"), "");
  {
    const FileSizeLimit limit(14);
    EXPECT_NE(file.add("2,two\n").find("rows.csv: cannot be written"), std::string::npos);
    EXPECT_EQ(read(path), "head\n1,one\n2,t");
    EXPECT_EQ(file.add("3,three\n"), "");  // said already
  }
  EXPECT_EQ(file.add("4,four\n"), "");
  EXPECT_EQ(read(path), "head\n1,one\n2,two\n3,three\n4,four\n");
}

TEST(RowFile, RefusesWhatCannotBeOpened) {
  expect_error(ErrorKind::io, {"/none/rows.csv"}, [] { RowFile("/none/rows.csv"); });
  const TemporaryFolder folder;  // a pipe would keep who opens it until it is read
  const std::filesystem::path pipe = folder.path() / "rows.csv";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  expect_error(ErrorKind::io, {"rows.csv", "found a pipe"}, [&] { RowFile rows(pipe); });
}

TEST(RowFile, ADeletedFileIsMadeAnewWithAllItsRows) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "run/rows.csv";
  make_folders(path.parent_path());
  write(path, "head\n");
  RowFile file(path);
  EXPECT_EQ(file.add("1,one\n"), "");
  std::filesystem::remove_all(path.parent_path());
  EXPECT_EQ(file.add("2,two\n"), "");
  EXPECT_EQ(read(path), "head\n1,one\n2,two\n");
  std::filesystem::remove_all(path.parent_path());
  write(folder.path() / "run", "no folder");
  EXPECT_NE(file.add("3,three\n").find("cannot make the folder"), std::string::npos);
  std::filesystem::remove(folder.path() / "run");
  EXPECT_EQ(file.finish(), "");
  EXPECT_EQ(read(path), "head\n1,one\n2,two\n3,three\n");
}

TEST(RowFile, AFileThatIsReplacedGoesOn) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "rows.csv";
  RowFile file(path);
  EXPECT_EQ(file.add("1\n"), "");
  write(path, "edited\n");
  EXPECT_EQ(file.add("2\n"), "");
  EXPECT_EQ(read(path), "edited\n2\n");
}

TEST(WriteFileAtomically, AFullDiskLeavesTheOldFileAndNothingBesideIt) {
  const TemporaryFolder folder;
  write(folder.path() / "file", "old");
  const FileSizeLimit limit(4);
  expect_error(ErrorKind::io, {"cannot be written"}, [&] { write(folder.path() / "file", "new and longer"); });
  EXPECT_EQ(read(folder.path() / "file"), "old");
  EXPECT_EQ(entries(folder.path()), 1U);
}

TEST(WriteFileAtomically, GivesASignOfLifeBetweenLargePieces) {
  const TemporaryFolder folder;
  const std::vector<std::byte> large((std::size_t{1} << 27U) + 5);  // 128 MiB and a little
  const std::array<std::span<const std::byte>, 2> parts{std::span(large), bytes("end")};
  int signs = 0;
  write_file_atomically(folder.path() / "file", parts, [&] { ++signs; });
  EXPECT_EQ(signs, 2);
  EXPECT_EQ(std::filesystem::file_size(folder.path() / "file"), large.size() + 3);
}

}  // namespace
}  // namespace lockstep
