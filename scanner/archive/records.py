"""The records of a zip file, as far as a forward-only reader needs them (APPNOTE.TXT 4.3, 4.4, 4.5.3)."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import NamedTuple

from scanner.archive.inflate import crc32

LOCAL, CENTRAL, DESCRIPTOR = b"PK\x03\x04", b"PK\x01\x02", b"PK\x07\x08"
END, END64, LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
LOCAL_FIXED = struct.Struct("<4sHHHHHIIIHH")
CLOSING = {  # the fixed part, and in it the sizes of the rest
    CENTRAL: struct.Struct("<28xHHH12x"),
    END: struct.Struct("<20xH"),
    END64: struct.Struct("<4xQ"),
    LOCATOR64: struct.Struct("<20x"),
}
EXTRA = struct.Struct("<HH")
ZIP64, IN_EXTRA = 0x0001, 0xFFFFFFFF
ENCRYPTED, STREAMED = 0x0001, 0x0008
KNOWN_FLAGS = 0x280F | 0x0870  # encryption, compression options, streamed, patched, strong, UTF-8, masked
KNOWN_METHODS = {0, 8, 9, 12, 14, 20, 93, 94, 95, 96, 97, 98, 99}
NEWEST_VERSION = 63
LONGEST_NAME = 1024
LOOKAHEAD = LOCAL_FIXED.size + LONGEST_NAME
BOUNDARY = re.compile(rb"PK(?:\x03\x04|\x01\x02|\x07\x08)")
RECORD = re.compile(rb"PK(?:\x03\x04|\x01\x02|\x05\x06|\x06\x06)")

Look = Callable[[int], memoryview]


class Local(NamedTuple):
    """A local file header. `packed` and `unpacked` are None where only a descriptor will tell."""

    flags: int
    method: int
    crc: int
    packed: int | None
    unpacked: int | None
    directory: bool
    size: int


def local(look: Look) -> Local | None:
    """The header that `look` shows; None if it is cut off."""
    if len(look(LOCAL_FIXED.size)) < LOCAL_FIXED.size:
        return None
    _, _, flags, method, _, _, crc, packed, unpacked, name, extra = LOCAL_FIXED.unpack(look(LOCAL_FIXED.size))
    end = LOCAL_FIXED.size + name + extra
    if len(view := look(end)) < end:
        return None
    if IN_EXTRA in {packed, unpacked}:
        packed, unpacked = _zip64(bytes(view[end - extra :]), packed, unpacked)
    directory = bytes(view[LOCAL_FIXED.size : end - extra]).endswith(b"/")
    known = packed > 0 or not flags & STREAMED
    return Local(flags, method, crc, packed if known else None, unpacked if known else None, directory, end)


def closing(look: Look) -> int:
    """The size of the record that `look` shows, if it is one of those behind the members; else 0."""
    fixed = CLOSING.get(bytes(look(4)))
    if fixed is None:
        return 0
    if len(look(fixed.size)) < fixed.size:
        return fixed.size
    rest: tuple[int, ...] = fixed.unpack(look(fixed.size))
    return fixed.size + sum(min(size, 0xFFFF) for size in rest)


def _zip64(extra: bytes, packed: int, unpacked: int) -> tuple[int, int]:
    """The two sizes, read from the extra field where the header says so."""
    at = 0
    while at + EXTRA.size <= len(extra):
        tag, size = EXTRA.unpack_from(extra, at)
        at += EXTRA.size
        if tag == ZIP64:
            values = [value for (value,) in struct.iter_unpack("<Q", extra[at : at + size // 8 * 8])]
            wide = iter(values)
            unpacked = next(wide, unpacked) if unpacked == IN_EXTRA else unpacked
            packed = next(wide, packed) if packed == IN_EXTRA else packed
        at += size
    return packed, unpacked


def plausible(view: memoryview) -> bool:
    """Whether the record signature at the start of `view` begins a record, and is not chance or data."""
    if bytes(view[:4]) != LOCAL:
        return True
    if len(view) < LOCAL_FIXED.size:
        return False
    _, version, flags, method, *_, name, _ = LOCAL_FIXED.unpack_from(view)
    text = bytes(view[LOCAL_FIXED.size : LOCAL_FIXED.size + name])
    sound = (version & 0xFF) <= NEWEST_VERSION and not flags & ~KNOWN_FLAGS and method in KNOWN_METHODS
    return sound and 0 < name <= LONGEST_NAME and len(text) == name and min(text) >= 0x20


class Form(NamedTuple):
    """One of the four ways to write a data descriptor: signature or not, sizes of 4 or 8 bytes."""

    fields: struct.Struct
    signed: bool


FORMS = (
    Form(struct.Struct("<4xIII"), signed=True),
    Form(struct.Struct("<4xIQQ"), signed=True),
    Form(struct.Struct("<III"), signed=False),
    Form(struct.Struct("<IQQ"), signed=False),
)
LONGEST_DESCRIPTOR = 24
KEPT = LONGEST_DESCRIPTOR + 4
"""The last bytes of a window that a boundary across windows can need."""


class Payload(NamedTuple):
    """What was read of a member. CRC and `unpacked` are None where the member was not unpacked."""

    packed: int
    crc: int | None
    unpacked: int | None


def descriptor(view: memoryview, read: Payload) -> tuple[int, bool]:
    """The size of the descriptor at the start of `view`, 0 if there is none, and whether it confirms what was read."""
    for form in FORMS:
        if _holds(form, view) and _confirms(form.fields.unpack_from(view), read):
            return form.fields.size, True
    sized = (form.fields.size for form in FORMS if form.signed and _holds(form, view) and _follows(form, view))
    return next(sized, 0), False


def _holds(form: Form, view: memoryview) -> bool:
    return len(view) >= form.fields.size and (not form.signed or view[:4] == DESCRIPTOR)


def _confirms(values: tuple[int, ...], read: Payload) -> bool:
    crc, packed, unpacked = values
    return packed == read.packed and read.crc in {None, crc} and read.unpacked in {None, unpacked}


def _follows(form: Form, view: memoryview) -> bool:
    return bytes(view[form.fields.size : form.fields.size + 2]) in {b"PK", b""}


def next_record(window: memoryview) -> int | None:
    """Where in `window` the next plausible record begins that can follow a member."""
    starts = (found.start() for found in RECORD.finditer(window))
    return next((at for at in starts if plausible(window[at : at + LOOKAHEAD])), None)


def end_of_payload(window: memoryview, before: int, crc: int | None) -> int | None:
    """Where in `window` a payload of unknown length ends, if it does.

    `before` bytes with this CRC went ahead of the window; None: the payload is not stored, so its CRC is not known. It
    ends at a descriptor that tells its size and CRC, or at a header behind a descriptor that tells one of the two.
    """
    done = 0
    for found in BOUNDARY.finditer(window):
        near = max(found.start() - LONGEST_DESCRIPTOR, 0)
        crc, done = None if crc is None else crc32(window[done:near], crc), near
        ends = _at_descriptor if found[0] == DESCRIPTOR else _at_header
        end = ends(window[near : found.start() + LONGEST_DESCRIPTOR], found.start() - near, before + near, crc)
        if end is not None:
            return near + end
    return None


def _at_descriptor(window: memoryview, at: int, before: int, crc: int | None) -> int | None:
    view = window[at : at + LONGEST_DESCRIPTOR]
    sized = Payload(before + at, None, None if crc is None else before + at)
    told = [form.fields.unpack_from(view) for form in FORMS if form.signed and _holds(form, view)]
    fits = any(_confirms(values, sized) for values in told)
    return at if fits and (crc is None or told[0][0] == crc32(window[:at], crc)) else None


def _at_header(window: memoryview, at: int, before: int, crc: int | None) -> int | None:
    for form in FORMS:
        end = at - form.fields.size
        if end < 0:
            continue
        told, packed, _ = form.fields.unpack_from(window, end)
        signed = form.signed and window[end : end + 4] == DESCRIPTOR
        if packed == before + end or (signed and crc is not None and told == crc32(window[:end], crc)):
            return end
    return None
