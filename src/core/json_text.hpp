// JSON as text for people and scripts.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace lockstep {

/// Indented by two. Bytes that are not UTF-8, of a path or a name, become U+FFFD; by itself the library would throw.
[[nodiscard]] inline std::string json_text(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace lockstep
