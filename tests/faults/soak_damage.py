"""What befalls files between a stop and a resume: damaged, cut short, swapped for others. Each function makes one fault
and returns how the case ended; the table of them is in soak.py."""

import re
import shutil
import tomllib

import program
from soak_job import Failure, require
from soak_runs import SECONDS, newest

# Keys of which another value, rightly taken on resume, gives another run; any other change of a run file is refused or
# changes no number.
OTHER_RUN = ("epochs", "threads", "exchange")


def flip_bits(case, data):
    """Some bits, in half of the cases near an end of the file, where formats keep what they need most."""
    changed = bytearray(data)
    for _ in range(case.random.choice((1, 1, 4, 64))):
        near = min(len(data), case.random.choice((len(data), 4096)))
        offset = case.random.randrange(near)
        changed[offset if case.random.random() < 0.5 else len(data) - 1 - offset] ^= 1 << case.random.randrange(8)
    return bytes(changed)


def cut_short(case, data):
    return data[:case.random.randrange(len(data))]


# Ways to damage a file of any kind.
DAMAGES = {
    "flipped bits": flip_bits,
    "cut short": cut_short,
    "emptied": lambda case, data: b"",
    "zeros": lambda case, data: bytes(len(data)),
    "another format": lambda case, data: (program.ROOT / "data/concrete.h5").read_bytes(),
}


def damage(case, path, ways=tuple(DAMAGES)):
    way = case.random.choice(ways)
    case.note(f"{path.name}: {way}")
    before = path.read_bytes()
    after = DAMAGES[way](case, before)
    while after == before:
        after = DAMAGES[way](case, before)
    path.write_bytes(after)


def checkpoint_damaged(case, count=1):
    """The newest checkpoints are damaged: they are skipped, each with its reason, and the one before is taken."""
    case.cut_off(at_least=count + 1)
    damaged = newest(case.output)[:count]
    for path in damaged:
        damage(case, path)
    ended = case.resume().wait(SECONDS)
    case.check_done(ended)
    for path in damaged:
        check_skipped(ended, path)
    return "recovered"


def check_skipped(ended, path):
    """That a checkpoint was told as skipped, and why."""
    require(re.search(rf"skipped .*{path.name}.{{10}}", ended.stderr), f"{path.name} is not told as skipped")


def two_checkpoints_damaged(case):
    return checkpoint_damaged(case, 2)


def foreign_checkpoint(case):
    """A good checkpoint of another model lies under the newest name: it is skipped or refused, by its name."""
    case.cut_off()
    other = case.random.choice([whole for name, whole in sorted(case.wholes.items()) if whole is not case.whole])
    planted = case.output / "checkpoints" / f"step-{case.first + 1:08}.h5"
    shutil.copy(other.checkpoint(case.random.choice(other.saved)), planted)
    case.note(f"a checkpoint of {other.name} as {planted.name}")
    outcome = refused_or_recovered(case, [planted.name], planted.unlink)
    if outcome == "recovered":
        check_skipped(case.jobs[-1].ended, planted)
    return outcome


def data_damaged(case):
    """A data file that is not what the run began with is refused, unless its numbers are the same."""
    case.cut_off()
    data = case.place / "digits.h5"
    damage(case, data)
    return refused_or_recovered(case, ["digits.h5"], lambda: shutil.copy(program.ROOT / "data/digits.h5", data))


def run_file_damaged(case):
    """A run file that is not the run's is refused, unless it means the same."""
    case.cut_off()
    path = case.place / "run.toml"
    before = path.read_bytes()
    for _ in range(1000):
        path.write_bytes(before)
        damage(case, path, ("flipped bits", "cut short"))
        names = what_to_name(before, path.read_bytes())
        if names is not None:
            break
        case.notes.pop()
    else:
        raise Failure("every damage makes it another run")
    case.note(f"to be named: {', '.join(sorted(names))}")
    return refused_or_recovered(case, names, lambda: path.write_bytes(before))


def what_to_name(before, after):
    """Texts of which a message about the changed run file must hold one, or None if it could be a run of its own."""
    try:
        was, now = (flatten(tomllib.loads(data.decode("utf-8"))) for data in (before, after))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {"run.toml:"}  # and the line
    changed = {key for key in was.keys() | now.keys() if was.get(key) != now.get(key)}
    if any(key.split(".")[-1] in OTHER_RUN for key in changed):
        return None
    texts = {"run.toml:"}
    for key in changed:
        texts |= {key, key.split(".")[-1]} | {str(keys[key]) for keys in (was, now) if key in keys}
    return texts


def flatten(table, above=""):
    """Values by their full keys; lists are values."""
    keys = {}
    for key, value in table.items():
        if isinstance(value, dict):
            keys.update(flatten(value, f"{above}{key}."))
        else:
            keys[above + key] = value
    return keys


def refused_or_recovered(case, names, mend):
    """Resumes with what was damaged. A refusal names it, and changes nothing: once mended, the run goes on."""
    before = case.contents()
    ended = case.resume().wait(SECONDS)
    if ended.code == 0:
        case.check_done(ended)
        return "recovered"
    case.check_refused(ended, *names)
    require(case.contents() == before, "the run was refused, and its folder was changed")
    mend()
    case.finish()
    return "refused"
