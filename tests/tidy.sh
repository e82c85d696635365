#!/usr/bin/env bash
# Runs clang-tidy-14 with the checks of .clang-tidy. Usage: tests/tidy.sh [FILE.cpp...]; default: all of src.
# Takes about seven minutes on two cores, so .ci/run leaves it out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/packages.sh

install_packages "${packages_run[@]}" "${packages_lint[@]}"
build_program
if (($# > 0)); then files=("$@"); else mapfile -t files < <(find src -name '*.cpp' | sort); fi

# libstdc++ 12 has no std::source_location for clang 14, so one stands in while it reads.
shim=$(mktemp --suffix=.hpp)
trap 'rm -f "$shim"' EXIT
cat >"$shim" <<'END'
namespace std {
struct source_location {
  static constexpr source_location current(const char* file = __builtin_FILE(), const char* function = __builtin_FUNCTION(),
                                           unsigned line = __builtin_LINE()) noexcept {
    return {file, function, line};
  }
  constexpr const char* file_name() const noexcept { return file; }
  constexpr const char* function_name() const noexcept { return function; }
  constexpr unsigned line() const noexcept { return number; }
  const char* file = "";
  const char* function = "";
  unsigned number = 0;
};
}  // namespace std
END
printf '%s\n' "${files[@]}" |
  xargs -P "$(nproc)" -n 1 clang-tidy-14 -p build --quiet --extra-arg=-include"$shim" --extra-arg=-Wno-everything
