"""One case of the soak: a run that is disturbed in a folder of its own and then resumed. All it draws comes from its
seed and number."""

import contextlib
import os
import random
import signal
import tempfile
import time

from soak_job import Job, TooLate, require
from soak_runs import SECONDS, newest, write_inputs

MOST_RANKS = 4
AT_START = 0.15  # share of the moments that lie before the first step
UNTIL = 0.75  # of the steps of a run: later than that, a job may be done before the fault is made


class Case:
    def __init__(self, number, seed, wholes, place):
        self.number = number
        self.random = random.Random(f"{seed}/{number}")
        self.wholes = wholes
        self.place = place
        self.output = place / "run"
        self.jobs = []
        self.at_end = contextlib.ExitStack()  # what puts things right again behind the case
        self.notes = []
        self.first = 0  # the step that the run is at
        self.choose(self.random.choice(sorted(wholes)))

    def choose(self, name):
        """Takes the run of that name."""
        self.whole = self.wholes[name]
        write_inputs(name, self.place)
        self.note(name)

    def note(self, text):
        """What is told of a case that fails."""
        self.notes.append(str(text))

    def draw_ranks(self, least):
        return self.random.randint(least, MOST_RANKS)

    def draw_step(self, until=UNTIL):
        return self.random.randint(self.first, max(self.first, int(until * self.whole.steps)))

    def cut_off(self, at_least=1):
        """Makes the folder that a run leaves which was stopped somewhere, with at least so many checkpoints."""
        saved = [step for step in self.whole.saved if step <= UNTIL * self.whole.steps]
        self.first = self.random.choice(saved[at_least - 1:len(saved) * 2 // 3])
        self.whole.cut_off(self.output, self.first)
        self.note(f"stopped at step {self.first}")

    def start(self, *options, **how):
        """A job, afresh or in the folder that a stopped run left."""
        if not self.output.exists() and self.random.random() < 0.4:
            self.cut_off()
        return self.resume(*options, **how)

    def resume(self, *options, least_ranks=1):
        """A job in the folder as it is, on some number of ranks."""
        ranks = self.draw_ranks(least_ranks)
        self.note(f"{ranks} ranks")
        self.jobs.append(Job(self.place, ranks, self.output, *options))
        return self.jobs[-1]

    def moment(self, job):
        """Waits for some moment of the job; returns the process ids of its ranks. Raises TooLate."""
        if self.random.random() < AT_START:
            seconds = self.random.uniform(0, 0.3)
            self.note(f"{seconds:.3f} s after the start of the ranks")
            job.until(job.ranks)
        else:
            step, seconds = self.draw_step(), self.random.uniform(0, 0.01)
            self.note(f"at step {step}")
            job.until(lambda: job.step() >= step)
        time.sleep(seconds)
        return job.until(job.ranks)

    def at_step(self, job, until=UNTIL):
        """The same for a moment when the ranks train."""
        step = self.draw_step(until)
        self.note(f"at step {step}")
        ranks = job.until(job.ranks)
        job.until(lambda: job.step() >= max(step, 1))
        return ranks

    def draw_rank(self, job):
        rank = self.random.randrange(job.num_ranks)
        self.note(f"rank {rank}")
        return rank

    def finish(self):
        """Resumes without a fault and compares with the undisturbed run."""
        ended = self.resume().wait(SECONDS)
        self.check_done(ended)
        return "recovered"

    def check_done(self, ended):
        """That a job went to the end of the run and came to the same bits."""
        ended.expect(0)
        require(not ended.errors, "exit code 0, and yet an error was told")
        self.whole.check(self.output)

    def check_refused(self, ended, *texts, code=2):
        """That a job ended with one message that holds one of these texts."""
        ended.expect(code)
        require(len(ended.errors) == 1, f"expected one message, found {len(ended.errors)}")
        require(any(text in ended.errors[0] for text in texts), f"the message names none of {', '.join(texts)}")

    def check_saved(self, step):
        """That the newest checkpoint is not older than this step."""
        files = newest(self.output)
        require(files and int(files[0].name[5:13]) >= step, f"step {step} was reached and not saved")

    def contents(self):
        return {path: path.read_bytes() for path in self.output.rglob("*") if path.is_file()}

    def after_late_fault(self):
        """The job was quicker than the fault: it must have ended well."""
        self.check_done(self.jobs[-1].wait(SECONDS))
        return "too late"

    def job_seconds(self):
        return ", ".join(f"{job.ended.seconds:.1f} s" if job.ended else "no end" for job in self.jobs)

    def end(self):
        for job in self.jobs:
            job.end()
        self.at_end.close()


def send(number, pid):
    """A signal, or TooLate where the process is gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        raise TooLate from None


def kill(pid):
    send(signal.SIGKILL, pid)


def remove(path):
    """A folder or file, whatever lies there; at once, though a job may be writing to it."""
    with tempfile.TemporaryDirectory(prefix="removed-", dir=path.parent) as away:
        try:
            os.rename(path, f"{away}/it")
        except FileNotFoundError:
            pass

