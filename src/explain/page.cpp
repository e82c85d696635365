#include "explain/page.hpp"

#include <array>

#include "explain/json.hpp"
#include "explain/network_svg.hpp"
#include "lockstep/version.hpp"
#include "report/page_file.hpp"
#include "report/page_parts.hpp"

namespace lockstep {

std::string explanation_page(const Explanation& explanation) {
  nlohmann::ordered_json json{{"format", "lockstep-explain"}, {"version", kVersion}};
  json.update(explanation_json(explanation));
  const std::string title = markup_text(explanation.run);
  const std::string drawing = network_drawing(explanation);
  const std::string numbers = as_script_data(json);
  const std::array<PagePart, 5> parts{{{"title", title},
                                       {"style", kExplainStyle},
                                       {"drawing", drawing},
                                       {"numbers", numbers},
                                       {"script", kExplainScript}}};
  return fill_page(kExplainHtml, parts);
}

}  // namespace lockstep
