#include "import/categories.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "import/field_text.hpp"

namespace lockstep {

std::uint32_t Categories::add(std::string_view text) {
  constexpr std::size_t longest = 255;
  if (text.size() > longest) {
    throw std::invalid_argument(
        fmt::format("{} has {} bytes; a category or class has at most {}", shown(text), text.size(), longest));
  }
  if (text.find('\0') != std::string_view::npos) {
    throw std::invalid_argument(fmt::format("{} holds NUL bytes; is the file a table of text?", shown(text)));
  }
  if (!is_utf8(text)) {
    throw std::invalid_argument(
        "the text is not UTF-8; convert the file first, for example with iconv -f latin1 -t utf8");
  }
  if (codes_.size() == most_) throw std::length_error(fmt::format("more than {} different texts", most_));
  const auto code = static_cast<std::uint32_t>(codes_.size());
  codes_.emplace(text, code);
  return code;
}

std::vector<std::string> Categories::sorted() const {
  std::vector<std::pair<double, std::string>> texts;
  bool numbers = true;
  for (const auto& [text, code] : codes_) {
    double value = 0;
    numbers = parse_number(text, value) == NumberFault::none && numbers;
    texts.emplace_back(value, text);
  }
  if (!numbers) {
    for (auto& [value, text] : texts) value = 0;
  }
  std::sort(texts.begin(), texts.end());
  std::vector<std::string> sorted;
  for (auto& [value, text] : texts) sorted.push_back(std::move(text));
  return sorted;
}

std::vector<std::uint32_t> Categories::places() const {
  std::vector<std::uint32_t> places(codes_.size());
  std::uint32_t place = 0;
  for (const std::string& text : sorted()) places[codes_.find(text)->second] = place++;
  return places;
}

}  // namespace lockstep
