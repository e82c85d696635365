#!/usr/bin/env bash
#PBS -N lockstep
#PBS -j oe
#PBS -l walltime=01:00:00
#PBS -r y
# A training as a job of PBS Pro, OpenPBS or Torque, which saves before its time is over, goes back into the queue and
# goes on from there.
# Usage: RUN="RUN.toml [OPTION OF lockstep train...]" qsub -v RUN -l select=NODES:ncpus=N:mpiprocs=N launch/pbs.sh
#        (Torque: -l nodes=NODES:ppn=N)
#
# Options of qsub win over those above. It runs a rank for each line of the node file, that is for each mpiprocs or ppn.
# A minute before the walltime is over, by qsig -s USR1, and on TERM the ranks save and stop (exit code 75); then the job
# is queued again: by qrerun, or where that is not allowed by qsub, with the same resources, queue and account. It always
# starts with --resume. launch/README.md tells more. Environment variables, which qsub -v NAME,... hands on:
#
#   LOCKSTEP                   the program; default build/bin/lockstep beside this folder
#   LOCKSTEP_LAUNCHER_OPTIONS  further options for mpirun, separated by spaces
#   LOCKSTEP_MAX_RESTARTS      how often a job is queued again; default 100
#   LOCKSTEP_QSUB_OPTIONS      further options for the qsub that queues the job again
#   LOCKSTEP_ROOT              the folder that holds launch/; needed unless that is the folder of qsub
set -euo pipefail
trap 'came_early=true' USR1 TERM # until trap_signals; there is much to ask before
me=pbs.sh
usage="Usage: RUN=\"RUN.toml [OPTION...]\" qsub -v RUN launch/pbs.sh"
if [[ -z ${PBS_JOBID-} || -z ${PBS_NODEFILE-} ]]; then
  echo "$me: this is for qsub: expected PBS_JOBID and PBS_NODEFILE, found none. $usage" >&2
  exit 2
fi
cd "${PBS_O_WORKDIR:-.}"
root=${LOCKSTEP_ROOT:-$PWD} # PBS runs a copy of this file and does not tell where the original is
if [[ ! -f $root/launch/batch.sh ]]; then
  echo "$me: expected launch/batch.sh in $root, found none; name lockstep's folder in LOCKSTEP_ROOT" >&2
  exit 2
fi
source "$root/launch/batch.sh"

# An attribute of the job; qstat breaks long lines before a tab.
attributes=$(qstat -f "$PBS_JOBID" 2>/dev/null | sed -e ':join' -e 'N' -e '$!b join' -e 's/\n\t//g') || true
attribute() { sed -nE "s/^ *$1 = (.*)/\1/p" <<<"$attributes" | head -n 1; }

# Seconds of "[[HH:]MM:]SS"; nothing for anything else.
seconds_of() {
  local hours minutes seconds
  if [[ ! $1 =~ ^(([0-9]+):)?(([0-9]+):)?([0-9]+)$ ]]; then return 0; fi
  hours=${BASH_REMATCH[2]:-0} minutes=${BASH_REMATCH[4]} seconds=${BASH_REMATCH[5]}
  if [[ -z $minutes ]]; then minutes=$hours hours=0; fi
  echo $((10#$hours * 3600 + 10#$minutes * 60 + 10#$seconds))
}

run_count=$(attribute run_count) # of PBS Pro: 1 at the first start
before=${LOCKSTEP_RESTARTS:-0}   # those by qsub
restarts=$((before + (${run_count:-1} > 1 ? run_count - 1 : 0)))

start_again() {
  local options=() name value
  if qrerun "$PBS_JOBID" 2>/dev/null; then
    say "stopped early; queued again by qrerun, restart $((restarts + 1)) of at most $max_restarts"
    return 0
  fi
  for name in select place nodes walltime; do
    value=$(attribute "Resource_List\.$name")
    if [[ -n $value ]]; then options+=(-l "$name=$value"); fi
  done
  if [[ -n ${PBS_O_QUEUE-} ]]; then options+=(-q "$PBS_O_QUEUE"); fi
  value=$(attribute Account_Name)
  if [[ -n $value ]]; then options+=(-A "$value"); fi
  read -ra further <<<"${LOCKSTEP_QSUB_OPTIONS-}"
  # By name alone: a value may hold what qsub takes for the next variable.
  export LOCKSTEP_RESTARTS=$((restarts + 1)) RUN="${run[*]}"
  local variables=RUN
  for name in LOCKSTEP LOCKSTEP_LAUNCHER_OPTIONS LOCKSTEP_MAX_RESTARTS LOCKSTEP_QSUB_OPTIONS LOCKSTEP_RESTARTS \
    LOCKSTEP_ROOT PATH LD_LIBRARY_PATH OPENBLAS_CORETYPE; do
    if [[ -n ${!name-} ]]; then variables+=,$name; fi
  done
  if value=$(qsub "${options[@]}" "${further[@]}" -v "$variables" "$root/launch/$me"); then
    say "stopped early; queued again by qsub as $value, restart $LOCKSTEP_RESTARTS of at most $max_restarts"
  else
    say "stopped early, and neither qrerun nor qsub queues it again from here; to go on, submit it as before"
  fi
}

run=("$@")
if ((${#run[@]} == 0)); then read -ra run <<<"${RUN-}"; fi
prepare "${run[@]}"
ranks=$(grep -c . "$PBS_NODEFILE") || refuse "expected a line a rank in $PBS_NODEFILE, found none"
if ((ranks == 1)); then
  say "one rank; for more: qsub -l select=NODES:ncpus=N:mpiprocs=N (Torque: -l nodes=NODES:ppn=N)"
fi
mpi_environment "$(grep -cxF "$(head -n 1 "$PBS_NODEFILE")" "$PBS_NODEFILE")"
launch=(mpirun -n "$ranks")
if [[ $(mpirun --version 2>/dev/null) == *"Open MPI"* ]]; then
  # It may know PBS or not; then it starts its daemons by ssh, which takes no environment along.
  launch+=(--hostfile "$PBS_NODEFILE")
  for name in LD_LIBRARY_PATH OPENBLAS_CORETYPE; do
    if [[ -n ${!name-} ]]; then launch+=(-x "$name"); fi
  done
else
  launch+=(-f "$PBS_NODEFILE")
fi
# A job is not told when it ends. A minute is for the end of mpirun and for queueing.
walltime=$(seconds_of "$(attribute 'Resource_List\.walltime')")
walltime=${walltime:-${PBS_WALLTIME-}} # Torque
if [[ -n $walltime ]]; then export LOCKSTEP_JOB_END_TIME=$(($(date +%s) - SECONDS + walltime - 60)); fi

trap_signals
if [[ -n ${came_early-} ]]; then on_signal USR1 10; fi
if $stopping; then
  code=75 # the newest checkpoint stands
else
  "${launch[@]}" "${launcher_options[@]}" "$program" "${arguments[@]}" </dev/null &
  job=$!
  stay_with_job
fi
finish
