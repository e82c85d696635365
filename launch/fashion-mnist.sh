#!/usr/bin/env bash
# Trains launch/runs/fashion-mnist.toml on Debian's copy of the data. Usage: launch/fashion-mnist.sh [RANKS [OPTION...]]
# RANKS is the number of cores unless given (at most 8, the shards of the run); options go to lockstep train.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/packages.sh

ranks=${1:-$(physical_cores)}
if [[ ! $ranks =~ ^[1-9][0-9]*$ ]]; then
  echo "Expected a number of ranks, found \"$ranks\". Usage: launch/fashion-mnist.sh [RANKS [OPTION...]]" >&2
  exit 2
fi
if (($# == 0 && ranks > 8)); then ranks=8; fi

install_packages "${packages_run[@]}" dataset-fashion-mnist
build_program
mpi_environment "$ranks"
exec mpirun -n "$ranks" build/bin/lockstep train launch/runs/fashion-mnist.toml "${@:2}"
