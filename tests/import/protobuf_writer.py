# SPDX-License-Identifier: Apache-2.0
"""The parts that protobuf's binary format is made of."""


def varint(value):
    result = b""
    while value > 0x7f:
        result += bytes([value & 0x7f | 0x80])
        value >>= 7
    return result + bytes([value])


def number(field, value):
    """A whole number; below 0 as its two's complement in 64 bits."""
    return varint(field << 3) + varint(value & (1 << 64) - 1)


def content(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data
