# SPDX-License-Identifier: Apache-2.0
"""Reads a .tflite file into tensors and operators. Nothing in it is trusted."""
import math
from dataclasses import dataclass

import numpy as np

import tflite_schema as schema
from flatbuffer import FormatError, Table
from refusal import Refusal

MOST_OPERATORS, MOST_TENSORS, MOST_LINKS, MOST_NAME = 50_000, 200_000, 1024, 512


@dataclass
class Tensor:
    """A value. `shape` has four extents, [n, h, w, c]; what the file leaves out in front of its own is 1."""
    name: str
    dims: tuple         # as the file says
    shape: tuple
    type: str           # NumPy's code, or None for one that is not accepted
    data: np.ndarray    # its bytes where it is a constant, else None
    scale: np.ndarray   # of a quantised tensor: real = scale * (stored - zero_point); empty where it is not
    zero_point: np.ndarray
    axis: int           # along which scale and zero_point vary, where they are more than one

    @property
    def extent(self):
        return self.shape[1:3]

    def range(self):
        """Least and greatest real value that a quantised tensor can hold; None where it is not quantised."""
        if self.scale.size != 1 or self.type not in ("u1", "i1"):
            return None
        stored = np.array([0, 255] if self.type == "u1" else [-128, 127])
        return tuple(float(v) for v in self.scale[0] * (stored - self.zero_point[0]))


@dataclass
class Operator:
    """One step: `inputs` and `outputs` are indices of tensors, -1 stands for an input that is left out."""
    index: int
    kind: str
    name: str           # of its first output
    inputs: list
    outputs: list
    attributes: dict


@dataclass
class Model:
    tensors: list
    operators: list     # in the order of the file, which is one of execution
    input: int
    output: int
    resize: str = "half_pixel"  # how the logits reach the photo's size

    def producers(self):
        """Operator by the tensor it makes."""
        return {output: op for op in self.operators for output in op.outputs}

    def consumers(self, tensor):
        return [op for op in self.operators if tensor in op.inputs]

    def refuse(self, op, reason):
        raise Refusal(f"operator {op.index} ({op.kind}, makes '{op.name}'): {reason}")

    def constant(self, index):
        """A constant's real values in double precision, of the shape that the file says; None where it is none."""
        tensor = self.tensors[index] if index >= 0 else None
        if tensor is None or tensor.data is None:
            return None
        place = f"tensor {index} ('{tensor.name}')"
        if tensor.type is None:
            raise Refusal(f"{place}: type not accepted; accepted are float32, float16 and 8- to 64-bit integers")
        dtype = np.dtype("<" + tensor.type)
        if math.prod(tensor.dims) * dtype.itemsize != tensor.data.size:
            raise Refusal(f"{place}: {tensor.data.size} bytes of data for shape {list(tensor.dims)}")
        values = tensor.data.view(dtype).reshape(tensor.dims).astype(np.float64)
        if tensor.scale.size and dtype.kind != "f":
            around = [1] * len(tensor.dims)
            if tensor.scale.size > 1:
                around[tensor.axis] = tensor.scale.size
            values = (values - tensor.zero_point.reshape(around)) * tensor.scale.reshape(around)
        if not np.isfinite(values).all():
            raise Refusal(f"{place}: holds NaN or infinity")
        return values


def read_tensor(table, buffers, index):
    name = table.text(3, MOST_NAME)
    place = f"tensor {index} ('{name}')"
    dims = tuple(int(d) for d in table.numbers(0, "i4"))
    if len(dims) > 8 or any(d < 0 for d in dims):
        raise Refusal(f"{place}: shape {list(dims[:9])} makes no sense")
    code, buffer = table.number(1, "b"), table.number(2, "I")
    if buffer >= len(buffers):
        raise Refusal(f"{place}: there is no buffer {buffer}")
    if table.table(6):
        raise Refusal(f"{place}: is sparse; accepted are dense tensors")
    data = buffers[buffer].numbers(0, "u1")
    if buffers[buffer].number(1, "Q") > 1:
        raise Refusal(f"{place}: its data lies behind the FlatBuffers part; accepted is data within it")
    scale = zero_point = np.zeros(0)
    axis = 0
    if quantization := table.table(4):
        scale = quantization.numbers(2, "f4").astype(np.float64)
        zero_point = quantization.numbers(3, "i8").astype(np.float64)
        axis = quantization.number(6, "i")
        zero_point = zero_point if zero_point.size else np.zeros(scale.size)
        along = scale.size <= 1 or (0 <= axis < len(dims) and dims[axis] == scale.size)
        if zero_point.size != scale.size or not along or not np.isfinite(scale).all():
            raise Refusal(f"{place}: its quantisation does not fit its shape {list(dims)}")
    kind = schema.TYPES[code] if 0 <= code < len(schema.TYPES) else None
    return Tensor(name, dims, (1,) * (4 - len(dims)) + dims, kind, data if data.size else None, scale, zero_point, axis)


def read_kind(code):
    number = max(code.number(0, "b"), code.number(3, "i"))
    if number == schema.CUSTOM:
        return f"CUSTOM {code.text(1, MOST_NAME)}"
    return schema.OPERATORS[number] if 0 <= number < len(schema.OPERATORS) else f"code {number}"


def read_attributes(table, kind):
    known_code, attributes = schema.OPTIONS.get(kind, (0, {}))
    options = table.table(4) if table.number(3, "B") == known_code else None
    return {name: options.number(slot, code, default) if options else default
            for name, (slot, code, default) in attributes.items()}


def read_operator(table, kinds, tensors, index):
    code = table.number(0, "I")
    if code >= len(kinds):
        raise Refusal(f"operator {index}: there is no operator code {code}")
    links = [[int(t) for t in table.numbers(slot, "i4")[:MOST_LINKS + 1]] for slot in (1, 2)]
    if any(len(link) > MOST_LINKS for link in links) or not links[1]:
        raise Refusal(f"operator {index} ({kinds[code]}): has no output, or more than {MOST_LINKS} inputs or outputs")
    if any(not -1 <= t < len(tensors) for t in links[0]) or any(not 0 <= t < len(tensors) for t in links[1]):
        raise Refusal(f"operator {index} ({kinds[code]}): names a tensor that does not exist")
    return Operator(index, kinds[code], tensors[links[1][0]].name, *links, read_attributes(table, kinds[code]))


def check_order(model):
    """Each value is made once, before it is read; so no graph has a cycle."""
    known = {i for i, tensor in enumerate(model.tensors) if tensor.data is not None} | {model.input, -1}
    for op in model.operators:
        if missing := [t for t in op.inputs if t not in known]:
            model.refuse(op, f"reads tensor {missing[0]}, which nothing before it makes")
        if known.intersection(op.outputs):
            model.refuse(op, "makes a tensor that is there already")
        known.update(op.outputs)


def only(indices, tensors, what):
    if len(indices) != 1 or not 0 <= indices[0] < len(tensors):
        raise Refusal(f"the model has {len(indices)} {what}s; accepted is one")
    return int(indices[0])


def read_model(data):
    """The first subgraph of a file's bytes. Raises Refusal or FormatError."""
    if data[4:8] != schema.IDENTIFIER:
        raise FormatError("is no TensorFlow Lite model (its bytes 4 to 8 are not 'TFL3')")
    root = Table.root(data)
    if (version := root.number(0, "I")) != 3:
        raise Refusal(f"schema version {version}; accepted is 3")
    graphs = root.tables(2, 1024)
    if not graphs:
        raise Refusal("holds no graph")
    buffers = root.tables(4, MOST_TENSORS)
    tensors = [read_tensor(t, buffers, i) for i, t in enumerate(graphs[0].tables(0, MOST_TENSORS))]
    kinds = [read_kind(code) for code in root.tables(1, MOST_OPERATORS)]
    operators = [read_operator(table, kinds, tensors, i)
                 for i, table in enumerate(graphs[0].tables(3, MOST_OPERATORS))]
    ends = [only(graphs[0].numbers(slot, "i4"), tensors, what) for slot, what in ((1, "input"), (2, "output"))]
    model = Model(tensors, operators, *ends)
    check_order(model)
    return model
