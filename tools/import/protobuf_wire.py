# SPDX-License-Identifier: Apache-2.0
"""Reads protobuf's binary format without its schema. Nothing in it is trusted."""
import mmap
import os

import numpy as np

from refusal import Refusal

MOST_BYTES = 2 << 30    # protobuf itself ends there

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def mapped(path, what):
    """The bytes of a file. `what` it should be, for the refusal of one that is empty or too large."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not 0 < size < MOST_BYTES:
            raise Refusal(f"has {size} bytes; {what} has some, and less than 2 GiB", path)
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def varint(data, at):
    """(value, position behind it)"""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise Refusal("ends within a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
    raise Refusal("holds a number of more than 64 bits")


def fields(data):
    """(number, wire type, value) of each field of a message: an int for VARINT, else a memoryview of its bytes.

    A field that is not packed and repeated makes one item for every run of its values: their bytes, one after the other.
    """
    at = 0
    while at < len(data):
        start = at
        tag, at = varint(data, at)
        number, kind = tag >> 3, tag & 7
        if number == 0 or kind not in (VARINT, FIXED64, BYTES, FIXED32):
            raise Refusal(f"field {number} of wire type {kind} at byte {start} of a message is no part of the format")
        if kind == VARINT:
            value, at = varint(data, at)
        elif kind == BYTES:
            size, at = varint(data, at)
            if size > len(data) - at:
                raise Refusal(f"field {number} has {size} bytes of which {len(data) - at} are there")
            value, at = data[at:at + size], at + size
        else:
            value, at = run(data, start, at, 8 if kind == FIXED64 else 4)
        yield number, kind, value


def run(data, start, at, size):
    """The values that follow one another under one tag, which lies from `start` to `at`; and the position behind them."""
    if len(data) - at < size:
        raise Refusal("ends within a number")
    width, tag, count = at - start + size, bytes(data[start:at]), 1
    most = (len(data) - start) // width
    while count < most:     # looked at in pieces that grow, so that many short runs cost no more than one long
        rows = np.frombuffer(data, np.uint8, min(count, most - count) * width, start + count * width).reshape(-1, width)
        same = (rows[:, :len(tag)] == np.frombuffer(tag, np.uint8)).all(axis=1)
        length = len(same) if same.all() else int(same.argmin())
        count += length
        if length < len(same):
            break
    rows = np.frombuffer(data, np.uint8, count * width, start).reshape(count, width)
    return memoryview(np.ascontiguousarray(rows[:, len(tag):]).reshape(-1)), start + count * width
