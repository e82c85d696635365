# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # those who source this set and read what stands below
# What slurm.sbatch and pbs.sh share: a training as a batch job that saves before its time is over and starts again.
# To be sourced, once `root` is set: source "$root/launch/batch.sh"
#
# The script sets `me`, `restarts` (how often the job has started again so far) and has a function start_again, which
# puts the job into the queue once more. Then: prepare "$@"; start mpirun in the background, set `job`; stay_with_job;
# finish.
source "$root/launch/packages.sh"
source "$root/launch/job.sh"

training=true
max_restarts=${LOCKSTEP_MAX_RESTARTS:-100}

refuse() {
  say "$1"
  exit 2
}

# prepare RUN.toml [OPTION...]: sets `program` and `arguments`, those of lockstep.
prepare() {
  if [[ -z ${1-} || $1 == -* ]]; then refuse "expected a run file, found \"${1-}\". $usage"; fi
  if [[ ! -f $1 ]]; then refuse "expected a run file, found no \"$1\" in $PWD. $usage"; fi
  # The start after the first one would remove what the first one saved.
  if [[ " $* " == *" --overwrite "* ]]; then
    refuse "--overwrite: a job that starts again cannot have it; remove the run folder first, or name another --output"
  fi
  if [[ ! $max_restarts =~ ^[0-9]{1,6}$ ]]; then
    refuse "LOCKSTEP_MAX_RESTARTS: expected a number, found \"$max_restarts\""
  fi
  program=${LOCKSTEP:-$root/build/bin/lockstep}
  if ! program=$(command -v "$program"); then
    refuse "expected the program ${LOCKSTEP:-$root/build/bin/lockstep}, found none. Build it (launch/quickstart.sh does), or
name it in LOCKSTEP"
  fi
  arguments=(train "$@")
  if [[ " $* " != *" --resume "* ]]; then arguments+=(--resume); fi
  read -ra launcher_options <<<"${LOCKSTEP_LAUNCHER_OPTIONS-}"
}

# ask_ranks: one try at telling the ranks to save. mpirun forwards USR1.
ask_ranks() { kill -USR1 "$job"; }

# request_save: again and again, more and more seldom, for what comes before the ranks are there is lost: mpirun first
# starts daemons on the other hosts. A rank takes all of it for one wish.
request_save() {
  local pause
  if $asked; then return 0; fi
  asked=true
  for pause in 1 2 4 8 16 32 64; do
    if ! kill -0 "$job"; then break; fi
    ask_ranks || true
    sleep "$pause"
  done &>/dev/null &
  asking=$!
}

# finish: what `code` means for the job; ends the script.
finish() {
  if [[ -n ${asking-} ]]; then kill "$asking" 2>/dev/null || true; fi
  if [[ -n $ended_by ]]; then
    say "ended before it could save; the newest checkpoint, if there is one, stands"
    exit $((128 + ended_by))
  fi
  # Signalled while it started: mpirun itself ends with 138 or, from its daemons, 244.
  if $stopping && ((code == 138 || code == 244)); then
    say "stopped before it could save; the newest checkpoint, if there is one, stands"
    code=75
  fi
  if ((code == 75)); then
    if ((restarts < max_restarts)); then
      start_again
    else
      say "stopped early, and not started again after $restarts restarts (LOCKSTEP_MAX_RESTARTS)"
    fi
  fi
  exit "$code"
}
