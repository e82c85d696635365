// The files of src/report/page and Chart.js as texts; the source with them is made by src/cmake/embed.cmake.
#pragma once

#include <string_view>

namespace lockstep {

extern const std::string_view kPageHtml;
extern const std::string_view kPageStyle;
extern const std::string_view kPageScript;
extern const std::string_view kChartScript;

}  // namespace lockstep
