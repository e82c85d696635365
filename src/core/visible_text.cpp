#include "core/visible_text.hpp"

#include <fmt/format.h>

namespace lockstep {
namespace {

// Of a character of `size` bytes, which is valid.
char32_t code_point(std::string_view character) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 1) return byte(0);
  char32_t code = byte(0) & (0x7FU >> character.size());
  for (std::size_t i = 1; i < character.size(); ++i) code = code << 6U | (byte(i) & 0x3FU);
  return code;
}

bool steers(char32_t code) noexcept {
  const auto within = [code](char32_t low, char32_t high) { return code >= low && code <= high; };
  return code < 0x20 || within(0x7F, 0x9F) ||              // control characters
         within(0x2028, 0x2029) ||                         // line and paragraph separators
         within(0x202A, 0x202E) || within(0x2066, 0x2069)  // embeddings, overrides and isolates: Unicode, annex 9
         || code == 0xFEFF;                                // a mark that is not seen
}

std::string written_out(std::string_view text, bool lines) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = utf8_size(text);
    const std::string_view character = text.substr(0, size == 0 ? 1 : size);
    text.remove_prefix(character.size());
    const char first = character.front();
    const char32_t code = size == 0 ? 0 : code_point(character);
    if (size == 0) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(first));
    } else if (!steers(code) || (lines && (first == '\n' || first == '\t'))) {
      out += character;
    } else if (first == '\n' || first == '\r' || first == '\t') {
      out += first == '\n' ? "\\n" : first == '\r' ? "\\r" : "\\t";
    } else {
      out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(code));
    }
  }
  return out;
}

}  // namespace

std::size_t utf8_size(std::string_view text) noexcept {
  if (text.empty()) return 0;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (text.size() < size) return 0;
  const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < size; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  }
  return size;
}

std::string visible(std::string_view text) {
  return written_out(text, false);
}

std::vector<std::string> visible(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const std::string& text : texts) out.push_back(visible(text));
  return out;
}

std::string visible_lines(std::string_view text) {
  return written_out(text, true);
}

}  // namespace lockstep
