"""What befalls a running job: killed, stopped, out of time, out of disk. Each function makes one fault and returns how
the case ended; the table of them is in soak.py."""

import functools
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from soak_case import kill, remove, send
from soak_job import TooLate, require
from soak_runs import SECONDS, newest

KILL_SECONDS = 10  # from the kill of a rank to the end of the job
ORPHAN_SECONDS = 20  # from the kill of mpirun to the end of the last rank
STOPPED_EARLY = 75
STALLED = 4
NOT_SAVED = re.compile(r"lockstep: warning: .*checkpoint.* not saved")


def rank_killed(case):
    job = case.start()
    kill_at_some_moment(case, job)
    return case.finish()


def kill_at_some_moment(case, job):
    lost = case.draw_rank(job)
    kill(case.moment(job)[lost])
    check_killed(job.wait(KILL_SECONDS), lost)


def check_killed(ended, rank):
    if ended.code == 0:
        raise TooLate  # which goes on to check that the run is whole
    require(re.search(rf"process rank {rank} .*signal 9", ended.stderr), f"mpirun does not name rank {rank}")


def killed_while_saving(case):
    """Rank 0 is killed in the middle of a write, which leaves a temporary file behind."""
    case.choose("wide")
    job = case.start()
    ranks = case.at_step(job)
    job.until(lambda: unfinished(case.output), poll=0)
    kill(ranks[0])
    check_killed(job.wait(KILL_SECONDS), 0)
    case.note(f"left {unfinished(case.output)}")
    return case.finish()


def unfinished(output):
    """The temporary files of checkpoints being written."""
    return [name for name in os.listdir(output / "checkpoints") if name.startswith(".step-")]


def killed_before_saving(case):
    """Any rank is killed right before the step that is to be saved."""
    job = case.start()
    every = case.whole.every
    step = (case.draw_step() // every + 1) * every - 1
    lost = case.draw_rank(job)
    case.note(f"at step {step}")
    ranks = job.until(job.ranks)
    job.until(lambda: job.step() >= step, poll=0)
    kill(ranks[lost])
    check_killed(job.wait(KILL_SECONDS), lost)
    return case.finish()


def launcher_killed(case):
    job = case.start()
    case.moment(job)
    kill(job.process.pid)
    if job.process.wait() != -signal.SIGKILL:
        raise TooLate
    left = job.wait_until_gone(ORPHAN_SECONDS)
    require(not left, f"mpirun is gone, and {len(left)} ranks are still there after {ORPHAN_SECONDS} s")
    return case.finish()


def killed_twice(case):
    """The second kill comes in the resume of the killed run, whose newest checkpoint was cut short."""
    rank_killed_once(case)
    for file in newest(case.output)[:1]:
        os.truncate(file, case.random.randrange(file.stat().st_size))
    rank_killed_once(case)
    return case.finish()


def rank_killed_once(case):
    files = newest(case.output)
    case.first = int(files[0].name[5:13]) if files else 0
    kill_at_some_moment(case, case.resume())


def signalled(case):
    """mpirun or one rank is told to stop: all stop together, behind a step, and save it."""
    job = case.start()
    number, whom = case.random.choice([(signal.SIGUSR1, "mpirun"), (signal.SIGUSR1, "a rank"),
                                       (signal.SIGTERM, "a rank"), (signal.SIGINT, "a rank")])
    told = case.draw_rank(job)
    case.note(f"{number.name} to {whom}")
    ranks = case.at_step(job)
    reached = job.step()
    send(number, job.process.pid if whom == "mpirun" else ranks[told])
    return stopped_early(case, job, reached)


def out_of_time(case):
    """A rank is held up until hardly any of the time is left that the run may take: it keeps a second to end in."""
    job = case.start("--set", "train.time_limit=2s")
    held, step = case.draw_rank(job), case.draw_step()
    case.note(f"at step {step}")
    ranks = job.until(job.ranks)
    job.until(lambda: job.step() >= max(step, 1) or job.process.poll() is not None)
    reached = job.step()
    if job.process.poll() is None:  # or it was slow enough without
        pause(ranks[held], 1)
    return stopped_early(case, job, reached)


def stopped_early(case, job, reached):
    ended = job.wait(SECONDS)
    if ended.code == 0:
        raise TooLate
    ended.expect(STOPPED_EARLY)
    require(not ended.errors, "a run that was told to stop tells an error")
    case.check_saved(reached)
    return case.finish()


def pause(pid, seconds):
    send(signal.SIGSTOP, pid)
    time.sleep(seconds)
    send(signal.SIGCONT, pid)


def rank_stalled(case):
    """A rank hangs for good: the others must notice, and say where."""
    timeout = 3
    job = case.start("--set", f"train.stall_timeout={timeout}", least_ranks=2)
    stalled = case.draw_rank(job)
    send(signal.SIGSTOP, case.at_step(job)[stalled])
    ended = job.wait(timeout + KILL_SECONDS)
    case.check_refused(ended, f"rank {stalled}", code=STALLED)
    for text in (socket.gethostname(), "step"):
        require(text in ended.errors[0], f"the message does not name {text}")
    return case.finish()


def rank_paused(case):
    """A rank hangs for a while, which is no reason to end the job."""
    job = case.start()
    paused = case.draw_rank(job)
    seconds = case.random.uniform(0.1, 1)
    pause(case.moment(job)[paused], seconds)
    case.check_done(job.wait(SECONDS))
    return "recovered"


def disk_full(case):
    """Another program fills the disk that the run folder is on; it may make room again before the run ends."""
    if not can_mount():
        case.note("by a file-size limit, for nothing can be mounted here")
        return file_limit(case)
    disk = case.place / "disk"
    mount(disk)
    case.at_end.callback(unmount, disk)
    case.output = disk / "run"
    job = case.start()
    return hindered(case, job, lambda: fill_until_told(job, disk / "filler"), lambda: remove_file(disk / "filler"))


def fill_until_told(job, filler):
    """A checkpoint that was being written gives its room back, so once is not enough."""
    fill(filler)
    job.until(lambda: NOT_SAVED.search(job.text()) or fill(filler))


def file_limit(case):
    """Rank 0 may not write files of the size of a checkpoint any more: a full disk that needs no mounting."""
    job = case.start()
    limit = case.random.randrange(case.whole.checkpoint_bytes)
    return hindered(case, job, lambda: limit_files(job, limit), lambda: limit_files(job, resource.RLIM_INFINITY))


def limit_files(job, limit):
    for pid in job.ranks()[:1]:
        try:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        except ProcessLookupError:
            pass


def folder_removed(case):
    """All checkpoints are removed with their folder, in the middle of a run that can make it anew."""
    job = case.start()
    case.at_step(job)
    remove(case.output / "checkpoints")
    ended = job.wait(SECONDS)
    if ended.code == 0:
        case.check_done(ended)
    else:  # it was removed while the last one was written
        case.check_refused(ended, "could not be saved", code=1)
    return case.finish()


def folder_blocked(case):
    """In the middle of a run, a file lies where the checkpoints' folder was, or it is made read-only."""
    folder = case.output / "checkpoints"
    hinder, mend = functools.partial(replace_by_file, folder), functools.partial(remove_file, folder)
    if can_freeze() and case.random.random() < 0.5:
        case.note("read-only")
        hinder, mend = (functools.partial(set_immutable, folder, on) for on in (True, False))
    case.at_end.callback(mend)
    return hindered(case, case.start(), hinder, mend)


def hindered(case, job, hinder, mend):
    """Nothing can be saved from some step on, in half of the cases only for a while.

    The training must go on all the same. It ends with 1 if its last state is not saved, and with warnings either way.
    """
    seconds = case.random.uniform(0, 0.5) if case.random.random() < 0.5 else SECONDS
    case.note("for good" if seconds == SECONDS else f"for {seconds:.3f} s")
    case.at_step(job, until=0.5)
    hinder()
    job.until(lambda: NOT_SAVED.search(job.text()))
    job.ends_within(seconds)
    mend()
    told = len(NOT_SAVED.findall(job.text()))
    ended = job.wait(SECONDS)
    if ended.code == 0:
        case.check_done(ended)
    else:
        # One save may have failed before and be told later; a second one has failed for no reason.
        require(len(NOT_SAVED.findall(ended.stderr)) <= told + 1, "it could be saved again, and was not")
        case.check_refused(ended, "could not be saved", code=1)
    return case.finish()


def fill(path):
    """Writes on to a file until the disk is full."""
    block = bytes(1 << 16)
    with open(path, "ab", buffering=0) as file:
        while len(block) > 0:
            try:
                file.write(block)
            except OSError:
                block = block[:len(block) // 2]


def replace_by_file(folder):
    """Again if the job has made the folder anew in between."""
    while not folder.is_file():
        remove(folder)
        try:
            folder.write_text("in the way\n", encoding="utf-8")
        except IsADirectoryError:
            pass


def remove_file(path):
    if path.is_file():
        path.unlink()


def set_immutable(folder, on):
    """Nothing can be made or removed in such a folder, not even by root."""
    if folder.is_dir():
        subprocess.run(["chattr", "+i" if on else "-i", folder], check=True, capture_output=True)


def mount(place):
    """A small file system of its own."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", place], check=True, capture_output=True)


def unmount(place):
    """What was on it stays there."""
    kept = place.with_name("kept")
    shutil.copytree(place, kept, ignore=lambda *_: ["filler"])
    subprocess.run(["umount", "-l", place], check=True, capture_output=True)


@functools.cache
def can_mount():
    with tempfile.TemporaryDirectory() as scratch:
        try:
            mount(Path(scratch) / "disk")
        except (OSError, subprocess.CalledProcessError):
            return False
        subprocess.run(["umount", Path(scratch) / "disk"], check=True)
        return True


@functools.cache
def can_freeze():
    """Whether files can be made immutable where the cases lie."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "frozen"
        folder.mkdir()
        try:
            set_immutable(folder, True)
        except (OSError, subprocess.CalledProcessError):
            return False
        set_immutable(folder, False)
        return True
