#!/usr/bin/env bash
# Does to real jobs what can go wrong, for so many minutes: kills, hangs, full disks, damaged files; see soak.py.
# Usage: tests/faults/soak.sh MINUTES [SEED] [SOAK.PY ARGUMENT...]
# Installs what is missing and builds the program first. It ends with a table, and with 1 if anything failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source launch/packages.sh

if [[ ! ${1:-} =~ ^[0-9]+$ || ! ${2:-1} =~ ^[0-9]+$ ]]; then
  echo "Usage: tests/faults/soak.sh MINUTES [SEED] [SOAK.PY ARGUMENT...]" >&2
  exit 2
fi
minutes=$1
seed=${2:-1}
shift $(($# < 2 ? $# : 2))

install_packages "${packages_run[@]}" "${packages_test[@]}"
build_program >&2
mpi_environment 4
export OMPI_MCA_hwloc_base_binding_policy=none  # ranks of one job must not be bound to the cores of another
exec /usr/bin/python3 -B tests/faults/soak.py --program build/bin/lockstep --seconds "$((minutes * 60))" \
  --seed "$seed" "$@"
