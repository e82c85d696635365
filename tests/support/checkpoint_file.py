"""Checkpoints made by hand: a digest and a trailer that are right whatever the file holds (see src/README.md)."""

import ctypes
import ctypes.util
import struct
from pathlib import Path

import h5py

TRAILER_BYTES = 32


class _Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


_xxhash = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
_xxhash.XXH3_128bits.restype = _Hash128
_xxhash.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


def xxh3_128(data):
    """The hash of bytes, canonical: 16 bytes, big-endian."""
    value = _xxhash.XXH3_128bits(data, len(data))
    return struct.pack(">QQ", value.high, value.low)


def with_trailer(image):
    head = image + b"LOCKSTEP" + struct.pack("<Q", len(image))
    return head + xxh3_128(head)


def _text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def _arrays(file, group, order):
    data = b""
    for line in order:
        array = file[f"{group}/{line}"][()]
        layer, name = line.split("/", 1)
        data += _text(layer) + _text(name) + struct.pack(f"<{array.ndim + 1}Q", array.ndim, *array.shape)
        data += array.astype("<f4").tobytes()
    return data


def digest_of(file):
    """The digest that the arrays and the place in an open file give."""
    order = file["parameters"].attrs["order"].split()
    data = _arrays(file, "parameters", order)
    for slot in file["optimizer"].attrs["slots"].split():
        data += _text(slot) + _arrays(file, f"optimizer/{slot}", order)
    if "ema" in file:
        data += _text("ema") + _arrays(file, "ema", order)
    place = [int(file.attrs[name]) % 2**64 for name in ("step", "epoch", "position", "seed")]
    return xxh3_128(data + struct.pack("<4Q", *place)).hex()


def _is_plain(file):
    """Whether all of it can be read without waiting for a pipe or taking more memory than it has."""
    plain = []

    def look(name, item):
        parts = name.split("/")
        plain.append(isinstance(file.get(name, getlink=True), h5py.HardLink) and len(parts) < 9
                     and (not isinstance(item, h5py.Dataset)
                          or (item.chunks is None and not item.external and not item.is_virtual and item.size < 1e6)))
        if isinstance(item, h5py.Group):
            plain.extend(isinstance(item.get(key, getlink=True), h5py.HardLink) for key in item)
    file.visititems(look)
    return all(plain) and all(isinstance(file.get(key, getlink=True), h5py.HardLink) for key in file)


def changed(source, target, change):
    """Writes `source` to `target` after `change(file)`, a function of the open HDF5 file, with digest and trailer made
    anew where they can be."""
    target = Path(target)
    target.write_bytes(Path(source).read_bytes()[:-TRAILER_BYTES])
    with h5py.File(target, "r+") as file:
        was = file.attrs["digest"]
        change(file)
        try:
            if str(file.attrs["digest"]) == was and _is_plain(file):
                file.attrs["digest"] = digest_of(file)
        except (AttributeError, KeyError, OSError, TypeError, ValueError):
            pass  # the arrays are gone, or of no numbers
    target.write_bytes(with_trailer(target.read_bytes()))
