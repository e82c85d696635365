# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # those who source this set and read what stands below
# A job that a script stays with: a signal to the script makes the ranks save and stop. Shared by local.sh, slurm.sbatch
# and pbs.sh. To be sourced: source launch/job.sh
#
# The script sets `me` (its name), `program`, `training` (the command can save and stop) and `on_signal`'s traps:
# trap_signals. It starts mpirun (or srun) in the background, sets `job` and calls stay_with_job.

job=       # process id of mpirun; in local.sh also its session
received=0 # signals so far
stopping=false
asked=false # the ranks were told to save
ended_by=   # number of the signal that ended the job at once

say() { echo "$me: $1" >&2 || true; } # true: the terminal may be gone

# job_processes: process ids of mpirun, its children and, where it has a session, all that is in there; those alive.
job_processes() {
  local file line fields
  for file in /proc/[0-9]*/stat; do
    { read -r line <"$file"; } 2>/dev/null || continue
    read -ra fields <<<"${line##*) }" # state, parent, group, session
    if [[ ${fields[0]} == [ZX] ]]; then continue; fi
    if [[ ${line%% *} == "$job" || ${fields[1]-} == "$job" || ${fields[3]-} == "$job" ]]; then echo "${line%% *}"; fi
  done
}

kill_job() {
  local process
  for process in $(job_processes); do kill -KILL "$process" 2>/dev/null || true; done
}

# request_save: USR1, which mpirun forwards to the ranks. Not INT or TERM: on these it kills the ranks after two seconds
# and exits with 1, whatever they do.
request_save() {
  local tries alive
  if $asked; then return 0; fi
  asked=true
  # As long as there is no rank mpirun forwards to nobody.
  for ((tries = 0; tries < 100; tries++)); do
    mapfile -t alive < <(job_processes)
    if ((${#alive[@]} > 1)) || ! kill -0 "$job" 2>/dev/null; then break; fi
    sleep 0.05 || true
  done
  kill -USR1 "$job" 2>/dev/null || true
}

# end_job: TERM, on which mpirun ends the ranks within two seconds, and KILL for what is left after five.
end_job() {
  local tries
  kill -TERM "$job" 2>/dev/null || true
  for ((tries = 0; tries < 50; tries++)); do
    if ! kill -0 "$job" 2>/dev/null; then return 0; fi
    sleep 0.1 || true
  done
  kill_job
}

# on_signal NAME NUMBER: the first one asks for a checkpoint; INT and TERM after that, and any for a command that has
# nothing to save, end the job. What comes within half a second is the same wish: timeout, for one, sends its signal
# twice. (A bare `return` in a trap would give the interrupted command's exit code, and so end the script.)
on_signal() {
  local now=${EPOCHREALTIME/[.,]/}
  received=$((received + 1))
  if ! $stopping; then
    stopping=true
    first_signal=$now
    if $training; then
      say "$1: the ranks save and stop; a second Ctrl-C or TERM ends them at once"
      if [[ -n $job ]]; then request_save; fi
      return 0
    fi
  elif [[ $1 == HUP || $1 == USR1 ]] || ((now - first_signal < 500000)); then
    return 0
  fi
  if [[ -n $ended_by ]]; then return 0; fi
  ended_by=$2
  if [[ -n $job ]]; then end_job; fi
}

# has_ranks: whether mpirun has a child here that runs the program.
has_ranks() {
  local file child children word
  for file in "/proc/$job/task/"*/children; do
    children=()
    { read -ra children <"$file"; } 2>/dev/null || true # no line ends there
    for child in "${children[@]}"; do
      word=
      { IFS= read -r -d '' word <"/proc/$child/cmdline"; } 2>/dev/null || continue # or it has ended
      if [[ ${word##*/} == "${program##*/}" ]]; then return 0; fi
    done
  done
  return 1
}

# watch_ranks: runs beside the job. Where the ranks of this machine have ended and mpirun has not, 20 seconds later, it
# waits for its daemon on a host that does not answer, and would for ever: it is ended, and this exits with 4.
watch_ranks() {
  local seen=false alone=0
  while sleep 1 &>/dev/null && kill -0 "$job" 2>/dev/null; do
    if has_ranks; then
      seen=true alone=0
    elif $seen && ((++alone >= 20)); then
      trap '' TERM
      say "the ranks here have ended and mpirun has not: it waits for a host that does not answer, and is ended"
      end_job
      exit 4
    fi
  done
}

trap_signals() {
  trap 'on_signal INT 2' INT
  trap 'on_signal TERM 15' TERM
  trap 'on_signal HUP 1' HUP
  trap 'on_signal USR1 10' USR1
  trap 'if [[ -n $job ]]; then kill_job; fi' EXIT
}

# stay_with_job: sets `code` to the exit code of the process `job`, which was just started.
stay_with_job() {
  local seen watch
  watch_ranks &
  watch=$!
  # A signal that came while it was being started.
  if [[ -n $ended_by ]]; then end_job; elif $stopping; then request_save; fi
  while :; do # a signal ends `wait` early; a second one gives the code
    seen=$received
    code=0
    wait "$job" || code=$?
    if ((seen == received)); then break; fi
  done
  kill "$watch" 2>/dev/null || true
  seen=0
  wait "$watch" || seen=$?
  if ((seen == 4)); then code=4; fi
  kill_job # of a killed mpirun the ranks would be left for a second or two, and write where the next ones write
  job=
}
