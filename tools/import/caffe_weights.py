# SPDX-License-Identifier: Apache-2.0
"""Reads a .caffemodel: the blobs of each layer. Field numbers are those of caffe.proto's NetParameter."""
import math
from dataclasses import dataclass

import numpy as np

import protobuf_wire as wire
from refusal import Refusal

MOST_LAYERS, MOST_BLOBS = 100_000, 64

# Of a layer: (field of the network, field of its name, field of its blobs)
LAYER, V1_LAYER = (100, 1, 7), (2, 4, 6)


@dataclass(eq=False)
class Blob:
    dims: tuple
    data: np.ndarray    # flat, float32 or float64


def read_dims(shape):
    """BlobShape.dim, packed or not."""
    dims = []
    for number, kind, value in wire.fields(shape):
        if number == 1 and kind == wire.BYTES:
            at = 0
            while at < len(value) and len(dims) <= 8:
                dim, at = wire.varint(value, at)
                dims.append(dim)
        elif number == 1 and kind == wire.VARINT:
            dims.append(value)
        if len(dims) > 8:
            raise Refusal("a blob of more than 8 dimensions")
    return tuple(dims)


def read_blob(message, place):
    legacy, dims, pieces = [0, 0, 0, 0], None, {5: [], 8: []}
    for number, kind, value in wire.fields(message):
        if 1 <= number <= 4 and kind == wire.VARINT:
            legacy[number - 1] = value
        elif number == 7 and kind == wire.BYTES:
            dims = read_dims(value)
        elif number in pieces and kind in (wire.BYTES, wire.FIXED64 if number == 8 else wire.FIXED32):
            if len(value) % (8 if number == 8 else 4):
                raise Refusal(f"{place}: its data ends within a number")
            pieces[number].append(np.frombuffer(value, "<f8" if number == 8 else "<f4"))
    dims = tuple(legacy) if dims is None else dims
    arrays = pieces[8] or pieces[5]     # as Caffe does: doubles where there are any
    data = arrays[0] if len(arrays) == 1 else np.concatenate(arrays or [np.zeros(0, "<f4")])
    if math.prod(dims) != data.size:
        raise Refusal(f"{place}: {data.size} values for shape {list(dims)}")
    return Blob(dims, data)


def read_layer(message, name_field, blobs_field):
    """(name, blobs)"""
    name, blobs = "", []
    for number, kind, value in wire.fields(message):
        if kind == wire.BYTES and number == name_field:
            name = bytes(value[:4096]).decode("utf-8", "replace")
        elif kind == wire.BYTES and number == blobs_field:
            blobs.append(value)
    if len(blobs) > MOST_BLOBS:
        raise Refusal(f"layer {name[:80]!r} has more than {MOST_BLOBS} blobs")
    return name, [read_blob(blob, f"blob {i} of layer {name[:80]!r}") for i, blob in enumerate(blobs)]


def parse(data):
    """Blobs by layer, in the order of the file; of two layers of one name the later counts, as in Caffe."""
    result, count = {}, 0
    for number, kind, value in wire.fields(data):
        for layer_field, name_field, blobs_field in (LAYER, V1_LAYER):
            if number == layer_field and kind == wire.BYTES:
                name, blobs = read_layer(value, name_field, blobs_field)
                count += 1
                if count > MOST_LAYERS:
                    raise Refusal(f"has more than {MOST_LAYERS} layers")
                if blobs:
                    result[name] = blobs
    if not result:
        raise Refusal("is no .caffemodel: holds no layer with blobs")
    return result


def read_weights(path):
    try:
        return parse(wire.mapped(path, "a .caffemodel"))
    except Refusal as refusal:
        raise Refusal(str(refusal), path) from None
