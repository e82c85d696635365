#include "report/page_file.hpp"

#include <gtest/gtest.h>

#include <array>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

TEST(PageFile, MarkupOfAnyBytesIsText) {
  EXPECT_EQ(markup_text("a<b>&\"'"), "a&#60;b&#62;&#38;&#34;&#39;");
  EXPECT_EQ(markup_text("line\nend\x01"), "line end ");
  EXPECT_EQ(markup_text("\xc3\xa4\xff"), "\xc3\xa4\xef\xbf\xbd");
}

TEST(PageFile, ScriptDataEndsNoScript) {
  const nlohmann::ordered_json json{{"name", "</script>&\xff"}};
  const std::string text = as_script_data(json);
  EXPECT_EQ(text.find_first_of("<>&"), std::string::npos);
  EXPECT_EQ(nlohmann::ordered_json::parse(text)["name"], "</script>&\xef\xbf\xbd");
}

TEST(PageFile, PartsAreNotLookedAtAgain) {
  const std::array<PagePart, 2> parts{{{"a", "{{b}}"}, {"b", "2"}}};
  EXPECT_EQ(fill_page("<{{a}}|{{b}}>", parts), "<{{b}}|2>");
  EXPECT_THROW((void)fill_page("{{a}}", parts), Error);
}

}  // namespace
}  // namespace lockstep
