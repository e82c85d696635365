"""Reads TensorBoard's event files with nothing of the program's own: records, their checksums, and the messages in them."""

import struct


def crc32c(data):
    """Bit by bit, as RFC 3720 defines it."""
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ (0x82F63B78 if rest & 1 else 0)
    return rest ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """(number, value) of every field of a message; a value that has a length is bytes."""
    at, found = 0, []
    while at < len(data):
        tag, at = varint(data, at)
        wire = tag & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 2:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
            if len(value) != length:
                raise ValueError("a field goes beyond its message")
        else:
            size, kind = {1: (8, "<d"), 5: (4, "<f")}[wire]
            value, at = struct.unpack(kind, data[at:at + size])[0], at + size
        found.append((tag >> 3, value))
    return found


def read(path):
    """The events of a file: dicts of wall_time, step, file_version, start (whether a session starts), values."""
    data, at, events = path.read_bytes(), 0, []
    while at < len(data):
        head = data[at:at + 8]
        length = struct.unpack("<Q", head)[0]
        crc_of_head = struct.unpack("<I", data[at + 8:at + 12])[0]
        body = data[at + 12:at + 12 + length]
        crc_of_body = struct.unpack("<I", data[at + 12 + length:at + 16 + length])[0]
        if (crc_of_head, crc_of_body) != (masked(head), masked(body)):
            raise ValueError(f"{path}: wrong checksum at byte {at}")
        at += 16 + length
        event = {"step": 0, "values": {}, "start": False}
        for number, value in fields(body):
            if number == 1:
                event["wall_time"] = value
            elif number == 2:
                event["step"] = value
            elif number == 3:
                event["file_version"] = value.decode()
            elif number == 5:
                for _, of_summary in fields(value):
                    named = dict(fields(of_summary))
                    event["values"][named[1].decode()] = named[2]
            elif number == 7:
                event["start"] = dict(fields(value)) == {1: 1}
            else:
                raise ValueError(f"{path}: field {number} of an event")
        events.append(event)
    return events


def shown(files):
    """{tag: {step: value}} as TensorBoard shows it: a session that starts takes back its step and all behind it."""
    tags = {}
    for event in (event for events in files for event in events):
        if event["start"]:
            tags = {tag: {step: value for step, value in steps.items() if step < event["step"]} for tag, steps in tags.items()}
        for tag, value in event["values"].items():
            tags.setdefault(tag, {})[event["step"]] = value
    return tags
