#!/usr/bin/env bash
# Runs clang-tidy-14 with the checks of .clang-tidy. Usage: tests/tidy.sh [FILE.cpp...]; default: all of src.
# Takes minutes, so .ci/run leaves it out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/packages.sh

install_packages "${packages_run[@]}" "${packages_lint[@]}"
build_program
if (($# > 0)); then files=("$@"); else mapfile -t files < <(find src -name '*.cpp' | sort); fi
# clang 14 does not know every warning of g++ 12.
printf '%s\n' "${files[@]}" |
  xargs -P "$(nproc)" -n 1 clang-tidy-14 -p build --quiet --extra-arg=-Wno-unknown-warning-option
