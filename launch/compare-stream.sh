#!/usr/bin/env bash
# Streamed data beside the same data in memory, in turn, two ranks: samples a second and the memory of each rank; and
# whether one rank ends in the same digest as two. Makes a file of 1.2 GB in a temporary folder. About two minutes.
# Usage: launch/compare-stream.sh [OPTION...]
# Options: --rows N, 1170000 unless given; --rounds N, 3 unless given; --epochs N a run, 2 unless given; --packed;
# --files N: streamed from so many files too, beside the one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/packages.sh

install_packages "${packages_run[@]}" python3 python3-numpy python3-h5py
build_program
exec /usr/bin/python3 -B launch/compare_stream.py "$@"
