#include "report/page_file.hpp"

#include <fmt/format.h>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

// Strict UTF-8 of any bytes, by way of JSON's writer, which can do that.
std::string valid_text(std::string_view text) {
  const std::string quoted = Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
  return Json::parse(quoted).get<std::string>();
}

}  // namespace

std::string markup_text(std::string_view text) {
  std::string escaped;
  for (const char c : valid_text(text)) {
    if (c == '<' || c == '>' || c == '&' || c == '"' || c == '\'') {
      escaped += fmt::format("&#{};", static_cast<int>(c));
    } else {
      escaped += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  }
  return escaped;
}

// A browser ends a script at the first "</script", whatever it is part of. In JSON these occur within texts alone.
std::string as_script_data(const nlohmann::ordered_json& json) {
  std::string text;
  for (const char c : json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) {
    if (c == '<' || c == '>' || c == '&') {
      text += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      text += c;
    }
  }
  return text;
}

std::string fill_page(std::string_view page, std::span<const PagePart> parts) {
  std::string filled;
  for (const auto& [name, text] : parts) {
    const std::string place = fmt::format("{{{{{}}}}}", name);
    const std::size_t at = page.find(place);
    if (at == std::string_view::npos) throw Error(ErrorKind::internal, fmt::format("the page has no {}", place));
    filled += page.substr(0, at);
    filled += text;
    page.remove_prefix(at + place.size());
  }
  return filled.append(page);
}

}  // namespace lockstep
