// What pages are put together with: texts as markup, numbers for a script, parts in their places.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace lockstep {

/// `text` as it may stand between tags and in attributes of HTML, SVG and XML. Bytes that are no UTF-8 become the
/// replacement character, and control characters blanks.
[[nodiscard]] std::string markup_text(std::string_view text);

/// `json` as it may stand in a script of type application/json. Bytes that are no UTF-8 become the replacement
/// character.
[[nodiscard]] std::string as_script_data(const nlohmann::ordered_json& json);

using PagePart = std::pair<std::string_view, std::string_view>;  ///< name, what stands for it

/// Puts the parts in the place of "{{name}}" in the page, each once and in their order; what is put in is not looked at
/// again. Errors: internal (the page has no such place).
[[nodiscard]] std::string fill_page(std::string_view page, std::span<const PagePart> parts);

}  // namespace lockstep
