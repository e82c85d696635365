#!/usr/bin/env bash
# Installs what is missing, builds the tests in build/ and runs them.
# Usage: tests/run.sh [--sanitize | --threads] [CTEST ARGUMENT...]
# --sanitize: those that need no program, with AddressSanitizer and UBSan, in build-asan/. --threads: what runs beside the
# main thread, with ThreadSanitizer, in build-tsan/.
# The last line is "N passed, N failed", with ", N not run" behind it where a test could not run here (some need root, one
# a browser); a build that fails and a run without a test are failures.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/packages.sh

folder=build
settings=(-DCMAKE_BUILD_TYPE=Release -DLOCKSTEP_BUILD_TESTS=ON)
targets=(all)
chosen=()
case ${1:-} in
  --sanitize)
    shift
    folder=build-asan sanitizers=address,undefined
    targets=(sanitized) chosen=(-L '^sanitized$')
    # Open MPI and HDF5 keep memory until the process ends, so leaks are not looked for: the reports would be theirs.
    # A test asks for more memory than there is, which is to be told by the program, not by the sanitizer.
    export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
    ;;
  --threads)
    shift
    folder=build-tsan sanitizers=thread
    targets=(threads) chosen=(-L '^threads$')
    ;;
esac
run=()
if [[ $folder != build ]]; then
  settings=(-DCMAKE_BUILD_TYPE=Debug "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g1" "-DLOCKSTEP_SANITIZE=$sanitizers"
    -DLOCKSTEP_BUILD_TESTS=ON)
  # Where a kernel scatters addresses widely g++ 12's sanitizers find no room for their own memory.
  if setarch -R true 2>/dev/null; then run=(setarch -R); fi
fi
if command -v ccache >/dev/null; then settings+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi

install_packages "${packages_run[@]}" "${packages_test[@]}"
if ((EUID == 0)); then install_packages "${packages_cluster[@]}"; fi
# One test needs a browser; where none can be had that test is not run, and says so.
(install_packages "${packages_browser[@]}") || true
mpi_environment 4
if ! { cmake -S . -B "$folder" "${settings[@]}" && cmake --build "$folder" --target "${targets[@]}" -j "$(build_jobs)"; }; then
  echo "The build failed. To see it again: cmake --build $folder" >&2
  echo "0 passed, 1 failed"
  exit 1
fi

report=$(mktemp)
trap 'rm -f "$report"' EXIT
status=0
# Four at a time, also on two cores: jobs wait more than they compute. The longest test comes first (COST).
"${run[@]}" ctest --test-dir "$folder" --output-on-failure --no-tests=error -j 4 "${chosen[@]}" "$@" | tee "$report" || status=$?
read -r failed total < <(sed -nE 's/^[0-9]+% tests passed, ([0-9]+) tests? failed out of ([0-9]+).*/\1 \2/p' "$report") ||
  { failed=0 total=0; }
skipped=$(grep -cE '^\s+[0-9]+ - .* \(Skipped\)$' "$report") || true
if ((total == skipped)); then
  echo "No test ran." >&2
  status=$((status ? status : 1))
elif ((status != 0)); then
  echo "To run the failed ones again: ctest --test-dir $folder --rerun-failed --output-on-failure" >&2
fi
if ((skipped > 0)); then
  echo "NOT RUN: $skipped of the tests; each tells why: ctest --test-dir $folder --verbose -R NAME" >&2
fi
echo "$((total - failed - skipped)) passed, $failed failed$( ((skipped == 0)) || echo ", $skipped not run")"
exit "$status"
