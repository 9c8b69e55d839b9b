# SPDX-License-Identifier: Apache-2.0
"""Bounds-checked reading of FlatBuffers tables: every offset and length is held against the file before it is used."""
import struct

import numpy as np


class FormatError(ValueError):
    """The bytes are no FlatBuffers file, or one that is cut off or damaged."""


def read_number(data, at, code):
    """One little-endian number of struct's code ("i", "H", ...) at a byte position."""
    if at < 0 or at + struct.calcsize("<" + code) > len(data):
        raise FormatError(f"a number at byte {at} lies outside the file of {len(data)} bytes")
    return struct.unpack_from("<" + code, data, at)[0]


class Table:
    """A table; its fields are numbered from 0 in the order of the schema. An absent field reads as its default."""

    def __init__(self, data, at):
        self._data, self._at = data, at
        self._vtable = at - read_number(data, at, "i")
        self._fields = (read_number(data, self._vtable, "H") - 4) // 2

    @classmethod
    def root(cls, data):
        return cls(data, read_number(data, 0, "I"))

    def _position(self, field):
        """Where a field's value stands, or None."""
        if field >= self._fields:
            return None
        offset = read_number(self._data, self._vtable + 4 + 2 * field, "H")
        return self._at + offset if offset else None

    def _target(self, position):
        return position + read_number(self._data, position, "I")

    def number(self, field, code, default=0):
        position = self._position(field)
        return default if position is None else read_number(self._data, position, code)

    def table(self, field):
        """The table of a field, or None."""
        position = self._position(field)
        return None if position is None else Table(self._data, self._target(position))

    def numbers(self, field, code):
        """A vector as an array that views the file; empty where it is absent."""
        dtype = np.dtype(code).newbyteorder("<")
        position = self._position(field)
        if position is None:
            return np.zeros(0, dtype)
        start = self._target(position)
        count = read_number(self._data, start, "I")
        if count * dtype.itemsize > len(self._data) - start - 4:
            raise FormatError(f"a vector of {count} elements at byte {start} ends outside the file")
        return np.frombuffer(self._data, dtype, count, start + 4)

    def tables(self, field, most):
        """A vector of tables, of which there may be no more than `most`."""
        position = self._position(field)
        if position is None:
            return []
        start = self._target(position)
        offsets = self.numbers(field, "u4")
        if len(offsets) > most:
            raise FormatError(f"{len(offsets)} tables at byte {start}, more than the {most} that are accepted")
        return [Table(self._data, start + 4 * (i + 1) + int(offset)) for i, offset in enumerate(offsets)]

    def text(self, field, most):
        """A string, cut to `most` bytes; undecodable bytes and control characters become '?'."""
        text = self.numbers(field, "u1")[:most].tobytes().decode("utf-8", "replace")
        return "".join(c if c.isprintable() else "?" for c in text)
