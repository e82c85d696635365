// The files of src/report/page and src/explain/page, and Chart.js, as texts; the source with them is made by
// src/cmake/embed.cmake.
#pragma once

#include <string_view>

namespace lockstep {

extern const std::string_view kPageHtml;
extern const std::string_view kPageStyle;
extern const std::string_view kPageScript;
extern const std::string_view kChartScript;
extern const std::string_view kExplainHtml;
extern const std::string_view kExplainStyle;
extern const std::string_view kExplainScript;
extern const std::string_view kNetworkStyle;  ///< of drawings of nets, also outside of pages

}  // namespace lockstep
