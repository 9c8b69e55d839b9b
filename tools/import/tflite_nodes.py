# SPDX-License-Identifier: Apache-2.0
"""Translates a simplified TensorFlow Lite graph, operator by operator, into the nodes of a config."""
import re
from collections import Counter

import numpy as np

import tflite_schema as schema
from network import INPUT, Node, Paths
from refusal import Refusal
from tflite_passes import CONVOLUTIONS, coordinates, pad_edges, require_channels

MOST_WEIGHTS = 2 << 30  # bytes; a .tflite file cannot be larger, unless the same bytes are used again and again

# Ends of TensorFlow's names that say which operator it is and not which layer.
NOISE = re.compile(r"(relu\d?|conv2d|depthwise|depthwise_?conv2d(native)?|biasadd|batch_?norm(alization)?"
                   r"|fusedbatchnorm(v3)?|add_fold|conv2d_fold|depthwise_fold|separable_conv2d)(_\d+)?", re.IGNORECASE)
FUSED_NORM = re.compile(r"fusedbatchnorm(v\d)?(_\d+)?", re.IGNORECASE)
BINARY = {"ADD": "add", "SUB": "sub", "MUL": "mul", "DIV": "div", "MAXIMUM": "max", "MINIMUM": "min"}
UNARY = {"RELU": "relu", "RELU6": "relu6", "LOGISTIC": "sigmoid", "TANH": "tanh", "HARD_SWISH": "hardswish",
         "RELU_N1_TO_1": "clip", "LEAKY_RELU": "leaky_relu"}


def tidy(name, kind):
    """The layer that a tensor's name speaks of, as a list of words: 'net/conv/Relu6;net/bn' is ['net', 'conv']."""
    parts = [part for part in name.split(";")[0].split("/") if part]
    while len(parts) > 1 and FUSED_NORM.fullmatch(parts[-1]):
        parts.pop()
    if kind in CONVOLUTIONS:
        while len(parts) > 1 and NOISE.fullmatch(parts[-1]) and (parts[-1].lower() != "depthwise"
                                                                 or parts[-2].lower().endswith("depthwise")):
            parts.pop()
    return parts or [kind.split()[0].lower()]


def layer_paths(model):
    """A path for each operator's index; a first word that most names share is left away."""
    names = {op.index: tidy(op.name, op.kind) for op in model.operators}
    firsts = Counter(parts[0] for parts in names.values() if len(parts) > 1)
    shared = {first for first, count in firsts.items() if 2 * count >= len(names)}
    return {index: "/".join(parts[1:] if len(parts) > 1 and parts[0] in shared else parts)
            for index, parts in names.items()}


def pair(height, width):
    return height if height == width else [height, width]


class Translator:
    """Holds what the operators so far have made."""

    def __init__(self, model, translations):
        self.translations = translations
        self.model, self.nodes, self.weights = model, [], 0
        self.values = {model.input: INPUT}          # tensor: node
        self.extents = [(model.tensors[model.input].extent, INPUT)]
        self.layers, self.paths = layer_paths(model), Paths()

    def translate(self):
        for op in self.model.operators:
            if op.kind not in self.translations:
                accepted = ", ".join(sorted([*self.translations, *schema.FOLDED]))
                self.model.refuse(op, f"is not supported; accepted are {accepted}")
            shape = self.model.tensors[op.outputs[0]].shape
            if len(shape) != 4 or shape[0] != 1 or min(shape) < 1 or len(op.outputs) != 1:
                self.model.refuse(op, f"makes shape {list(shape)}; accepted is one value [1, height, width, channels]")
            node = self.activate(op, self.translations[op.kind](self, op))
            self.values[op.outputs[0]] = node
            self.extents.append((shape[1:3], node))
        return self.nodes

    def add(self, op, config_op, inputs, params=None, tensors=None, suffix=""):
        tensors = {name: array.astype(np.float32) for name, array in (tensors or {}).items()}
        self.weights += sum(array.nbytes for array in tensors.values())
        if self.weights > MOST_WEIGHTS:
            self.model.refuse(op, "the weights so far are larger than any file of this format")
        if any(not np.isfinite(array).all() for array in tensors.values()):
            self.model.refuse(op, "its weights do not fit into 32-bit floating point")
        path = self.paths.unique(self.layers[op.index] + suffix)
        self.nodes.append(Node(path, config_op, inputs, params or {}, tensors))
        return self.nodes[-1]

    def activate(self, op, node):
        """The fused activation, or the one that a quantised value's range amounts to, as a node of its own."""
        code = op.attributes.get("activation", 0)
        if not 0 <= code < len(schema.ACTIVATIONS):
            self.model.refuse(op, f"fused activation {code}; accepted are NONE, RELU, RELU_N1_TO_1 and RELU6")
        chosen = schema.ACTIVATIONS[code]
        limits = self.model.tensors[op.outputs[0]].range()
        if chosen is None and limits and op.kind in (*CONVOLUTIONS, *BINARY) and limits[0] == 0:
            chosen = ("relu6" if abs(limits[1] - 6) < 0.01 else "relu", {})
        return self.add(op, chosen[0], [node], chosen[1], suffix="_" + chosen[0]) if chosen else node

    def operand(self, op, position):
        """The node that makes an operator's input."""
        tensor = op.inputs[position] if position < len(op.inputs) else -1
        if tensor not in self.values:
            self.model.refuse(op, f"input {position} is missing or constant; accepted is a computed value")
        return self.values[tensor]

    def channels(self, op):
        return self.model.tensors[op.inputs[0]].shape[3]

    def geometry(self, op, kernel):
        """kernel, stride, dilation and padding of a window."""
        a = op.attributes
        numbers = [*kernel, a["stride_h"], a["stride_w"], a.get("dilation_h", 1), a.get("dilation_w", 1)]
        if any(not 1 <= n <= 4096 for n in numbers):
            self.model.refuse(op, f"kernel, stride and dilation {numbers} are not all from 1 to 4096")
        params = {"kernel": pair(*kernel), "stride": pair(a["stride_h"], a["stride_w"]),
                  "dilation": pair(numbers[4], numbers[5]), "padding": a["padding"]}
        if params["padding"] == "valid" or tuple(kernel) == (1, 1) and params["padding"] == "same":
            params["padding"] = 0
        if params["padding"] == 0 and tuple(kernel) == (1, 1):
            del params["padding"]
        return params

    def convolution(self, op):
        source, depthwise = self.operand(op, 0), op.kind == "DEPTHWISE_CONV_2D"
        weight = self.model.constant(op.inputs[1]) if len(op.inputs) > 1 else None
        has_bias = len(op.inputs) > 2 and op.inputs[2] >= 0
        bias = self.model.constant(op.inputs[2]) if has_bias else None
        if weight is None or weight.ndim != 4 or not weight.size or (has_bias and bias is None):
            self.model.refuse(op, "accepted are constant weights of 4 dimensions and a constant bias")
        weight = weight.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))  # [out, in / groups, kh, kw]
        out, each, inputs = weight.shape[0], weight.shape[1], self.channels(op)
        divides = each == 1 and out % inputs == 0 if depthwise else inputs % each == 0 and out % (inputs // each) == 0
        if not divides or (has_bias and bias.shape != (out,)):
            self.model.refuse(op, f"weights [out, in, h, w] {list(weight.shape)} do not fit {inputs} input channels")
        params = {} if depthwise and out == inputs else {"out": out}
        params.update(self.geometry(op, weight.shape[2:]), groups="depthwise" if depthwise else inputs // each,
                      bias=has_bias)
        return self.add(op, "conv2d", [source], params, {"weight": weight, **({"bias": bias} if has_bias else {})})

    def pool(self, op):
        source, kernel = self.operand(op, 0), (op.attributes["kernel_h"], op.attributes["kernel_w"])
        kind = "average_pool" if op.kind == "AVERAGE_POOL_2D" else "max_pool"
        whole = kernel == self.model.tensors[op.inputs[0]].extent
        if whole and self.model.tensors[op.outputs[0]].extent == (1, 1):
            return self.add(op, "global_" + kind, [source])
        params = {"padding": 0, **self.geometry(op, kernel)}
        del params["dilation"]
        return self.add(op, kind, [source], {k: v for k, v in params.items() if (k, v) != ("padding", 0)})

    def binary(self, op):
        if len(op.inputs) != 2:
            self.model.refuse(op, "accepted are two inputs")
        constants = [self.model.constant(t) for t in op.inputs]
        if constants[0] is None and constants[1] is None:
            return self.add(op, BINARY[op.kind], [self.operand(op, 0), self.operand(op, 1)])
        swapped = constants[0] is not None
        value, source = constants[not swapped], self.operand(op, int(swapped))
        channels = self.model.tensors[op.inputs[swapped]].shape[3]
        if value.size == 1 and not (swapped and op.kind in ("SUB", "DIV")):
            if op.kind == "DIV" and value.item() == 0:
                self.model.refuse(op, "divides by 0")
            return self.add(op, BINARY[op.kind], [source], {"scalar": float(value.item())})
        if value.size not in (1, channels) or value.shape[-1:] not in ((), (1,), (channels,)):
            self.model.refuse(op, f"a constant of shape {list(value.shape)}; accepted is one number, or one a channel")
        return self.scale_and_shift(op, source, np.broadcast_to(value.reshape(-1), (channels,)), swapped)

    def scale_and_shift(self, op, source, value, swapped):
        """Arithmetic with a constant a channel, as the batch norm that it is (the engine folds it away)."""
        one = np.ones_like(value)
        if op.kind == "DIV" and not swapped and (value != 0).all():
            weight, bias = 1 / value, 0 * one
        elif op.kind in ("ADD", "SUB", "MUL"):
            weight, bias = {"ADD": (one, value), "MUL": (value, 0 * one),
                            "SUB": (-one, value) if swapped else (one, -value)}[op.kind]
        else:
            return self.model.refuse(op, "accepted with a constant a channel are ADD, SUB, MUL and DIV by it")
        eps = 1e-5  # the config format's default
        return self.add(op, "batch_norm", [source], {}, {"weight": weight, "bias": bias, "running_mean": 0 * one,
                                                         "running_var": (1 - eps) * one})

    def concat(self, op):
        tensors = [self.model.tensors[t] for t in op.inputs]
        if not tensors or any(op.attributes["axis"] not in (-1, len(t.dims) - 1) for t in tensors):
            self.model.refuse(op, f"axis {op.attributes['axis']}; accepted is the axis of channels")
        return self.add(op, "concat", [self.operand(op, i) for i in range(len(tensors))])

    def resize(self, op):
        """To the extent of an earlier value where there is one, so that the config works at other sizes too."""
        source, rule = self.operand(op, 0), coordinates(self.model, op)
        extent = self.model.tensors[op.outputs[0]].extent
        params = {"coordinates": rule} if rule != "half_pixel" else {}
        for known, node in reversed(self.extents):
            if known == extent:
                return self.add(op, "resize", [source, node], {"like": True, **params})
        return self.add(op, "resize", [source], {"size": list(extent), **params})

    def mean(self, op):
        rank, axes = len(self.model.tensors[op.inputs[0]].dims), self.model.constant(op.inputs[-1])
        axes = {int(a) % max(rank, 1) for a in axes.reshape(-1)} if axes is not None else set()
        if rank != 4 or axes not in ({1, 2}, {3}):
            self.model.refuse(op, f"axes {sorted(axes)}; accepted are height and width, or channels, of 4 dimensions")
        if axes == {3} and len(self.model.tensors[op.outputs[0]].dims) != 4:
            self.model.refuse(op, "accepted over channels is keep_dims")
        return self.add(op, "reduce_mean", [self.operand(op, 0)], {"axes": "channels"} if axes == {3} else {})

    def pad(self, op):
        source = self.operand(op, 0)
        edges, value = pad_edges(self.model, op)
        return self.add(op, "pad", [source], {"padding": edges, **({"value": value} if value else {})})

    def softmax(self, op):
        if op.attributes["beta"] != 1:
            self.model.refuse(op, f"beta {op.attributes['beta']:g}; accepted is 1")
        return self.add(op, "softmax", [self.operand(op, 0)])

    def argmax(self, op):
        require_channels(self.model, op)
        return self.model.refuse(op, "accepted is one at the end")

    def unary(self, op):
        params = {"min": -1, "max": 1} if op.kind == "RELU_N1_TO_1" else {}
        if op.kind == "LEAKY_RELU":
            params["slope"] = float(op.attributes["alpha"])
        return self.add(op, UNARY[op.kind], [self.operand(op, 0)], params)


TRANSLATIONS = {
    **{kind: Translator.convolution for kind in CONVOLUTIONS}, **{kind: Translator.binary for kind in BINARY},
    **{kind: Translator.unary for kind in UNARY}, "AVERAGE_POOL_2D": Translator.pool, "MAX_POOL_2D": Translator.pool,
    "CONCATENATION": Translator.concat, "RESIZE_BILINEAR": Translator.resize, "MEAN": Translator.mean,
    "PAD": Translator.pad, "PADV2": Translator.pad, "SOFTMAX": Translator.softmax, "ARG_MAX": Translator.argmax,
}


def translate(model, translations=TRANSLATIONS):
    """Nodes in the order of execution, the last of which makes the logits. `translations`: by the operator's kind."""
    image = model.tensors[model.input]
    fixed = len(image.dims) == 4 and image.shape[0] == 1 and all(1 < e <= 65536 for e in image.extent)
    if not fixed or image.shape[3] != 3:
        raise Refusal(f"the input is {list(image.dims)}; accepted is [1, height, width, 3] with fixed height and width")
    return Translator(model, translations).translate()
