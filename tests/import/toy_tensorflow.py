# SPDX-License-Identifier: Apache-2.0
"""Small frozen TensorFlow graphs, computed in double precision while they are put together. Needs NumPy only."""
import struct

import numpy as np

import tensorflow_reference as tf
from protobuf_writer import content, number, varint

TYPES = {"float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int64": 9, "bool": 10, "float16": 19}


# Attributes that say the type of an operation's first input, "T" where nothing stands here, and others that must be there
TYPED = {"Cast": ("SrcT",), "Const": (), "FusedBatchNormV3": ("T", "U"), "Placeholder": ()}
FURTHER = {"Slice": {"Index": "int32"}, "StridedSlice": {"Index": "int32"}}


class Type(str):
    """An attribute that names a type."""


class Extents(list):
    """An attribute that is a shape; -1 for what is open."""


def shape_message(dims):
    return b"".join(content(2, number(1, dim)) for dim in dims)


def tensor_message(array, style="bytes"):
    """`style`: "bytes"; "packed" or "loose" values; "filled", one value for all."""
    array = np.asarray(array)
    head = number(1, TYPES[array.dtype.name]) + content(2, shape_message(array.shape))
    flat = array.reshape(-1)[:1] if style == "filled" else array.reshape(-1)
    if style == "bytes":
        return head + content(4, array.tobytes())
    if array.dtype.name in ("float32", "float64"):
        field, form, kind = (5, "<f", 5) if array.dtype.name == "float32" else (6, "<d", 1)
        packed = [struct.pack(form, v) for v in flat]
        return head + (b"".join(varint(field << 3 | kind) + v for v in packed) if style == "loose" else content(field, b"".join(packed)))
    field = {"int64": 10, "bool": 11, "float16": 13}.get(array.dtype.name, 7)
    values = [int(v) for v in (flat.view(np.uint16) if array.dtype.name == "float16" else flat)]
    if style == "loose":
        return head + b"".join(number(field, v) for v in values)
    return head + content(field, b"".join(varint(v & (1 << 64) - 1) for v in values))


def attribute(value):
    if isinstance(value, bool):
        return number(5, int(value))
    if isinstance(value, int):
        return number(3, value)
    if isinstance(value, float):
        return varint(4 << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, Type):
        return number(6, TYPES[value])
    if isinstance(value, str):
        return content(2, value.encode())
    if isinstance(value, Extents):
        return content(7, shape_message(value))
    if isinstance(value, list) and value and isinstance(value[0], Extents):
        return content(1, b"".join(content(7, shape_message(v)) for v in value))
    if isinstance(value, list) and value and isinstance(value[0], Type):
        return content(1, content(6, b"".join(varint(TYPES[v]) for v in value)))
    if isinstance(value, list):
        return content(1, content(3, b"".join(varint(v & (1 << 64) - 1) for v in value)))
    return content(8, value)    # a tensor


class ToyGraph:
    """Each method adds nodes and returns the name of the one that makes the value; `value` has what TensorFlow must compute."""

    def __init__(self, seed=0):
        self.random, self.nodes = np.random.default_rng(seed), []
        self.value, self.type = {}, {}      # by the node's name

    def node(self, op, inputs=(), makes=None, name=None, **attributes):
        name = name or f"{op}_{len(self.nodes)}"
        given = self.type.get(inputs[0], Type("float32")) if inputs else attributes.get("dtype", Type("float32"))
        made = {"Shape": "int32", "ArgMax": "int64", "GreaterEqual": "bool", "Rank": "int32"}.get(op, given)
        self.type[name] = Type(attributes.get("DstT", made))
        attributes = {**dict.fromkeys(TYPED.get(op, ("T",)), given), **attributes}
        attributes.update({key: Type(code) for key, code in FURTHER.get(op, {}).items()})
        entries = b"".join(content(5, content(1, key.encode()) + content(2, attribute(v))) for key, v in attributes.items())
        self.nodes.append(content(1, content(1, name.encode()) + content(2, op.encode())
                                  + b"".join(content(3, i.encode()) for i in inputs) + entries))
        if makes is not None:
            self.value[name] = np.asarray(makes, np.float64)
        return name

    def const(self, array, name=None, style="bytes"):
        """Doubles and 64-bit whole numbers become what TensorFlow makes of Python's, unless `array` is an array."""
        made = np.asarray(array)
        if not isinstance(array, np.ndarray):
            made = made.astype(np.float32 if made.dtype.kind == "f" else np.int32)
        return self.node("Const", (), made, name, dtype=Type(made.dtype.name), value=tensor_message(made, style))

    def floats(self, array, name=None):
        return self.const(np.asarray(array, np.float32), name)

    def weights(self, shape, name=None, depthwise=False):
        fan = shape[0] * shape[1] * (1 if depthwise else shape[2])
        return self.floats(self.random.normal(0, np.sqrt(1.5 / fan), shape), name)

    def shape(self, x):
        return self.value[x].shape

    def photo(self, pixels, **attributes):
        """A placeholder for pixels scaled to [-1, 1]."""
        height, width = pixels.shape[:2]
        image = self.node("Placeholder", (), pixels[None], "photo", dtype=Type("float32"), shape=Extents([1, height, width, 3]))
        image = self.node("Mul", [image, self.const(1 / 127.5)], pixels[None] / 127.5)
        return self.node("Sub", [image, self.const(1.0)], pixels[None] / 127.5 - 1, "normalised", **attributes)

    def identity(self, x):
        return self.node("Identity", [x], self.value[x])

    def conv(self, x, out, kernel=(1, 1), stride=(1, 1), rate=(1, 1), padding="SAME", scope=None, groups=1, bias=False, multiplier=0):
        """A depthwise one where there is a `multiplier`."""
        scope = scope or f"layer_{len(self.nodes)}"
        depthwise, channels = multiplier > 0, self.shape(x)[3]
        w = self.weights((*kernel, channels, multiplier) if depthwise else (*kernel, channels // groups, out),
                         f"{scope}/{'depthwise_weights' if depthwise else 'weights'}", depthwise)
        op, end = ("DepthwiseConv2dNative", "depthwise") if depthwise else ("Conv2D", "Conv2D")
        made = self.node(op, [x, self.node("Identity", [w], self.value[w], f"{w}/read")],
                         self.convolved(x, w, stride, rate, padding, depthwise), f"{scope}/{end}",
                         strides=[1, *stride, 1], dilations=[1, *rate, 1], padding=padding, data_format="NHWC")
        return self.bias(made, scope) if bias else made

    def convolved(self, x, w, stride=(1, 1), rate=(1, 1), padding="SAME", depthwise=False):
        x, w = self.value[x], self.value[w]
        if depthwise:
            return tf.depthwise(x, w.reshape(1, *w.shape[:2], -1), 0, stride, rate, padding.lower())
        return tf.conv2d(x, w.transpose(3, 0, 1, 2), 0, stride, rate, padding.lower())

    def bias(self, x, scope):
        b = self.floats(self.random.normal(0, 0.3, self.shape(x)[3]), f"{scope}/biases")
        return self.node("BiasAdd", [x, b], self.value[x] + self.value[b], f"{scope}/BiasAdd", data_format="NHWC")

    def atrous(self, x, out, rate, kernel=(3, 3), scope=None, multiplier=0):
        """As TensorFlow writes a convolution with a rate and SAME padding: into phases, a convolution, and back."""
        scope = scope or f"layer_{len(self.nodes)}"
        total = [rate * (k - 1) for k in kernel]
        extra = [-(e + t) % rate for e, t in zip(self.shape(x)[1:3], total)]
        paddings = [[t // 2, t - t // 2 + more] for t, more in zip(total, extra)]
        crops = [[0, more] for more in extra]
        block = self.const([rate, rate], f"{scope}/block_shape")
        split = self.node("SpaceToBatchND", [x, block, self.const(paddings, f"{scope}/paddings")],
                          tf.space_to_batch(self.value[x], (rate, rate), paddings), f"{scope}/SpaceToBatchND")
        made = self.conv(split, out, kernel, padding="VALID", scope=scope, multiplier=multiplier)
        return self.node("BatchToSpaceND", [made, block, self.const(crops, f"{scope}/crops")],
                         tf.batch_to_space(self.value[made], (rate, rate), crops), f"{scope}/BatchToSpaceND")

    def norm(self, x, scope=None, epsilon=0.001, kind="FusedBatchNorm"):
        scope, c = f"{scope or f'layer_{len(self.nodes)}'}/BatchNorm", self.shape(x)[3]
        constants = [self.floats(self.random.uniform(low, high, c), f"{scope}/{name}") for name, low, high in
                     (("gamma", 0.7, 1.3), ("beta", -0.3, 0.3), ("moving_mean", -0.2, 0.2), ("moving_variance", 0.6, 1.4))]
        gamma, beta, mean, variance = (self.value[k] for k in constants)
        made = (self.value[x] - mean) / np.sqrt(variance + epsilon) * gamma + beta
        return self.node(kind, [x, *constants], made, f"{scope}/FusedBatchNorm", epsilon=epsilon, is_training=False, data_format="NHWC")

    def unary(self, op, x, **attributes):
        compute = {"Relu": tf.ACTIVATIONS["relu"], "Relu6": tf.ACTIVATIONS["relu6"], "Sigmoid": lambda v: 1 / (1 + np.exp(-v)),
                   "Tanh": np.tanh, "LeakyRelu": lambda v: np.where(v > 0, v, v * attributes.get("alpha", 0.2))}[op]
        scope = x.rpartition("/")[0].replace("/BatchNorm", "")      # of the layer whose end it is
        name = f"{scope}/{op}" if scope else None
        return self.node(op, [x], compute(self.value[x]), f"{name}_{len(self.nodes)}" if name in self.value else name, **attributes)

    def binary(self, op, x, y):
        compute = {"Add": np.add, "AddV2": np.add, "Sub": np.subtract, "Mul": np.multiply, "RealDiv": np.divide, "Maximum": np.maximum,
                   "Minimum": np.minimum}[op]
        return self.node(op, [x, y], compute(self.value[x], self.value[y]))

    def pool(self, op, x, kernel, stride, padding="SAME"):
        compute = tf.max_pool if op == "MaxPool" else tf.average_pool
        return self.node(op, [x], compute(self.value[x], kernel, stride, padding.lower()), ksize=[1, *kernel, 1], strides=[1, *stride, 1],
                         padding=padding)

    def resize(self, x, height, width, rule="align_corners", size=None):
        return self.node("ResizeBilinear", [x, size or self.const([height, width])], tf.resize(self.value[x], height, width, rule),
                         align_corners=rule == "align_corners", half_pixel_centers=rule == "half_pixel")

    def pad(self, x, around):
        edges = [[0, 0], *around, [0, 0]]
        return self.node("Pad", [x, self.const(edges)], np.pad(self.value[x], edges))

    def concat(self, *xs):
        return self.node("ConcatV2", [*xs, self.const(3)], np.concatenate([self.value[x] for x in xs], 3), N=len(xs))

    def argmax(self, x):
        return self.node("ArgMax", [x, self.const(3)], self.value[x].argmax(3))

    def extent(self, x):
        """The nodes of tf.shape(x)[1:3]."""
        shape = self.node("Shape", [x])
        return self.node("StridedSlice", [shape, *(self.const(v) for v in ([1], [3], [1]))], begin_mask=0, end_mask=0,
                         shrink_axis_mask=0, new_axis_mask=0, ellipsis_mask=0)

    def bytes(self):
        return b"".join(self.nodes) + content(4, number(1, 24))     # and the version of its producer
