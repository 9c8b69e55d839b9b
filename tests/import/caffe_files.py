# SPDX-License-Identifier: Apache-2.0
"""Writes Caffe's two files: networks as protobuf text, blobs as protobuf's binary format. Needs NumPy only."""
import struct

import numpy as np

from protobuf_writer import content, number, varint

QUOTED = ("name", "bottom", "top", "type", "input", "source", "prefix", "mean_file")


class Word(str):
    """Stands without quotes."""


def text(fields, indent=0):
    """`fields`: {name: value}; a dict is a message, a list is given once for each of its values."""
    lines = []
    for name, values in fields.items():
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, dict):
                lines.append(f"{' ' * indent}{name} {{\n{text(value, indent + 2)}{' ' * indent}}}\n")
                continue
            if isinstance(value, bool):
                value = "true" if value else "false"
            if name in QUOTED and not isinstance(value, Word):
                value = f'"{value}"'
            lines.append(f"{' ' * indent}{name}: {value}\n")
    return "".join(lines)


def blob(array, style):
    """`style`: "packed", "loose" (a tag a number), "double" or "legacy" (four dimensions, not a shape)."""
    if style == "legacy":
        dims = (1,) * (4 - array.ndim) + array.shape
        shape = b"".join(number(i, dim) for i, dim in enumerate(dims, 1))
    else:
        dims = b"".join(varint(dim) for dim in array.shape)
        shape = content(7, content(1, dims) if style == "packed" else b"".join(number(1, dim) for dim in array.shape))
    if style == "double":
        return shape + content(8, array.astype("<f8").tobytes())
    if style == "loose":
        return b"".join(varint(5 << 3 | 5) + struct.pack("<f", value) for value in array.reshape(-1)) + shape
    return shape + content(5, array.astype("<f4").tobytes())


def caffemodel(layers, styles, v1=False):
    """`layers`: (name, arrays); `styles` are taken in turn."""
    result, count = content(1, b"toy"), 0
    for name, arrays in layers:
        layer = content(4, name.encode()) if v1 else content(1, name.encode()) + content(2, b"Convolution")
        for array in arrays:
            layer += content(6 if v1 else 7, blob(np.asarray(array), styles[count % len(styles)]))
            count += 1
        result += content(2 if v1 else 100, layer)
    return result
