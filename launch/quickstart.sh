#!/usr/bin/env bash
# From a fresh clone to a trained net: installs what is missing, builds, and trains launch/runs/digits.toml on 2 ranks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/packages.sh

install_packages "${packages_run[@]}"
build_program
mpi_environment 2
mpirun -n 2 build/bin/lockstep train launch/runs/digits.toml --output runs/digits --overwrite

# Values of summary.json, which has one level of objects below its root.
fail() { echo "$1 is missing in runs/digits/summary.json" >&2 && exit 1; }
summary=$(tr '\n' ' ' <runs/digits/summary.json)
value() { grep -oE "\"$1\": *(\"[^\"]*\"|[0-9.eE+-]+)" | head -n 1 | sed -E 's/^"[^"]*": *//; s/"//g'; }
accuracy=$(grep -oE '"test": *\{[^}]*\}' <<<"$summary" | value accuracy) || fail test.accuracy
speed=$(value samples_per_second <<<"$summary") || fail samples_per_second
checkpoint=$(value checkpoint <<<"$summary") || fail checkpoint
[[ -f $checkpoint ]] || checkpoint=runs/digits/$checkpoint

four=""
if ((4 > $(physical_cores))); then four=" --oversubscribe"; fi
printf '\nTest accuracy      %.4f\nSamples a second   %.0f\nCheckpoint         %s\n\n' "$accuracy" "$speed" "$checkpoint"
echo "What to try next:"
if ((EUID == 0)); then
  echo "  # you are root, which mpirun must be told once"
  echo "  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
fi
cat <<END
  # the scores of a checkpoint
  build/bin/lockstep evaluate $checkpoint
  # the same run on 4 ranks ends in the same bits: compare the digests
  mpirun -n 4$four build/bin/lockstep train launch/runs/digits.toml --output runs/digits-4 --overwrite
  build/bin/lockstep inspect runs/digits --digest
  build/bin/lockstep inspect runs/digits-4 --digest
  # go on where the run ended, for 20 more epochs
  mpirun -n 2 build/bin/lockstep train launch/runs/digits.toml --output runs/digits --resume --set train.epochs=60
  # one sample through the net and back, as a page; more of that in launch/runs/README.md
  build/bin/lockstep explain runs/digits --html runs/digits/explained.html
END
