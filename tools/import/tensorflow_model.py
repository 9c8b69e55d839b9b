# SPDX-License-Identifier: Apache-2.0
"""Makes operators of TensorFlow Lite's importer, which does the rest, of a TensorFlow graph's nodes."""
import math
from dataclasses import replace

import numpy as np

from refusal import Refusal
from tensorflow_ends import ancestors
from tensorflow_walk import Walk
from tflite_model import Model
from tflite_passes import CONVOLUTIONS

BATCH_NORM = "BATCH_NORM"   # an operator of our own: x, weight, bias, mean, variance

BINARY = {"Add": "ADD", "AddV2": "ADD", "Sub": "SUB", "Mul": "MUL", "RealDiv": "DIV", "Maximum": "MAXIMUM", "Minimum": "MINIMUM"}
UNARY = {"Relu": "RELU", "Relu6": "RELU6", "Sigmoid": "LOGISTIC", "Tanh": "TANH"}


class GraphModel(Model):
    """Refuses in the words of the graph."""

    def refuse(self, op, reason):
        raise Refusal(f"node '{op.name}' ({op.attributes['node'].op}): {reason}")


def window(node, shape, kernel, stride, dilation, padding):
    """Height and width of what a window that slides over a value makes."""
    around = [(0, 0), (0, 0)] if isinstance(padding, str) else [(padding[0], padding[2]), (padding[1], padding[3])]
    result = []
    for extent, k, s, d, edges in zip(shape[1:3], kernel, stride, dilation, around):
        if min(k, s, d) < 1:
            node.refuse("kernel, stride and dilation must be 1 or more")
        room = extent + sum(edges) - d * (k - 1) - 1
        result.append(-(-extent // s) if padding == "same" else room // s + 1)
    if min(result) < 1:
        node.refuse(f"its window is larger than its input {list(shape)}")
    return tuple(result)


class Builder(Walk):
    """Emits an operator of TensorFlow Lite for each node."""

    def image(self, node):
        """(tensor, dims) of a value [n, h, w, c]"""
        x = self.operand(node, 0)
        if len(self.dims(x)) != 4:
            node.refuse(f"its input has shape {list(self.dims(x))}; accepted is [n, h, w, c]")
        return x, self.dims(x)

    def sliding(self, node, dilations=True):
        """stride, dilation (h, w) and padding, as attributes of an operator."""
        strides = node.integers("strides", 4)
        rates = node.integers("dilations", 4, (1, 1, 1, 1)) if dilations else [1] * 4
        padding = node.text("padding").lower()
        if padding == "explicit":
            edges = node.integers("explicit_paddings", 8)
            if any(edges[:2] + edges[6:]):
                node.refuse("accepted is padding of height and width")
            padding = [edges[2], edges[4], edges[3], edges[5]]
        elif padding not in ("same", "valid"):
            node.refuse(f"padding {padding!r}; accepted are SAME, VALID and EXPLICIT")
        if strides[0] != 1 or strides[3] != 1 or rates[0] != 1 or rates[3] != 1:
            node.refuse("accepted are strides and dilations of height and width")
        return {"stride_h": strides[1], "stride_w": strides[2], "dilation_h": rates[1], "dilation_w": rates[2], "padding": padding}

    def convolution(self, node):
        x, shape = self.image(node)
        weight = self.array(node, 1)
        if weight.ndim != 4 or not weight.size or weight.dtype.kind != "f":
            node.refuse("accepted are weights of four dimensions in floating point")
        depthwise = node.op == "DepthwiseConv2dNative"
        if depthwise:   # [h, w, in, multiplier], and TensorFlow Lite's [1, h, w, in * multiplier]
            weight = weight.reshape(1, *weight.shape[:2], -1)
        else:           # [h, w, in / groups, out], and [out, h, w, in / groups]
            weight = weight.transpose(3, 0, 1, 2)
        attributes = self.sliding(node)
        extent = window(node, shape, weight.shape[1:3], (attributes["stride_h"], attributes["stride_w"]),
                        (attributes["dilation_h"], attributes["dilation_w"]), attributes["padding"])
        out = weight.shape[3 if depthwise else 0]
        self.emit(node, "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", [x, self.stored(node.inputs[1][0], weight)],
                  (shape[0], *extent, out), **attributes)

    def pool(self, node):
        x, shape = self.image(node)
        kernel = node.integers("ksize", 4)
        if kernel[0] != 1 or kernel[3] != 1:
            node.refuse("accepted are windows over height and width")
        attributes = self.sliding(node, dilations=False)
        extent = window(node, shape, kernel[1:3], (attributes["stride_h"], attributes["stride_w"]), (1, 1), attributes["padding"])
        self.emit(node, {"AvgPool": "AVERAGE_POOL_2D", "MaxPool": "MAX_POOL_2D"}[node.op], [x], (shape[0], *extent, shape[3]),
                  kernel_h=kernel[1], kernel_w=kernel[2], **attributes)

    def binary(self, node):
        if len(node.inputs) != 2:
            node.refuse("accepted are two inputs")
        names = [name for name, _ in node.inputs]
        inputs = [self.stored(name, self.constants[name]) if name in self.constants else self.operand(node, i)
                  for i, name in enumerate(names)]
        self.emit(node, BINARY[node.op], inputs, self.broadcast(node, inputs))

    def broadcast(self, node, inputs):
        try:
            return np.broadcast_shapes(*(self.dims(i) for i in inputs))
        except ValueError:
            return node.refuse(f"shapes {[list(self.dims(i)) for i in inputs]} do not fit")

    def bias(self, node):
        x, shape = self.image(node)
        value = self.array(node, 1)
        if value.shape != shape[3:]:
            node.refuse(f"a bias of shape {list(value.shape)} for {shape[3]} channels")
        self.emit(node, "ADD", [x, self.stored(node.inputs[1][0], value)], shape)

    def add_all(self, node):
        total = self.operand(node, 0)
        for i in range(1, len(node.inputs)):
            inputs = [total, self.operand(node, i)]
            self.emit(node, "ADD", inputs, self.broadcast(node, inputs))
            total = self.values[node.name]
        self.values[node.name] = total

    def unary(self, node):
        x = self.operand(node, 0)
        self.emit(node, UNARY[node.op], [x], self.dims(x))

    def leaky(self, node):
        x = self.operand(node, 0)
        self.emit(node, "LEAKY_RELU", [x], self.dims(x), alpha=node.get("alpha", 0.2))

    def batch_norm(self, node):
        x, shape = self.image(node)
        if node.get("is_training", True):
            node.refuse("is in training; accepted is a graph frozen for inference (is_training: false)")
        arrays = [self.array(node, i) for i in range(1, 5)]
        if any(a.shape != shape[3:] for a in arrays):
            node.refuse(f"its constants are not one number for each of {shape[3]} channels")
        epsilon = float(np.format_float_positional(np.float32(node.get("epsilon", 0.0001))))     # 0.001, not its nearest double
        if not (arrays[3].astype(np.float64) + epsilon > 0).all():
            node.refuse("a variance that is not above 0 with its epsilon")
        stored = [self.stored(name, a) for (name, _), a in zip(node.inputs[1:5], arrays)]
        self.emit(node, BATCH_NORM, [x, *stored], shape, epsilon=epsilon)

    def concat(self, node):
        axis = self.integers(node, -1).reshape(-1)
        inputs = [self.operand(node, i) for i in range(len(node.inputs) - 1)]
        shapes = [self.dims(i) for i in inputs]
        if axis.size != 1 or axis[0] not in (-1, 3) or any(len(s) != 4 or s[:3] != shapes[0][:3] for s in shapes):
            node.refuse(f"shapes {[list(s) for s in shapes]} along axis {axis.tolist()}; accepted is that of channels")
        self.emit(node, "CONCATENATION", inputs, (*shapes[0][:3], sum(s[3] for s in shapes)), axis=3)

    def resize(self, node):
        x, shape = self.image(node)
        size = self.integers(node, 1)
        if size.shape != (2,):
            node.refuse("its size must be a height and a width")
        self.emit(node, "RESIZE_BILINEAR", [x], (shape[0], *size, shape[3]), align_corners=node.get("align_corners", False),
                  half_pixel_centers=node.get("half_pixel_centers", False))

    def mean(self, node):
        x, axes = self.operand(node, 0), self.integers(node, 1).reshape(-1)
        dims = self.dims(x)
        if any(not -len(dims) <= a < len(dims) for a in axes):
            node.refuse(f"axes {axes.tolist()} for shape {list(dims)}")
        gone = {int(a) % len(dims) for a in axes}
        keep = node.get("keep_dims", False)
        kept = [1 if i in gone else d for i, d in enumerate(dims) if keep or i not in gone]
        self.emit(node, "MEAN", [x, self.stored(node.inputs[1][0], axes)], kept)

    def pad(self, node):
        x, shape = self.image(node)
        edges = self.integers(node, 1)
        if edges.shape != (4, 2) or (edges < 0).any():
            node.refuse("its paddings must be two numbers from 0 on for each of four axes")
        value = [self.stored(node.inputs[2][0], self.array(node, 2))] if node.op == "PadV2" else []
        self.emit(node, "PADV2" if value else "PAD", [x, self.stored(node.inputs[1][0], edges), *value], shape + edges.sum(1))

    def phases(self, node):
        """SpaceToBatchND and BatchToSpaceND."""
        x, shape = self.image(node)
        block, edges = self.integers(node, 1), self.integers(node, 2)
        if block.shape != (2,) or edges.shape != (2, 2) or (block < 1).any() or (edges < 0).any():
            node.refuse("accepted are a block and paddings of height and width")
        split, area, extent = node.op == "SpaceToBatchND", math.prod(block.tolist()), np.array(shape[1:3])
        whole = extent + edges.sum(1) if split else extent * block - edges.sum(1)
        if (split and (whole % block).any()) or (not split and shape[0] % area):
            node.refuse(f"its blocks of {block.tolist()} do not divide {list(shape)}")
        dims = (shape[0] * area, *(whole // block), shape[3]) if split else (shape[0] // area, *whole, shape[3])
        kind = "SPACE_TO_BATCH_ND" if split else "BATCH_TO_SPACE_ND"
        self.emit(node, kind, [x, self.stored(node.inputs[1][0], block), self.stored(node.inputs[2][0], edges)], dims)

    def reshape(self, node):
        x = self.operand(node, 0)
        dims, total = self.dims(x), math.prod(self.dims(x))
        if node.op == "Squeeze":
            axes = {a % len(dims) for a in node.get("squeeze_dims", []) or [i for i, d in enumerate(dims) if d == 1]}
            dims = [d for i, d in enumerate(dims) if i not in axes]
        elif node.op == "ExpandDims":
            axis = self.integers(node, 1).reshape(-1)
            if axis.size != 1 or not -len(dims) - 1 <= axis[0] <= len(dims):
                node.refuse(f"axis {axis.tolist()} for shape {list(dims)}")
            dims = list(dims)
            dims.insert(int(axis[0]) % (len(dims) + 1), 1)
        else:
            dims = self.integers(node, 1).reshape(-1).tolist()
            known = math.prod(d for d in dims if d != -1)
            dims = [total // known if d == -1 and known > 0 else d for d in dims]
        if math.prod(dims) != total or any(d < 1 for d in dims):
            node.refuse(f"makes shape {list(dims)} of {list(self.dims(x))}")
        self.emit(node, "RESHAPE", [x], dims)

    def softmax(self, node):
        x = self.operand(node, 0)
        self.emit(node, "SOFTMAX", [x], self.dims(x), beta=1)

    def argmax(self, node):
        x, axis = self.operand(node, 0), self.integers(node, 1)
        self.emit(node, "ARG_MAX", [x, self.stored(node.inputs[1][0], axis)], self.dims(x)[:-1] or (1,))


OPERATORS = {
    "Conv2D": Builder.convolution, "DepthwiseConv2dNative": Builder.convolution, "AvgPool": Builder.pool, "MaxPool": Builder.pool,
    **dict.fromkeys(BINARY, Builder.binary), **dict.fromkeys(UNARY, Builder.unary), "LeakyRelu": Builder.leaky,
    "BiasAdd": Builder.bias, "AddN": Builder.add_all, "ConcatV2": Builder.concat, "ResizeBilinear": Builder.resize, "Mean": Builder.mean,
    **dict.fromkeys(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), Builder.batch_norm),
    "Pad": Builder.pad, "PadV2": Builder.pad, "SpaceToBatchND": Builder.phases, "BatchToSpaceND": Builder.phases,
    **dict.fromkeys(("Reshape", "Squeeze", "ExpandDims"), Builder.reshape), "Softmax": Builder.softmax, "ArgMax": Builder.argmax,
}


def build_model(nodes, image, output, extent):
    """`image`, `output`: the nodes that make the network's input and output. `extent`: (h, w) of the input."""
    builder = Builder(image, extent, OPERATORS)
    cut = {**nodes, image.name: replace(image, inputs=[])}      # nothing before it is looked at
    for node in ancestors(cut, cut[output.name]):
        builder.step(node)
    if output.name not in builder.values or output.name == image.name:
        output.refuse("is not made from the network's input")
    return GraphModel(builder.tensors, builder.operators, builder.values[image.name], builder.values[output.name])


def fold_biases(model):
    """An ADD of a constant a channel to a convolution without a bias is its bias. After tflite_passes.simplify, which brings together
    what stands on both sides of a BatchToSpaceND."""
    producers, gone = model.producers(), set()
    for op in model.operators:
        conv = producers.get(op.inputs[0]) if op.kind == "ADD" else None
        if conv is None or conv.kind not in CONVOLUTIONS or len(conv.inputs) != 2 or model.consumers(op.inputs[0]) != [op]:
            continue
        bias = model.tensors[op.inputs[1]]
        if bias.data is not None and bias.dims == model.tensors[op.outputs[0]].shape[3:]:
            conv.inputs, conv.outputs = [*conv.inputs, op.inputs[1]], op.outputs
            gone.add(op.index)
    model.operators = [op for op in model.operators if op.index not in gone]
