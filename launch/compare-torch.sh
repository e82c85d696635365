#!/usr/bin/env bash
# The training step of lockstep beside PyTorch's on this machine: PyTorch DDP (gloo), PyTorch with one flat MPI allreduce,
# and lockstep, on the same shapes in turn, three rounds; medians and ratios. Then train beside bench, and Fashion-MNIST
# from start to end. About ten minutes. Usage: launch/compare-torch.sh [RANKS [OPTION...]]
# RANKS is 2 unless given; options: --rounds N, --only steps|train|fashion.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/packages.sh

ranks=${1:-2}
if [[ ! $ranks =~ ^[1-9][0-9]*$ ]]; then
  echo "Expected a number of ranks, found \"$ranks\". Usage: launch/compare-torch.sh [RANKS [OPTION...]]" >&2
  exit 2
fi
install_packages "${packages_run[@]}" python3 python3-numpy python3-h5py python3-torch python3-mpi4py dataset-fashion-mnist
build_program
mpi_environment "$ranks"
exec /usr/bin/python3 launch/compare_torch.py "$ranks" "${@:2}"
