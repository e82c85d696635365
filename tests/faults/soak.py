"""Does to real jobs everything that can go wrong, one random case after another, and sees that the run recovers.

Usage: soak.py [--program FILE] [--seconds N | --rounds N] [--seed S] [--case N] [--kinds KIND...]
A case trains a run, makes one fault, and resumes without it; the run must come to the bits of one that was never
disturbed, or be refused with the right exit code and one message that names what is wrong. A seed and a number give the
same case again; where it hits a job also depends on the machine. What fails is told and left in its folder; then the
exit code is 1.
"""

import argparse
import collections
import itertools
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))

# pylint: disable=wrong-import-position
import program
import soak_damage
import soak_faults
from soak_case import Case
from soak_job import Failure, TooLate
from soak_runs import RUNS, Whole

# A row of the table that is printed at the end -> what makes the fault and sees how the case ends.
KINDS = {
    "a rank killed": soak_faults.rank_killed,
    "killed while saving": soak_faults.killed_while_saving,
    "killed before saving": soak_faults.killed_before_saving,
    "mpirun killed": soak_faults.launcher_killed,
    "killed, cut short, killed": soak_faults.killed_twice,
    "told to stop by a signal": soak_faults.signalled,
    "out of time": soak_faults.out_of_time,
    "a rank stalled": soak_faults.rank_stalled,
    "a rank paused": soak_faults.rank_paused,
    "disk full": soak_faults.disk_full,
    "file-size limit": soak_faults.file_limit,
    "checkpoints folder removed": soak_faults.folder_removed,
    "checkpoints folder blocked": soak_faults.folder_blocked,
    "newest checkpoint damaged": soak_damage.checkpoint_damaged,
    "two checkpoints damaged": soak_damage.two_checkpoints_damaged,
    "a foreign checkpoint": soak_damage.foreign_checkpoint,
    "data file damaged": soak_damage.data_damaged,
    "run file damaged": soak_damage.run_file_damaged,
}
MORE_ROUNDS = 3  # to try again what came too late
SLOW = 12  # seconds after which a case is told of more closely
OUTCOMES = ("recovered", "refused", "failed", "too late")  # too late: the job was done before the fault


def kind_of(seed, number):
    """Kinds are dealt in shuffled rounds, so that each has its turn."""
    kinds = list(KINDS)
    random.Random(f"{seed}/round {number // len(kinds)}").shuffle(kinds)
    return kinds[number % len(kinds)]


class Soak:
    def __init__(self, seed, place):
        self.seed = seed
        self.place = place
        self.wholes = {name: Whole(name, place / f"undisturbed-{name}") for name in RUNS}
        self.counts = collections.defaultdict(collections.Counter)

    def run(self, number):
        kind = kind_of(self.seed, number)
        case = Case(number, self.seed, self.wholes, self.place / f"case-{number}")
        began = time.monotonic()
        outcome, reason = self.outcome(kind, case)
        self.counts[kind][outcome] += 1
        seconds = time.monotonic() - began
        print(f"case {number}: {kind}: {outcome} ({seconds:.1f} s)", flush=True)
        if seconds > SLOW and outcome != "failed":
            print(f"  slow: {'; '.join(case.notes)}; jobs of {case.job_seconds()}", flush=True)
        if outcome == "failed":
            self.tell(case, reason)
        else:
            shutil.rmtree(case.place)

    @staticmethod
    def outcome(kind, case):
        """How the case ended, and why it failed."""
        try:
            try:
                return KINDS[kind](case), ""
            except TooLate:
                return case.after_late_fault(), ""
        except Failure as failure:
            return "failed", str(failure)
        except Exception:  # pylint: disable=broad-exception-caught  # the soak goes on
            return "failed", traceback.format_exc()
        finally:
            case.end()

    def tell(self, case, reason):
        print(f"FAILED: case {case.number} of seed {self.seed}: {reason}\n  {'; '.join(case.notes)}\n"
              f"  in {case.place}, jobs of {case.job_seconds()}")
        for job in case.jobs:
            print(f"  {' '.join(job.command)}")
            for line in job.text().splitlines():
                print(f"    {line}")
        sys.stdout.flush()

    def print_table(self):
        width = max(map(len, KINDS))
        print(f"\n{'fault':<{width}}  injected  recovered  refused  failed  too late")
        total = collections.Counter()
        for kind in KINDS:
            if self.counts[kind]:
                total += self.counts[kind]
                print(f"{kind:<{width}}  {row(self.counts[kind])}")
        print(f"{'total':<{width}}  {row(total)}", flush=True)

    def failed(self):
        return sum(counts["failed"] for counts in self.counts.values())

    def missed(self, rounds):
        """Kinds of which fewer faults were made than rounds, for jobs were done before."""
        return [kind for kind in KINDS if sum(self.counts[kind].values()) - self.counts[kind]["too late"] < rounds]

    def run_rounds(self, rounds, kinds):
        """Each of these kinds so many times; what comes too late is tried again."""
        for number in range((rounds + MORE_ROUNDS) * len(KINDS)):
            kind = kind_of(self.seed, number)
            if kind in kinds and (number < rounds * len(KINDS) or kind in self.missed(rounds)):
                self.run(number)

    def run_seconds(self, seconds, kinds):
        began = time.monotonic()
        for number in itertools.count():
            if time.monotonic() - began >= seconds:
                break
            if kind_of(self.seed, number) in kinds:
                self.run(number)


def row(counts):
    injected = sum(counts.values()) - counts["too late"]
    numbers = [injected, *(counts[outcome] for outcome in OUTCOMES)]
    return "  ".join(f"{number:>{width}}" for number, width in zip(numbers, (8, 9, 7, 6, 8)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default=str(program.ROOT / "build/bin/lockstep"))
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--rounds", type=int, help="each kind of fault so many times, however long it takes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="this case alone")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND",
                        help="cases of these kinds alone")
    arguments = parser.parse_args()
    program.PROGRAM = os.path.abspath(arguments.program)
    place = Path(tempfile.mkdtemp(prefix="lockstep-soak-")).resolve()
    soak = Soak(arguments.seed, place)
    kinds = arguments.kinds
    if arguments.case is not None:
        soak.run(arguments.case)
    elif arguments.rounds:
        soak.run_rounds(arguments.rounds, kinds)
    else:
        soak.run_seconds(arguments.seconds, kinds)
    soak.print_table()
    if soak.failed():
        sys.exit(f"What failed lies in {place}. Once more: tests/faults/soak.sh 0 {arguments.seed} --case N")
    if arguments.rounds and (missed := set(soak.missed(arguments.rounds)) & set(kinds)):
        sys.exit(f"Too quick a machine: no fault of these kinds was made in time: {', '.join(sorted(missed))}")
    shutil.rmtree(place)


if __name__ == "__main__":
    main()
