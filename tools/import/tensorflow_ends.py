# SPDX-License-Identifier: Apache-2.0
"""Where the network of a TensorFlow graph begins and ends, and what is done to pixels before it."""
from dataclasses import dataclass

import numpy as np

from refusal import Refusal
from tensorflow_folding import computed
from tensorflow_graph import Shape

CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")

# Whose first output is their first input
IDENTITIES = ("CheckNumerics", "Identity", "IdentityN", "PlaceholderWithDefault", "Snapshot", "StopGradient")

# What may lie between the first convolution and the network's input
LEADING = (*IDENTITIES, "Pad", "SpaceToBatchND")

# What is done to a photo that leaves the values of its pixels as they are, away from its edges
GEOMETRY = (*IDENTITIES, "Cast", "ExpandDims", "Pad", "PadV2", "Reshape", "ResizeBicubic", "ResizeBilinear", "ResizeNearestNeighbor",
            "Slice", "Squeeze", "StridedSlice")
PADDING = ("Pad", "PadV2")

# What changes them, with a constant
COMMUTATIVE = ("Add", "AddV2", "Mul")
AFFINE = (*COMMUTATIVE, "Div", "RealDiv", "Sub")

# What follows the argmax: labels go back to the photo's size
LABELS = (*IDENTITIES, "Cast", "ExpandDims", "Reshape", "ResizeNearestNeighbor", "Slice", "Squeeze", "StridedSlice")

# Nodes without readers that are no outputs
ASIDE = ("Assert", "Const", "NoOp", "Placeholder", "Print")


@dataclass
class Pixels:
    """The network's input is factor * pixel + shift, channel by channel."""
    factor: np.ndarray
    shift: np.ndarray
    padded: bool    # the photo is padded to the network's extent, not stretched


def source(nodes, node, position=0):
    """The node whose first output is an input; None where there is no such input or it is another output."""
    if position >= len(node.inputs):
        return None
    name, output = node.inputs[position]
    if name not in nodes:
        node.refuse(f"reads '{name}', which is not there")
    return nodes[name] if output == 0 else None


def ancestors(nodes, node):
    """All that a node needs, itself included, in an order in which each follows its inputs."""
    order, state, stack = [], {}, [node]
    while stack:
        top = stack[-1]
        if state.get(top.name) is None:
            state[top.name] = "open"
            for name, _ in reversed(top.inputs):     # so that the first is done first
                if name not in nodes:
                    top.refuse(f"reads '{name}', which is not there")
                if state.get(name) == "open":
                    top.refuse("is part of a loop; accepted are graphs without loops")
                if name not in state:
                    stack.append(nodes[name])
        else:
            stack.pop()
            if state[top.name] == "open":
                state[top.name] = "done"
                order.append(top)
    return order


def named(nodes, name, option):
    if name not in nodes:
        raise Refusal(f"{option} {name}: there is no such node")
    return nodes[name]


def find_output(nodes, given):
    """The node that makes the scores or their argmax."""
    if given is not None:
        node = named(nodes, given, "--output-node")
    else:
        read = {name for node in nodes.values() for name in (*(name for name, _ in node.inputs), *node.controls)}
        ends = [node for node in nodes.values() if node.name not in read and node.op not in ASIDE]
        if len(ends) != 1:
            found = ", ".join(node.name for node in ends[:5]) or "none"
            raise Refusal(f"has {len(ends)} outputs ({found}); name one with --output-node")
        node = ends[0]
    ancestors(nodes, node)      # has no loops
    before = node
    while before is not None and before.op in LABELS:
        before = source(nodes, before)
    return before if before is not None and before.op == "ArgMax" else node


def find_input(nodes, output, given):
    """The node whose value the network's first convolutions read."""
    if given is not None:
        return named(nodes, given, "--input-node")
    order, behind, found = ancestors(nodes, output), set(), {}
    for node in order:
        if any(name in behind for name, _ in node.inputs):
            behind.add(node.name)
        elif node.op in CONVOLUTIONS:
            behind.add(node.name)
            first = source(nodes, node)
            while first is not None and first.op in LEADING:
                first = source(nodes, first)
            if first is None:
                node.refuse("reads another output than the first of what it reads; name the network's input with --input-node")
            found[first.name] = first
    if len(found) != 1:
        names = ", ".join(list(found)[:5]) or "none"
        raise Refusal(f"the first convolutions read {len(found)} values ({names}); name the network's input with --input-node")
    return next(iter(found.values()))


def affine_step(node, array):
    """(factor, shift) of x op constant."""
    value = array.astype(np.float64).reshape(-1)
    if value.size not in (1, 3) or (value.size == 3 and array.shape[-1:] != (3,)) or not np.isfinite(value).all():
        node.refuse("what it does to pixels is not one number or one a channel; give --scale, --mean and --std")
    value = np.broadcast_to(value, 3)
    if node.op in ("Add", "AddV2"):
        return np.ones(3), value
    if node.op == "Sub":
        return np.ones(3), -value
    if node.op == "Mul":
        return value, np.zeros(3)
    if (value == 0).any():
        node.refuse("divides pixels by 0")
    return 1 / value, np.zeros(3)


def forward(nodes, node):
    """Whether a slice leaves no pixel out and turns nothing round."""
    stride = source(nodes, node, 3)
    array = computed(ancestors(nodes, stride)) if stride is not None else None
    return array is not None and bool((array == 1).all())


def step_back(nodes, node):
    """(the node that the values come from, the constant they meet in an AFFINE one or None)"""
    before, operand = source(nodes, node), source(nodes, node, 1)
    if node.op not in AFFINE or before is None or operand is None:
        return before, None
    array = computed(ancestors(nodes, operand))
    if array is None and node.op in COMMUTATIVE:
        before, array = operand, computed(ancestors(nodes, before))
    return before, array


def trace_pixels(nodes, node):
    """From the network's input back to the photo."""
    ancestors(nodes, node)      # has no loops
    factor, shift, padded = np.ones(3), np.zeros(3), False
    while node.op != "Placeholder":
        padded = padded or node.op in PADDING
        before, operand = step_back(nodes, node)
        if operand is not None:
            times, plus = affine_step(node, operand)
            shift, factor = shift + factor * plus, factor * times
        elif node.op not in GEOMETRY or (node.op == "StridedSlice" and not forward(nodes, node)):
            node.refuse("what it does to pixels is not understood; give --scale, --mean and --std")
        if before is None:
            node.refuse("reads no photo; give --scale, --mean and --std")
        node = before
    return Pixels(factor, shift, padded)


def known_extent(nodes, node):
    """(h, w) of a node's value as far as the file says: None for an open one."""
    ancestors(nodes, node)      # has no loops
    while node is not None:
        for key in ("shape", "_output_shapes"):
            shape = node.attributes.get(key)
            if isinstance(shape, list):
                shape = shape[0] if shape else None
            if isinstance(shape, Shape) and len(shape) == 4:
                return tuple(extent if extent > 0 else None for extent in shape[1:3])
        node = step_back(nodes, node)[0] if node.op in (*AFFINE, *IDENTITIES, "Cast") else None
    return None, None
