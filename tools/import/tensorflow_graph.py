# SPDX-License-Identifier: Apache-2.0
"""Reads a frozen graph (GraphDef) into nodes. Field numbers are those of graph.proto, node_def.proto, attr_value.proto and
tensor.proto. Nothing in it is trusted."""
import math
from dataclasses import dataclass

import numpy as np

import protobuf_wire as wire
from refusal import Refusal

MOST_NODES, MOST_LINKS, MOST_NAME, MOST_DIMS, MOST_LIST = 200_000, 1024, 512, 8, 4096
MOST_FILLED = 1 << 22   # elements of a constant that does not hold a value for each of them

# DataType: NumPy's code. Others are not accepted where data is meant.
TYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 9: "<i8", 10: "?", 19: "<f2"}
FLOATS = (1, 2, 14, 19)

# Fields of a TensorProto that hold values one by one: how they are stored.
VALUES = {5: "<f4", 6: "<f8", 7: "varint", 10: "varint", 11: "varint", 13: "half"}


@dataclass
class GraphNode:
    """One operation. `inputs`: (name of a node, which of its outputs); `controls`: names of nodes that only run before it.
    `attributes` as in the file: numbers, bytes, lists of them, Shape and the bytes of a TensorProto."""
    name: str
    op: str
    inputs: list
    controls: list
    attributes: dict

    def refuse(self, reason):
        raise Refusal(f"node '{self.name}' ({self.op}): {reason}")

    def get(self, key, default):
        """An attribute of the default's kind."""
        value = self.attributes.get(key, default)
        if not isinstance(value, type(default)):
            self.refuse(f"its attribute {key} is of another kind than {default!r}")
        return value

    def text(self, key, default=""):
        return self.get(key, default.encode()).decode("utf-8", "replace")

    def integers(self, key, count, default=None):
        values = self.get(key, [] if default is None else list(default))
        if len(values) != count or not all(isinstance(v, int) and 0 <= v < 65536 for v in values):
            self.refuse(f"its attribute {key} must be {count} whole numbers from 0 on")
        return values


class Shape(tuple):
    """Extents, -1 for one that is open; `None` in its place: nothing is known."""


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def text(value):
    if len(value) > MOST_NAME:
        raise Refusal(f"a name of {len(value)} bytes; accepted are {MOST_NAME}")
    return bytes(value).decode("utf-8", "replace")


def varints(value):
    numbers, at = [], 0
    while at < len(value):
        number, at = wire.varint(value, at)
        numbers.append(number)
    return numbers


def read_shape(message):
    dims, open_rank = [], False
    for number, kind, value in wire.fields(message):
        if number == 2 and kind == wire.BYTES:
            size = 0
            for inner, inner_kind, extent in wire.fields(value):
                size = signed(extent) if inner == 1 and inner_kind == wire.VARINT else size
            dims.append(max(size, -1))
        open_rank = open_rank or (number == 3 and kind == wire.VARINT and bool(value))
        if len(dims) > MOST_DIMS:
            raise Refusal(f"a shape of more than {MOST_DIMS} dimensions")
    return None if open_rank else Shape(dims)


def read_list(message):
    items = []
    for number, kind, value in wire.fields(message):
        if number == 3:
            items += [signed(v) for v in (varints(value) if kind == wire.BYTES else [value])]
        elif number == 2 and kind == wire.BYTES:
            items.append(bytes(value))
        elif number == 7 and kind == wire.BYTES:
            items.append(read_shape(value))
        elif number == 4 and kind in (wire.BYTES, wire.FIXED32) and len(value) % 4 == 0:
            items += np.frombuffer(value, "<f4").tolist()
        if len(items) > MOST_LIST:
            raise Refusal(f"a list of more than {MOST_LIST} values")
    return items


def read_attribute(message):
    """A number, bytes, a list, a Shape, or for a tensor its message; None for what this importer does not read."""
    result = None
    for number, kind, value in wire.fields(message):
        if number == 1 and kind == wire.BYTES:
            result = read_list(value)
        elif number == 2 and kind == wire.BYTES:
            result = bytes(value)
        elif number in (3, 6) and kind == wire.VARINT:
            result = signed(value)
        elif number == 4 and kind == wire.FIXED32:
            result = float(np.frombuffer(value, "<f4")[-1])
        elif number == 5 and kind == wire.VARINT:
            result = bool(value)
        elif number == 7 and kind == wire.BYTES:
            result = read_shape(value)
        elif number == 8 and kind == wire.BYTES:
            result = value
    return result


def read_node(message):
    name, op, inputs, controls, attributes = "", "", [], [], {}
    for number, kind, value in wire.fields(message):
        if kind != wire.BYTES:
            continue
        if number == 1:
            name = text(value)
        elif number == 2:
            op = text(value)
        elif number == 3 and value[:1] == b"^":
            controls.append(text(value[1:]))
        elif number == 3:
            source, _, output = text(value).partition(":")
            inputs.append((source, int(output) if output.isdigit() and len(output) < 6 else 0 if not output else -1))
        elif number == 5:
            entry = {inner: content for inner, inner_kind, content in wire.fields(value) if inner_kind == wire.BYTES}
            attributes[text(entry.get(1, b""))] = read_attribute(entry.get(2, b""))
        if len(inputs) + len(controls) > MOST_LINKS:
            raise Refusal(f"node '{name}' has more than {MOST_LINKS} inputs")
    return GraphNode(name, op, inputs, controls, attributes)


def read_graph(data):
    """Nodes by name, in the order of the file, whose bytes are a memoryview."""
    nodes = {}
    for number, kind, value in wire.fields(data):
        if number != 1 or kind != wire.BYTES:
            continue
        node = read_node(value)
        if node.name in nodes or not node.name:
            raise Refusal(f"two nodes have the name '{node.name}'")
        nodes[node.name] = node
        if len(nodes) > MOST_NODES:
            raise Refusal(f"has more than {MOST_NODES} nodes")
    if not any(node.op == "Const" for node in nodes.values()):
        raise Refusal("is no frozen graph: holds no node with a constant")
    return nodes


def stored_values(number, kind, value):
    """The numbers of one field of a TensorProto, None where it holds none."""
    form = VALUES.get(number)
    if form is None:
        return None
    if form in ("<f4", "<f8"):
        if kind not in (wire.BYTES, wire.FIXED32, wire.FIXED64) or len(value) % int(form[-1]):
            raise Refusal("its data ends within a number")
        return np.frombuffer(value, form)
    numbers = varints(value) if kind == wire.BYTES else [value]
    if form == "half":
        return np.array(numbers, np.uint64).astype("<u2").view("<f2")
    return np.array([signed(v) for v in numbers], np.int64)


def constant(node):
    """The array of a Const."""
    message, code, shape, content, pieces = node.get("value", memoryview(b"")), 0, Shape(), None, []
    try:
        for number, kind, value in wire.fields(message):
            if number == 1 and kind == wire.VARINT:
                code = value
            elif number == 2 and kind == wire.BYTES:
                shape = read_shape(value)
            elif number == 4 and kind == wire.BYTES:
                content = value
            elif (values := stored_values(number, kind, value)) is not None:
                pieces.append(values)
    except Refusal as refusal:
        node.refuse(str(refusal))
    if code not in TYPES:
        node.refuse(f"a constant of type {code}; accepted are floating point of 16 to 64 bits, whole numbers and bool")
    if shape is None or min(shape, default=0) < 0:
        node.refuse("a constant of an open shape")
    count, dtype = math.prod(shape), np.dtype(TYPES[code])
    if content is not None and (len(content) or not pieces):
        if len(content) != count * dtype.itemsize:
            node.refuse(f"{len(content)} bytes of data for shape {list(shape)}")
        return np.frombuffer(content, dtype).reshape(shape)
    values = np.concatenate(pieces or [np.zeros(1)]).astype(dtype)
    if len(values) == count:
        return values.reshape(shape)
    if not 0 < len(values) < count or count > MOST_FILLED:
        node.refuse(f"{len(values)} values for shape {list(shape)}")
    return np.concatenate([values, np.full(count - len(values), values[-1])]).reshape(shape)     # the last stands for the rest
