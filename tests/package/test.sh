#!/usr/bin/env bash
# Installs the build to a temporary folder, builds against it what another project would, and runs that.
# Usage: BUILD=build MPIEXEC=mpirun CXX=g++ tests/package/test.sh, after a whole build.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source_folder=$(cd "$here/../.." && pwd)
build=$(cd "${BUILD:?is the build folder}" && pwd)
cmake=${CMAKE:-cmake}
mpiexec=${MPIEXEC:-mpirun}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix

echo "== install"
"$cmake" --install "$build" --prefix "$prefix" >"$scratch/install.log" || { cat "$scratch/install.log" && exit 1; }
for folder in "$build" "$source_folder"; do
  # What sanitizers add names the sources on purpose.
  if [[ ${CXXFLAGS:-} != *-fsanitize* ]] && grep -rlaF -e "$folder/" "$prefix"; then
    echo "the files above name $folder; what is installed must stand without it" >&2
    exit 1
  fi
done
if [[ -e $prefix/bin/lockstep ]]; then
  "$prefix/bin/lockstep" --version
  # The program finds its other half also where the whole has been moved.
  mv "$prefix" "$scratch/moved"
  "$mpiexec" -n 2 "$scratch/moved/bin/lockstep" train --keys | grep '^train\.batch' >/dev/null
  mv "$scratch/moved" "$prefix"
  bash -c 'source "$1" && complete -p lockstep' bash "$prefix/share/bash-completion/completions/lockstep"
  grep -q '^\.TH LOCKSTEP 1' "$prefix/share/man/man1/lockstep.1"
fi

# build_project NAME SETTING...: configures and builds tests/package/NAME; the package is found by CMAKE_PREFIX_PATH.
build_project() {
  local name=$1
  shift
  echo "== $name"
  if ! { "$cmake" -S "$here/$name" -B "$scratch/$name" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$prefix" "$@" &&
    "$cmake" --build "$scratch/$name" -j 2; } >"$scratch/$name.log"; then
    cat "$scratch/$name.log"
    exit 1
  fi
}
build_project simulation
"$mpiexec" -n 3 "$scratch/simulation/simulation" "$scratch"

# The first C++ block of include/README.md is a whole program.
awk '/^```/ {if (inside) exit; inside = $0 == "```cpp"; next} inside' "$source_folder/include/README.md" >"$scratch/example.cpp"
grep -q main "$scratch/example.cpp" || { echo "include/README.md holds no C++ example" >&2 && exit 1; }
build_project checks -DINSTALLED="$prefix" -DEXAMPLE_SOURCE="$scratch/example.cpp"
cd "$scratch"
"$mpiexec" -n 2 checks/example
