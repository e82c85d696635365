// Texts of strangers on a terminal: names out of files, file names, messages that quote them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// Bytes of the character that `text` begins with; 0: it begins with none. Source: RFC 3629, section 4.
[[nodiscard]] std::size_t utf8_size(std::string_view text) noexcept;

/// `text` on one line, with all that would steer a terminal or mislead who reads it written out: \n, \r and \t; \u001b
/// and so on for other control characters, for line and paragraph separators and for what turns the direction of
/// writing; \xff for a byte that is no UTF-8. Everything else stays as it is, backslashes too.
[[nodiscard]] std::string visible(std::string_view text);
[[nodiscard]] std::vector<std::string> visible(const std::vector<std::string>& texts);

/// The same for a text that has its own lines: line ends and tabs stay. JSON stays JSON, with the same values.
[[nodiscard]] std::string visible_lines(std::string_view text);

}  // namespace lockstep
