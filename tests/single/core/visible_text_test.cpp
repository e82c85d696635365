#include "core/visible_text.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace lockstep {
namespace {

TEST(Visible, LeavesLettersOfAllLanguagesAsTheyAre) {
  for (const char* text : {"", "plain text, \\ and 'quotes'", "\xC3\xA9t\xC3\xA9", "\xE2\x82\xAC", "\xD7\xA9\xD7\x9C",
                           "\xE6\x97\xA5\xE6\x9C\xAC", "\xF0\x9F\x98\x80"}) {
    EXPECT_EQ(visible(text), text);
    EXPECT_EQ(visible_lines(text), text);
  }
}

TEST(Visible, WritesOutWhatSteersATerminal) {
  EXPECT_EQ(visible("a\x1B[2Jb"), "a\\u001b[2Jb");
  EXPECT_EQ(visible("a\nlockstep: error: b\r\t"), "a\\nlockstep: error: b\\r\\t");
  EXPECT_EQ(visible(std::string_view("\0\x7F\x07", 3)), "\\u0000\\u007f\\u0007");
  EXPECT_EQ(visible("\xC2\x9B"
                    "31m"),
            "\\u009b31m");  // a control sequence in one character
  EXPECT_EQ(visible("user\xE2\x80\xAEtxt.exe\xE2\x81\xA6"), "user\\u202etxt.exe\\u2066");
  EXPECT_EQ(visible("a\xE2\x80\xA8"
                    "b"),
            "a\\u2028b");
}

TEST(Visible, WritesOutBytesThatAreNoUtf8) {
  EXPECT_EQ(visible("\xE9t\xE9"), "\\xe9t\\xe9");
  EXPECT_EQ(visible("\x9B"
                    "31m\xE2\x82"),
            "\\x9b31m\\xe2\\x82");
  EXPECT_EQ(visible("\xC0\x9B"), "\\xc0\\x9b");           // an escape spelled too long
  EXPECT_EQ(visible("\xED\xA0\x80"), "\\xed\\xa0\\x80");  // half of a pair
}

TEST(Visible, IsTheSameTheSecondTime) {
  const std::string once = visible("a\x1B\n\xFF\xC2\x9B\\n");
  EXPECT_EQ(visible(once), once);
  EXPECT_EQ(visible_lines(once), once);
}

TEST(VisibleLines, KeepLinesAndTabs) {
  EXPECT_EQ(visible_lines("a\tb\nc\r\x1B\n"), "a\tb\nc\\r\\u001b\n");
}

TEST(VisibleLines, OfJsonAreJsonOfTheSameValue) {
  const nlohmann::json json = {{"name", "a\x1B\x7F\xC2\x9B\xE2\x80\xAE\n\"\\"}};
  EXPECT_EQ(nlohmann::json::parse(visible_lines(json.dump(2))), json);
}

TEST(Utf8Size, IsThatOfTheFirstCharacter) {
  EXPECT_EQ(utf8_size(""), 0U);
  EXPECT_EQ(utf8_size("ab"), 1U);
  EXPECT_EQ(utf8_size("\xC3\xA9z"), 2U);
  EXPECT_EQ(utf8_size("\xE2\x82\xACz"), 3U);
  EXPECT_EQ(utf8_size("\xF0\x9F\x98\x80z"), 4U);
  for (const char* text : {"\x80", "\xC1\xBF", "\xE2\x82", "\xE0\x9F\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80"}) {
    EXPECT_EQ(utf8_size(text), 0U);
  }
}

}  // namespace
}  // namespace lockstep
