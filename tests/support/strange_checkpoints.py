"""Ways to make a checkpoint wrong that its trailer does not show, as a stranger would: each a name, a function of the
open HDF5 file, and texts of which the refusal must hold one (None: it is still a good checkpoint)."""

import os

import h5py
import numpy

# Attributes whose value agrees with nothing else in the file.
FREE = {"exchange", "blas_kernel", "simd_target", "lockstep_version", "hdf5_version", "blas_version", "mpi_version",
        "hosts", "time", "weight", "value"}
INTEGERS = {"step", "epoch", "position", "seed", "shards", "inputs", "outputs", "blas_threads", "ranks", "samples",
            "version"}
FLOATS = {"loss_sum", "weight", "seconds", "total_seconds", "value"}


def objects(path):
    """Paths of all groups and of all data sets of a checkpoint."""
    groups, arrays = ["/"], []
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, o: (groups if isinstance(o, h5py.Group) else arrays).append("/" + name))
    return groups, arrays


def attributes(path):
    with h5py.File(path, "r") as file:
        for group in objects(path)[0]:
            for name in file[group].attrs:
                yield group, name


def instead(path, make):
    """The object goes, and `make(file)` puts another in its place."""
    def change(file):
        del file[path]
        make(file)
    return change


def create(path, **options):
    return instead(path, lambda file: file.create_dataset(path, **options))


def array_cases(path, folder, like):
    """What can stand in the place of a data set of shape `like`."""
    elements = max(1, int(numpy.prod(like)))
    good = numpy.ones(like, "f8" if "/history/" in path or "/normalization/" in path else "f4")
    yield "removed", instead(path, lambda file: None)
    yield "group", instead(path, lambda file: file.create_group(path))
    yield "soft link", instead(path, lambda file: file.__setitem__(path, h5py.SoftLink("/run")))
    yield "dangling link", instead(path, lambda file: file.__setitem__(path, h5py.SoftLink("/nowhere")))
    yield "link to itself", instead(path, lambda file: file.__setitem__(path, h5py.SoftLink(path)))
    yield "other file", instead(path, lambda file: file.__setitem__(path, h5py.ExternalLink(folder + "/good.h5", path)))
    yield "pipe", instead(path, lambda file: file.__setitem__(path, h5py.ExternalLink(folder + "/pipe", path)))
    yield "second link", instead(path, lambda file: file.__setitem__(path, file["/classes" if path == "/run" else "/run"]))
    yield "committed type", instead(path, lambda file: file.__setitem__(path, numpy.dtype("f4")))
    yield "int64", create(path, data=good.astype("i8"))
    yield "float16", create(path, data=good.astype("f2"))
    yield "big-endian", create(path, data=good.astype(">f4"))
    yield "bool", create(path, data=good.astype(bool))
    yield "compound", create(path, data=numpy.zeros(like, [("a", "f4"), ("b", "i8")]))
    yield "array type", create(path, data=numpy.zeros(like, "(2,)f4"))
    yield "opaque", create(path, data=numpy.zeros(like, "V4"))
    yield "references", instead(path, lambda file: file.create_dataset(path, like, h5py.ref_dtype))
    yield "lists", instead(path, lambda file: file.create_dataset(path, like, h5py.vlen_dtype("f4")))
    yield "null", create(path, data=h5py.Empty("f4"))
    yield "no elements", create(path, shape=(0,), dtype=good.dtype)
    yield "longer", create(path, data=numpy.ones(elements + 1, good.dtype))
    yield "transposed", create(path, data=good[..., None, None])
    yield "huge", create(path, shape=(2**40, 2**10), dtype=good.dtype)
    yield "beyond 64 bits", create(path, shape=(2**31, 2**31, 2**31), dtype=good.dtype)
    yield "extensible", create(path, data=good.reshape(-1), maxshape=(None,), chunks=(elements,))
    yield "packed", create(path, data=good.reshape(-1), chunks=(elements,), compression="gzip")
    yield "packed zeros", create(path, shape=(2**28,), dtype=good.dtype, chunks=(2**20,), compression="gzip")
    yield "checksums", create(path, data=good.reshape(-1), chunks=(elements,), fletcher32=True)
    yield "external storage", create(path, shape=like, dtype=good.dtype, external=[(folder + "/good.h5", 0, 2**20)])
    yield "storage in a pipe", create(path, shape=like, dtype=good.dtype, external=[(folder + "/pipe", 0, 2**20)])

    def virtual(file):
        layout = h5py.VirtualLayout(like, good.dtype)
        layout[...] = h5py.VirtualSource(folder + "/good.h5", path, like)
        file.create_virtual_dataset(path, layout)
    yield "virtual", instead(path, virtual)


def attribute_cases(group, name):
    def put(value, **options):
        def change(file):
            file[group].attrs.create(name, value, **options)
        return change

    def removed(file):
        del file[group].attrs[name]
    yield "removed", removed
    yield "list", put(numpy.arange(3))
    yield "huge list", put(numpy.zeros(8000))
    yield "bool", put(True)
    yield "null", put(h5py.Empty("f4"))
    yield "compound", put(numpy.zeros((), [("a", "f4")]))
    if name in INTEGERS:
        yield "text", put("7")
        yield "float", put(1.0)
        yield "int32", put(numpy.int32(1))
        for value in (-1, 2**40, 2**63 - 1):
            yield str(value), put(value)
    elif name in FLOATS:
        yield "text", put("7")
        yield "integer", put(1)
        for value in (numpy.nan, numpy.inf, -1.0):
            yield str(value), put(float(value))
    else:
        yield "integer", put(7)
        yield "empty", put("")
        yield "foreign", put("a/b\nc\n../d\n" * 3)
        yield "repeated", lambda file: put(file[group].attrs[name] * 2)(file)


def number_cases():
    """Numbers that are of the right type and shape, and do not fit."""
    def column(path, index, value):
        def change(file):
            file[path][index] = value
        return change
    for name in ("x_shift", "x_scale"):
        path = f"/normalization/{name}"
        for value in (numpy.nan, numpy.inf) + ((0, -1, 1e-320) if name == "x_scale" else ()):
            yield f"{name} {value}", column(path, 1, value), path
        yield f"three columns of {name}", create(path, data=numpy.ones(3)), path
    for names in (("x_shift", "x_scale"), ("x_scale", "x_shift")):
        yield f"{names[0]} alone", instead(f"/normalization/{names[1]}", lambda file: None), names[1]
    yield "y_shift alone", lambda file: file.__setitem__("/normalization/y_shift", numpy.ones(3)), "y_shift"

    def scaled_targets(file):
        file["/normalization/y_shift"] = file["/normalization/y_scale"] = numpy.ones(3)
    yield "scaled labels", scaled_targets, "/normalization/y_scale"
    for path, value in (("/history/epoch", 7), ("/history/epoch", numpy.nan), ("/history/step", 0),
                        ("/history/step", 99), ("/history/step", 2.5), ("/history/step", numpy.nan)):
        yield f"{path} {value}", column(path, 1, value), path

    def text(path, change):
        def replace(file):
            value = change(file[path][()].decode())
            del file[path]
            file.create_dataset(path, data=numpy.bytes_(value.encode()) if value else numpy.bytes_(b"\0"))
        return replace
    for name, old, new in (
            ("units", "units = 4", "units = 5"), ("another layer", '{type = "relu"}, ', '{type = "dense", units = 4}, '),
            ("an unknown layer", '"relu"', '"rulu"'), ("an unknown key", "seed = 5", "seed = 5\nsead = 5"),
            ("another optimizer", '"adam"', '"sgd"'), ("no average", "ema = 0.9", "ema = 0.0"),
            ("another seed", "seed = 5", "seed = 6"), ("other shards", "shards = 2", "shards = 3"),
            ("another thread", "threads = 1", "threads = 2"), ("no TOML", "[train]", "[train"),
            ("another loss", '"softmax_cross_entropy"', '"no_such_loss"'),
            ("deep lists", "freeze = []", "freeze = " + "[" * 50000 + "]" * 50000),
            ("many units", "units = 4", "units = 9000000000000000000")):
        yield f"run: {name}", text("/run", lambda run, old=old, new=new: run.replace(old, new)), ""

    def many_threads(file):
        text("/run", lambda run: run.replace("threads = 1", "threads = 9000000000"))(file)
        file.attrs["blas_threads"] = 9000000000
    yield "run: more threads than an int holds", many_threads, "train.threads"
    yield "run: empty", text("/run", lambda _: ""), "/run"
    for name, value in (("two names", '["a", "b"]'), ("numbers", "[1, 2, 3]"), ("no list", '{"a": "b"}'),
                        ("no JSON", '["a", "b"'), ("deep lists", "[" * 100000 + "]" * 100000), ("no text", "")):
        yield f"classes: {name}", text("/classes", lambda _, value=value: value), "/classes"

    # Objects that the schema does not have.
    yield "more history", lambda file: file.__setitem__("/history/other", numpy.ones(2)), "/history/other"
    yield "more parameters", lambda file: file.__setitem__("/parameters/dense1/other", numpy.ones(2, "f4")), "other"
    yield "more slots", lambda file: file.create_group("/optimizer/other"), "/optimizer/other"
    yield "a link to above", lambda file: file.__setitem__("/parameters/loop", file["/"]), "/parameters/loop"
    yield "of a later version", lambda file: file.__setitem__("/later", numpy.ones(2)), None
    yield "a later attribute", lambda file: file.attrs.__setitem__("later", "text"), None
    for name, value in (("one word", "forward"), ("no hash", "forward 0123"), ("no kernel", " 0123456789abcdef")):
        yield f"probe: {name}", lambda file, value=value: file.attrs.__setitem__("probe", value), "'probe'"
    yield "probe: of another machine", lambda file: file.attrs.__setitem__("probe", "new 0123456789abcdef\n"), None
    yield "later but packed", lambda file: file.create_dataset("/later", (2**28,), chunks=(2**20,), compression="gzip"), \
        "/later"
    yield "a comment", lambda file: h5py.h5o.set_comment(file["/run"].id, b"comment"), "/run"

    def many_links(file):
        group = file.create_group("/later", track_order=True)
        for i in range(100):
            group.create_group(str(i))
    yield "links as later versions keep them", many_links, "/later"

    def deep(file):
        file.create_group("/later" + "/a" * 50)
    yield "deep groups", deep, "/later"


def names_of(path):
    """Texts of which a refusal of what lies at `path` holds one: the path; layer and array, or column; the group, where it
    keeps its links in another way for the sake of one."""
    parent = path.rpartition("/")[0] or "/"
    return (path, "/".join(path.split("/")[-2:]), path.split("/")[-1] if "/normalization/" in path else path,
            f"{parent} keeps its links")


def is_legal(group, attribute, case):
    """Whether the attribute may be so: it is for information, or was not there in older versions."""
    return (attribute in FREE and attribute not in FLOATS and case in ("empty", "foreign", "repeated")
            or (attribute, case) in (("weight", "removed"), ("loss_sum", "-1.0"))
            or attribute.endswith("_fingerprint") and case == "empty")


def cases(source, folder):
    """All of them: name, change, texts of the refusal or None. `folder` has good.h5 and a pipe."""
    folder = os.fspath(folder)
    groups, arrays = objects(source)
    with h5py.File(source, "r") as file:
        shapes = {path: file[path].shape for path in arrays}
    for path in arrays:
        for name, change in array_cases(path, folder, shapes[path]):
            yield f"{path}: {name}", change, names_of(path)
    for path in groups[1:]:
        yield f"{path}: removed", instead(path, lambda file: None), None if path == "/best" else names_of(path)
        for name, make in (("number", lambda file, path=path: file.create_dataset(path, data=numpy.ones(1))),
                           ("pipe", lambda file, path=path: file.__setitem__(
                               path, h5py.ExternalLink(folder + "/pipe", path))),
                           ("soft link", lambda file, path=path: file.__setitem__(path, h5py.SoftLink("/"))),
                           ("second link", lambda file, path=path: file.__setitem__(path, file["/"]))):
            yield f"{path}: {name}", instead(path, make), names_of(path)
    for group, attribute in attributes(source):
        says = (attribute,) + {"inputs": ("dense1/weight",), "order": ("another model", "/parameters/a/b"),
                               "columns": ("/history/a/b",)}.get(attribute, ())
        for name, change in attribute_cases(group, attribute):
            yield f"{group} {attribute}: {name}", change, None if is_legal(group, attribute, name) else says
    for name, change, says in number_cases():
        yield name, change, None if says is None else (says,)
