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
  if grep -rlaF -e "$folder/" "$prefix"; then
    echo "the files above name $folder; what is installed must stand without it" >&2
    exit 1
  fi
done
if [[ -e $prefix/bin/lockstep ]]; then "$prefix/bin/lockstep" --version; fi

# build_project NAME SETTING...: configures and builds tests/package/NAME; the package is found by CMAKE_PREFIX_PATH.
build_project() {
  echo "== $1"
  "$cmake" -S "$here/$1" -B "$scratch/$1" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$prefix" "${@:2}" >"$scratch/$1.log" &&
    "$cmake" --build "$scratch/$1" -j 2 >>"$scratch/$1.log" || { cat "$scratch/$1.log" && exit 1; }
}
build_project simulation
"$mpiexec" -n 3 "$scratch/simulation/simulation" "$scratch"

# The first C++ block of README.md is a whole program.
sed -n '/^```cpp$/,/^```$/p' "$source_folder/README.md" | sed '/^```/d' >"$scratch/example.cpp"
grep -q main "$scratch/example.cpp" || { echo "README.md holds no C++ example" >&2 && exit 1; }
build_project checks -DPREFIX="$prefix" -DEXAMPLE="$scratch/example.cpp"
cd "$scratch"
"$mpiexec" -n 2 checks/example
