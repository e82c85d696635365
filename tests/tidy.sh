#!/usr/bin/env bash
# Reads sources one by one, without the headers and neighbours that the build gives them: what they forget to include is
# told, and clang-tidy-14 looks at those of src with the checks of .clang-tidy.
# Usage: tests/tidy.sh [--changed | FILE.cpp...]; default: all of src and tests, which takes a quarter of an hour.
# --changed: those that differ from where this branch left main (or from the commit LOCKSTEP_BASE), on main those of its
# last ten commits; and sources that include a changed header. Of many, the newest: two minutes are enough.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/packages.sh
most_tidied=20 most_read=30

# The commit that changes count from; fails where there is none to be had.
base_commit() {
  local head name base
  head=$(git rev-parse --verify --quiet HEAD 2>/dev/null) || return 1
  for name in ${LOCKSTEP_BASE:-origin/main main}; do
    base=$(git merge-base HEAD "$name" 2>/dev/null) || continue
    if [[ -n ${LOCKSTEP_BASE:-} || $base != "$head" ]]; then echo "$base" && return; fi
  done
  [[ -z ${LOCKSTEP_BASE:-} ]] || return 1
  base=$(git rev-list --first-parent --max-count=11 HEAD | tail -n 1)
  [[ $base != "$head" ]] && echo "$base"
}

# The files of src, include and tests that have changed since, the newest first.
changed_since() {
  local places=(include src tests)
  {
    git ls-files --others --exclude-standard -- "${places[@]}"
    git diff --name-only HEAD -- "${places[@]}"
    git log --format= --name-only "$1..HEAD" -- "${places[@]}"
  } | awk '!seen[$0]++' | while IFS= read -r name; do [[ ! -f $name ]] || echo "$name"; done
}

# up_to NUMBER WHAT: the first lines; tells of the rest.
up_to() {
  local lines
  mapfile -t lines
  printf '%s\n' "${lines[@]:0:$1}"
  if ((${#lines[@]} > $1)); then echo "Of ${#lines[@]} $2 the $1 newest; for all: tests/tidy.sh" >&2; fi
}

tidied=() read=()
if [[ ${1:-} == --changed ]]; then
  if ! base=$(base_commit); then
    echo "No history of git to tell what has changed: no source is read one by one. For all: tests/tidy.sh" >&2
    exit 0
  fi
  mapfile -t changed < <(changed_since "$base")
  mapfile -t tidied < <(printf '%s\n' "${changed[@]}" | grep '^src/.*\.cpp$' | up_to "$most_tidied" "changed sources")
  # By the names that they are included by.
  includes=$(printf '%s\n' "${changed[@]}" | sed -nE 's,^(src|include|tests)/(.*\.hpp)$,#include "\2",p')
  mapfile -t read < <({
    printf '%s\n' "${changed[@]}" | grep '^tests/.*\.cpp$' || true
    if [[ -n $includes ]]; then grep -rlF --include='*.cpp' -e "$includes" src tests || true; fi
  } | grep -vxF -e "$(printf '%s\n' "${tidied[@]:-none}")" | awk '!seen[$0]++' |
    up_to "$most_read" "tests that have changed and sources with a changed header")
elif (($# > 0)); then
  tidied=("$@")
else
  mapfile -t tidied < <(find src -name '*.cpp' | sort)
  mapfile -t read < <(find tests -name '*.cpp' | sort)
fi
# (An empty list has been read as one empty line.)
[[ -n ${tidied[*]} ]] || tidied=()
[[ -n ${read[*]} ]] || read=()
echo "clang-tidy: ${#tidied[@]} sources; read only: ${#read[@]}" >&2
((${#tidied[@]} + ${#read[@]} > 0)) || exit 0

install_packages "${packages_run[@]}" "${packages_test[@]}" "${packages_lint[@]}"
cmake -S . -B build-lint -DCMAKE_BUILD_TYPE=Release -DLOCKSTEP_BUILD_TESTS=ON -DLOCKSTEP_UNITY=OFF \
  -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >/dev/null

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
look() { # FILES OPTION...
  local files=$1
  shift
  [[ -z $files ]] || xargs -P "$(nproc)" -n 1 clang-tidy-14 -p build-lint --quiet --extra-arg=-include"$shim" \
    --extra-arg=-Wno-everything "$@" <<<"$files" 2> >(grep -vE '^[0-9]+ warnings? generated' >&2)
}
status=0
look "$(printf '%s\n' "${tidied[@]}")" || status=1
look "$(printf '%s\n' "${read[@]}")" --checks='-*,modernize-use-nullptr' || status=1
if ((status != 0)); then echo "To see one again: tests/tidy.sh FILE.cpp" >&2; fi
exit "$status"
