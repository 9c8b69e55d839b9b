# SPDX-License-Identifier: Apache-2.0
"""Walks over a TensorFlow graph: shapes become known, constants are computed, operators are collected."""
import numpy as np

import protobuf_wire as wire
from refusal import Refusal
from tensorflow_ends import IDENTITIES
from tensorflow_folding import Constants
from tensorflow_graph import FLOATS
from tflite_model import Operator, Tensor

MOST_EXTENT = 65536


class Walk:
    """Over the graph's nodes, each after its inputs."""

    def __init__(self, image, extent, translations):
        """`image`: the node that makes the network's input, [1, *extent, 3]. `translations`: functions of (this, node) by the op."""
        self.tensors, self.operators, self.bytes = [], [], 0
        self.values, self.constants = {}, Constants()   # by the node's name: index of a tensor, array
        self.translations = translations
        self.values[image.name] = self.tensor(image.name, (1, *extent, 3))

    def tensor(self, name, dims, data=None):
        dims = tuple(int(d) for d in dims)
        if len(dims) > 4 or any(not 0 < d <= MOST_EXTENT for d in dims) and data is None:
            raise Refusal(f"node '{name}': makes shape {list(dims)}; accepted are up to four extents from 1 to {MOST_EXTENT}")
        none = np.zeros(0)
        self.tensors.append(Tensor(name, dims, (1,) * (4 - len(dims)) + dims, "f4", data, none, none, 0))
        return len(self.tensors) - 1

    def stored(self, name, array):
        """The tensor of a constant; whole numbers stay exact below 2^24."""
        array = np.asarray(array)
        self.bytes += 4 * array.size
        if self.bytes > wire.MOST_BYTES:
            raise Refusal("its operators have more constants than any file of this format holds")
        return self.tensor(name, array.shape, np.frombuffer(np.ascontiguousarray(array, "<f4").tobytes(), np.uint8))

    def dims(self, index):
        return self.tensors[index].dims

    def operand(self, node, position):
        """The tensor of an input that is no constant."""
        name = node.inputs[position][0] if position < len(node.inputs) else None
        if name not in self.values:
            node.refuse(f"its input {position} is a constant; accepted is a value" if name in self.constants
                        else f"has no input {position} that is made from the network's input")
        return self.values[name]

    def array(self, node, position):
        """An input that must be a constant."""
        name = node.inputs[position][0] if -len(node.inputs) <= position < len(node.inputs) else None
        if name not in self.constants:
            node.refuse(f"its input {position} is no constant; accepted is one")
        return self.constants[name]

    def integers(self, node, position):
        array = self.array(node, position)
        if array.dtype.kind not in "iu" or array.size > 64 or (array.size and np.abs(array.astype(float)).max() > 1 << 24):
            node.refuse(f"its input {position} must be whole numbers")
        return array.astype(np.int64)

    def emit(self, node, kind, inputs, dims, **attributes):
        output = self.tensor(node.name, dims)
        self.operators.append(Operator(len(self.operators), kind, node.name, inputs, [output], {**attributes, "node": node}))
        self.values[node.name] = output

    def step(self, node):
        if node.name in self.values or self.constants.take(node):   # the network's input, a constant
            return
        names = [name for name, _ in node.inputs]
        if any(output != 0 for _, output in node.inputs):
            node.refuse("reads another output than the first of a node; accepted is the first")
        if node.op == "Shape" and names and names[0] in self.values:
            self.constants[node.name] = np.array(self.dims(self.values[names[0]]), np.int32)
        elif node.op in IDENTITIES or (node.op == "Cast" and node.get("DstT", 0) in FLOATS):
            if names and names[0] in self.constants:
                self.constants[node.name] = self.constants[names[0]]
            else:
                self.values[node.name] = self.operand(node, 0)
        elif node.op in self.translations:
            if node.text("data_format", "NHWC") != "NHWC":
                node.refuse(f"data_format {node.text('data_format')}; accepted is NHWC")
            self.translations[node.op](self, node)
        elif node.op == "Placeholder":
            node.refuse("is read beside the network's input; name another with --input-node")
        else:
            node.refuse(f"is not supported; accepted are {', '.join(sorted(self.translations))}")
