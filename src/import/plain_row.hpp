// Rows of CSV without quotes and carriage returns, which most are, taken apart.
#pragma once

#include <cstddef>
#include <string_view>

namespace lockstep {

/// `field` without the spaces and tabs around it; a delimiter is none.
[[nodiscard]] inline std::string_view trimmed_field(std::string_view field, char delimiter) noexcept {
  const auto is_space = [&](char c) { return (c == ' ' || c == '\t') && c != delimiter; };
  while (!field.empty() && is_space(field.front())) field.remove_prefix(1);
  while (!field.empty() && is_space(field.back())) field.remove_suffix(1);
  return field;
}

/// Hands the fields of `line`, which has no line end, to `take(text)` one after the other. Before each, `quick(begin,
/// end)` may take the field at the front of these bytes itself: then it returns the byte behind it, else nullptr, as it
/// must where no delimiter and not the end follows.
template <class Quick, class Take>
void split_plain_row(std::string_view line, char delimiter, Quick&& quick, Take&& take) {
  const char* begin = line.data();
  const char* const end = begin + line.size();
  while (true) {
    const char* stop = quick(begin, end);
    if (stop == nullptr) {
      stop = begin;
      while (stop != end && *stop != delimiter) ++stop;
      take(trimmed_field({begin, static_cast<std::size_t>(stop - begin)}, delimiter));
    }
    if (stop == end) return;
    begin = stop + 1;
  }
}

}  // namespace lockstep
