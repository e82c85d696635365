#!/usr/bin/env bash
# Runs lockstep on the cores of this machine. A signal makes a training save and stop; when a rank dies it may go on.
# Usage: launch/local.sh [-n RANKS] [--restarts K] [--shrink] -- COMMAND [ARGUMENT...]
#
#   -n RANKS      ranks; unless given, the number of cores
#   --restarts K  when a rank dies or stalls, train goes on from its newest checkpoint, at most K times; default 0
#   --shrink      each time on one rank fewer
#
# With --restarts, train --overwrite needs --output too.
# Ctrl-C, TERM, HUP and USR1 make a training save and stop, which is exit code 75; a second Ctrl-C or TERM ends it at
# once (130, 143). Other commands end at the first. Else the exit code is the program's: 128 and the signal for a killed
# rank, 4 for a stalled one; what mpirun adds to that in lines of dashes is left out where it tells no more. The program
# is build/bin/lockstep, built when missing, or the one that LOCKSTEP names.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/launch/packages.sh"
source "$root/launch/job.sh"

me=local.sh
usage="Usage: launch/local.sh [-n RANKS] [--restarts K] [--shrink] -- COMMAND [ARGUMENT...]"
refuse() {
  say "$1"
  echo "$usage" >&2
  exit 2
}
count_text() { if (($1 == 1)); then echo "1 $2"; else echo "$1 $2s"; fi; }

ranks=$(physical_cores)
restarts=0
shrink=false
while (($# > 0)); do
  case $1 in
    -n | --restarts)
      pattern='^[1-9][0-9]{0,5}$'
      if [[ $1 == --restarts ]]; then pattern='^(0|[1-9][0-9]{0,5})$'; fi
      if [[ ! ${2-} =~ $pattern ]]; then refuse "$1: expected a number, found \"${2-}\""; fi
      if [[ $1 == -n ]]; then ranks=$2; else restarts=$2; fi
      shift 2
      ;;
    --shrink) shrink=true && shift ;;
    -h | --help)
      sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//; p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --) break ;;
    *) refuse "expected an option or --, found \"$1\"" ;;
  esac
done
if [[ ${1-} != -- || -z ${2-} ]]; then refuse "expected -- and a command of lockstep, say: -- train run.toml"; fi
shift
training=false
death_signal=TERM
if [[ $1 == train ]]; then training=true && death_signal=USR1; fi
if ! $training && ((restarts > 0)); then refuse "--restarts: $1 cannot go on from a checkpoint; only train can"; fi
# Else a restart might remove what this very job has saved.
if ((restarts > 0)) && [[ " $* " == *" --overwrite "* && " $* " != *" --output"[\ =]* ]]; then
  refuse "--overwrite with --restarts: needs --output, to see what is new in the folder"
fi
if $shrink && ((restarts == 0)); then refuse "--shrink: needs --restarts"; fi

program=${LOCKSTEP:-$root/build/bin/lockstep}
if [[ -z ${LOCKSTEP-} && ! -x $program ]]; then
  install_packages "${packages_run[@]}"
  (cd "$root" && build_program) >&2
elif ! command -v "$program" >/dev/null; then
  refuse "LOCKSTEP: expected a program, found \"$program\""
fi
mpi_environment "$ranks"
# mpirun hides the terminal from the ranks, and its session is another one.
if [[ -t 2 ]]; then
  export LOCKSTEP_PROGRESS=${LOCKSTEP_PROGRESS-live}
  if size=$(stty size <&2); then export COLUMNS=${size#* }; fi
fi

# run_job ARGUMENT...: sets `code` to mpirun's exit code.
run_job() {
  # A session of its own keeps the terminal's Ctrl-C from mpirun; then it should not read from the terminal either.
  # odls_base_sigkill_timeout stays at its 1 s: mpirun sleeps it twice, between CONT, TERM and KILL, after every exit code
  # but 0, whether or not a rank is left. So it cannot be told to wait for the slow without making every restart and every
  # stop with a checkpoint wait, and ranks that save on USR1 are not under it: it starts when the first of them has ended.
  # Of a script killed by KILL, mpirun gets the death signal.
  open_messages
  setsid setpriv --pdeathsig "$death_signal" mpirun -n "$ranks" "$program" "$@" </dev/null >&"$output" 2>&"$messages" &
  job=$!
  close_messages
  stay_with_job
  await_messages
}

# open_messages: sets `messages`, where mpirun's stderr goes through a filter, and `output` for its stdout. Where both
# end at one place, a terminal say, both go through the filter, so that they stay in their order.
open_messages() {
  output=1 messages=2 filter=
  if ! command -v perl >/dev/null; then return 0; fi
  # A signal of the terminal is for the job, whose last words still have to come through.
  exec {messages}> >(trap '' INT TERM HUP USR1 && exec "$root/launch/mpirun_messages.pl" >&2)
  filter=$!
  if [[ /dev/fd/1 -ef /dev/fd/2 ]]; then output=$messages; fi
}
close_messages() { if ((messages != 2)); then exec {messages}>&-; fi; }
# await_messages: the filter ends with the last process that writes to it. Were one left, it is not waited for.
await_messages() {
  local tries
  for ((tries = 0; tries < 200; tries++)); do
    if [[ -z $filter ]] || ! kill -0 "$filter" 2>/dev/null; then break; fi
    sleep 0.01 || true
  done
}

# run_folder ARGUMENT...: the folder that --output names; nothing without it.
run_folder() {
  while (($# > 0)); do
    case $1 in
      --output) echo "${2-}" && return ;;
      --output=*) echo "${1#*=}" && return ;;
    esac
    shift
  done
}

# resume_arguments ARGUMENT...: sets `arguments` to those that go on with the run. --overwrite stays as long as no
# checkpoint of this job is there: without it the run would go on from those that it was to remove.
resume_arguments() {
  local argument written=""
  if [[ " $* " == *" --overwrite "* ]]; then
    written=$(find "$(run_folder "$@")/checkpoints" -name 'step-*.h5' -newermt "@$started" 2>/dev/null) || true
    if [[ -z $written ]]; then return 0; fi
  fi
  arguments=()
  for argument in "$@"; do
    if [[ $argument != --overwrite && $argument != --resume ]]; then arguments+=("$argument"); fi
  done
  arguments+=(--resume)
}

trap_signals
started=${EPOCHREALTIME/,/.}
arguments=("$@")
resumed=false
while :; do
  # A signal while nothing runs: the newest checkpoint stands.
  if ! $stopping; then run_job "${arguments[@]}"; else code=75; fi
  if [[ -n $ended_by ]]; then exit $((128 + ended_by)); fi
  if $stopping; then
    if ((code != 138)); then exit "$code"; fi
    say "stopped before it could save; the newest checkpoint, if there is one, stands"
    exit 75
  fi
  case $code in 0 | 1 | 2 | 3 | 75) exit "$code" ;; esac

  what="a rank died (exit code $code)"
  if ((code == 4)); then what="a rank stalled (exit code 4)"; fi
  if ((restarts == 0)); then
    if $resumed; then say "$what; no restarts left"; fi
    exit "$code"
  fi
  restarts=$((restarts - 1))
  if $shrink && ((ranks > 1)); then ranks=$((ranks - 1)); fi
  say "$what; starting again on $(count_text "$ranks" rank), $(count_text "$restarts" restart) left"
  resume_arguments "$@"
  resumed=true
done
