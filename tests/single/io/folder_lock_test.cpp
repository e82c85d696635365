// One folder, one writer: who holds the lock, and which locks are left behind.
#include "io/folder_lock.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

class Locked : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return folder_.path().string(); }
  [[nodiscard]] fs::path file() const { return folder_.path() / FolderLock::kName; }
  [[nodiscard]] std::string text() const {
    std::ostringstream all;
    all << std::ifstream(file()).rdbuf();
    return all.str();
  }
  // The lock as it is, with another word in the line of `name`.
  void leave_lock(const std::string& name, const std::string& word) const {
    std::string before;
    {
      const FolderLock lock(path());
      before = text();
    }
    std::istringstream all(before);
    std::ofstream out(file());
    for (std::string line; std::getline(all, line);) out << (line.starts_with(name) ? name + " " + word : line) << "\n";
  }
  void age(int minutes) const {
    fs::last_write_time(file(), fs::file_time_type::clock::now() - std::chrono::minutes(minutes));
  }
  [[nodiscard]] std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()));
  }

  TemporaryFolder folder_;
};

TEST_F(Locked, TheSecondIsRefusedAndToldWhoIsThere) {
  const FolderLock lock(path());
  expect_error(ErrorKind::config, {path().c_str(), ("process " + std::to_string(getpid())).c_str(), "--output"},
               [this] { FolderLock second(path()); });
  EXPECT_NE(find_holder(path()).value_or("").find("is in use"), std::string::npos);
  EXPECT_EQ(entries(), 1U);
}

TEST_F(Locked, NothingStaysOfIt) {
  { const FolderLock lock(path()); }
  EXPECT_EQ(entries(), 0U);
  EXPECT_FALSE(find_holder(path()));
}

TEST_F(Locked, WhatAKilledProcessLeavesIsTakenOver) {
  const pid_t child = ::fork();
  if (child == 0) {
    const FolderLock lock(path());
    ::raise(SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_TRUE(fs::exists(file()));
  EXPECT_FALSE(find_holder(path()));
  const FolderLock lock(path());
  EXPECT_NE(text().find("process " + std::to_string(getpid()) + "\n"), std::string::npos);
  EXPECT_EQ(entries(), 1U);
}

TEST_F(Locked, AnotherProcessOfTheSameNumberIsNotTheHolder) {
  leave_lock("start", "1");
  EXPECT_FALSE(find_holder(path()));
  const FolderLock lock(path());
  EXPECT_EQ(entries(), 1U);
}

TEST_F(Locked, OneOfAnotherHostCountsAsLongAsItIsRefreshed) {
  leave_lock("space", "another-boot pid:[1]");
  EXPECT_TRUE(find_holder(path()));
  int looks = 0;
  expect_error(ErrorKind::config, {"in use"}, [&] {
    FolderLock lock(path(), [&] {
      if (++looks == 5) fs::last_write_time(file(), fs::file_time_type::clock::now());
    });
  });
  age(2);
  EXPECT_FALSE(find_holder(path()));
  const FolderLock lock(path());
  EXPECT_EQ(text().find("another-boot"), std::string::npos);
}

TEST_F(Locked, ItsTimeIsSetAnew) {
  FolderLock lock(path());
  age(10);
  lock.look();
  EXPECT_GT(fs::last_write_time(file()), fs::file_time_type::clock::now() - std::chrono::minutes(1));
  EXPECT_FALSE(lock.is_taken());
}

TEST_F(Locked, WithItsFolderDeletedItComesBack) {
  FolderLock lock(path());
  const std::string before = text();
  fs::remove_all(folder_.path());
  lock.look();
  EXPECT_EQ(text(), before);
  EXPECT_TRUE(lock.was_missing());
  EXPECT_FALSE(lock.was_missing());
}

TEST_F(Locked, AHolderThatLostItKnowsAndLeavesTheOthersAlone) {
  auto lock = std::make_unique<FolderLock>(path());
  std::ofstream(file()) << "host elsewhere\nprocess 12\nsince then\n";
  lock->look();
  EXPECT_TRUE(lock->is_taken());
  EXPECT_EQ(lock->taken_by(), "process 12 on elsewhere since then");
  lock.reset();
  EXPECT_TRUE(fs::exists(file()));
}

TEST_F(Locked, APipeInItsPlaceIsRefusedAtOnce) {
  ASSERT_EQ(::mkfifo(file().c_str(), 0600), 0);
  expect_error(ErrorKind::data, {FolderLock::kName, "a pipe"}, [this] { FolderLock lock(path()); });
  expect_error(ErrorKind::data, {"a pipe"}, [this] { (void)find_holder(path()); });
}

TEST_F(Locked, AFolderThatIsNotThereIsNotMade) {
  expect_error(ErrorKind::io, {"cannot be locked", "No such file"}, [this] { FolderLock lock(path() + "/none"); });
}

}  // namespace
}  // namespace lockstep
