# SPDX-License-Identifier: Apache-2.0
"""Computes the nodes of a TensorFlow graph that only depend on constants and shapes."""
import numpy as np

from refusal import Refusal
from tensorflow_graph import TYPES, constant

MOST_ELEMENTS, MOST_COMPUTED = 1 << 29, 1 << 26     # of all constants, of one that is computed

ELEMENTWISE = {
    "Add": np.add, "AddV2": np.add, "Sub": np.subtract, "Mul": np.multiply, "Maximum": np.maximum, "Minimum": np.minimum,
    "Neg": np.negative, "Square": np.square, "Sqrt": np.sqrt, "Rsqrt": lambda x: 1 / np.sqrt(x), "Ceil": np.ceil, "Floor": np.floor,
    "FloorDiv": np.floor_divide, "FloorMod": np.mod, "Equal": np.equal, "Greater": np.greater, "GreaterEqual": np.greater_equal,
    "Less": np.less, "LessEqual": np.less_equal, "LogicalAnd": np.logical_and, "LogicalOr": np.logical_or,
}


def divide(node, a, b):
    return a / b if a.dtype.kind == "f" else (a / b).astype(a.dtype)     # of whole numbers: towards 0


def one_number(node, array):
    if array.size != 1:
        node.refuse("an operand must be one number")
    return int(array.reshape(-1)[0])


def strided_slice(node, x, begin, end, stride):
    begin_mask, end_mask, shrink, new = (node.get(key, 0) for key in ("begin_mask", "end_mask", "shrink_axis_mask", "new_axis_mask"))
    if node.get("ellipsis_mask", 0) or not begin.size == end.size == stride.size <= x.ndim + bin(new).count("1"):
        node.refuse("accepted is a slice of the first axes without an ellipsis")
    index = []
    for axis in range(begin.size):
        bit = 1 << axis
        if new & bit:
            index.append(None)
        elif shrink & bit:
            index.append(int(begin[axis]))
        else:
            first, last = (None if mask & bit else int(value[axis]) for mask, value in ((begin_mask, begin), (end_mask, end)))
            index.append(slice(first, last, int(stride[axis])))
    return x[tuple(index)]


def slice_(node, x, begin, size):
    if not begin.size == size.size == x.ndim:
        node.refuse("accepted are a begin and a size for each axis")
    return x[tuple(slice(int(b), None if s < 0 else int(b + s)) for b, s in zip(begin, size))]


def squeeze(node, x):
    axes = node.get("squeeze_dims", []) or node.get("axis", [])
    return x.squeeze(tuple(axes)) if axes else x.squeeze()


def reshape(node, x, shape):
    return x.reshape([int(n) for n in shape.reshape(-1)])


def cast(node, x):
    code = node.get("DstT", 0)
    if code not in TYPES:
        node.refuse(f"to type {code}")
    return x.astype(TYPES[code])


FUNCTIONS = {
    **{op: lambda node, *xs, function=function: function(*xs) for op, function in ELEMENTWISE.items()},
    "RealDiv": divide, "Div": divide, "StridedSlice": strided_slice, "Slice": slice_, "Squeeze": squeeze, "Reshape": reshape,
    "Cast": cast, "Pack": lambda node, *xs: np.stack(xs, node.get("axis", 0)),
    "ConcatV2": lambda node, *xs: np.concatenate(xs[:-1], one_number(node, xs[-1])),
    "ExpandDims": lambda node, x, axis: np.expand_dims(x, one_number(node, axis)),
    "Transpose": lambda node, x, order: x.transpose([int(n) for n in order]),
    "Prod": lambda node, x, axes: x.prod(tuple(int(a) for a in axes.reshape(-1)), keepdims=node.get("keep_dims", False)),
    "Rank": lambda node, x: np.array(x.ndim, np.int32), "Size": lambda node, x: np.array(x.size, np.int32),
    "Identity": lambda node, x: x, "StopGradient": lambda node, x: x,
}


def fold(node, arrays):
    """The array that the node makes of `arrays`, its inputs."""
    try:
        whole = np.broadcast_shapes(*(a.shape for a in arrays)) if node.op in ELEMENTWISE else [sum(a.size for a in arrays)]
        if np.prod(whole, dtype=float) > MOST_COMPUTED:
            node.refuse("is too large for a constant")
        return np.asarray(FUNCTIONS[node.op](node, *arrays))
    except Refusal:
        raise
    except (IndexError, OverflowError, TypeError, ValueError) as error:
        node.refuse(f"does not fit its constant operands ({error})")


class Constants(dict):
    """Arrays by the names of the nodes that make them."""

    elements = 0

    def take(self, node):
        """Whether the node makes a constant, which is kept then."""
        if node.op == "Const":
            array = constant(node)
        elif node.op in FUNCTIONS and node.inputs and all(name in self and output == 0 for name, output in node.inputs):
            array = fold(node, [self[name] for name, _ in node.inputs])
        else:
            return False
        self.elements += array.size
        if self.elements > MOST_ELEMENTS:
            node.refuse("the constants so far are larger than any file of this format")
        self[node.name] = array
        return True


def computed(order):
    """The array that the last of these nodes makes, each of which stands behind its inputs; None where it is not made of constants."""
    constants = Constants()
    return constants[order[-1].name] if all(constants.take(node) for node in order) else None
