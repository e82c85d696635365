// The version in the code is the version of the project.
#include "lockstep/version.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

namespace lockstep {
namespace {

TEST(Version, IsThatOfTheProject) {
  std::ifstream file(LOCKSTEP_SOURCE_DIR "/CMakeLists.txt");
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_NE(text.str().find("project(lockstep VERSION " + std::string(kVersion) + " "), std::string::npos) << kVersion;
}

}  // namespace
}  // namespace lockstep
