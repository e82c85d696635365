// What commands print on stdout, and their messages. Names and file names come from strangers: here they lose what
// would steer a terminal, or look like lines of this program.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <type_traits>

#include "core/visible_text.hpp"

namespace lockstep::cli {

/// Prints lines that this program has made; the names in them have gone through visible().
void tell_lines(std::string_view text);

namespace detail {

template <class T>
[[nodiscard]] decltype(auto) shown_argument(const T& argument) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return visible(argument);
  } else {
    return (argument);
  }
}

template <class... Shown>
void tell_shown(fmt::string_view format, const Shown&... shown) {
  tell_lines(fmt::vformat(format, fmt::make_format_args(shown...)));
}

}  // namespace detail

/// Prints to stdout as fmt::print does; a text among the arguments comes out on one line, by visible().
template <class... Arguments>
void tell(fmt::format_string<Arguments...> format,
          Arguments&&... arguments) {  // NOLINT(*-missing-std-forward): printed
  detail::tell_shown(format, detail::shown_argument(arguments)...);
}

/// "lockstep: error: ...", "lockstep: warning: ..." and so on, one line each, on stderr.
void tell_message(std::string_view text) noexcept;

}  // namespace lockstep::cli
