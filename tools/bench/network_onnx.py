# SPDX-License-Identifier: Apache-2.0
"""A network of the configs (as export_networks writes it) as an ONNX model with random weights, NCHW.

Batch norms are written as such: every side folds them itself.
"""
import numpy as np
from onnx import TensorProto, helper, numpy_helper


def integers(params, key, default):
    value = params.get(key, default)
    return [int(v) for v in (value if isinstance(value, list) else [value])]


def pair(params, key, default="1"):
    values = integers(params, key, default)
    return [values[0], values[-1]]


def truth(params, key):
    return params.get(key) in ("true", "yes", "on", "1")


def window(params, extent, kernel, stride, dilation, fallback):
    """Pads in ONNX' order (top, left, bottom, right) and the output's extent."""
    if params.get("padding") == "same":
        totals = [max(0, (-(-side // s) - 1) * s + d * (k - 1) + 1 - side)
                  for side, k, s, d in zip(extent, kernel, stride, dilation)]
        pads = [t // 2 for t in totals] + [t - t // 2 for t in totals]
    elif params.get("padding", "auto") == "auto":
        pads = fallback * 2
    else:
        pads = integers(params, "padding", "0")
        pads = pads * 4 if len(pads) == 1 else pads * 2 if len(pads) == 2 else pads
    out = []
    for i in range(2):
        span = extent[i] + pads[i] + pads[i + 2] - dilation[i] * (kernel[i] - 1) - 1
        size = span // stride[i] + 1
        if truth(params, "ceil_mode") and span % stride[i] and size * stride[i] < extent[i] + pads[i]:
            size += 1
        out.append(size)
    return pads, out


class Writer:
    """`tensors` has every weight by atrous' name; a value's shape is [channels, height, width]."""

    def __init__(self, spec, extent, seed=1):
        self.spec, self.random = spec, np.random.default_rng(seed)
        self.nodes, self.tensors, self.constants = [], {}, {}
        self.shapes = {"input": [3, *extent]}
        self.added = {i for n in spec["nodes"] if n["op"] == "add" for i in n["inputs"]}
        for node in spec["nodes"]:
            write = getattr(self, node["op"], None)
            if write is None:
                raise ValueError(f"{spec['name']}: operator {node['op']} is not known here")
            self.node, self.params, self.inputs = node, node["params"] or {}, node["inputs"]
            write(*[self.shapes[i] for i in self.inputs])

    def emit(self, op, shape, inputs=None, **attributes):
        self.nodes.append(helper.make_node(op, inputs or self.inputs, [self.node["name"]], self.node["name"], **attributes))
        self.shapes[self.node["name"]] = shape

    def part(self, op, *inputs, **attributes):
        """One of several ONNX operators of a node; returns its value's name. Inputs may be arrays."""
        name = f"{self.node['name']}.{len(self.nodes)}"
        names = [i if isinstance(i, str) else self.constant(f"{name}.{k}", i) for k, i in enumerate(inputs)]
        self.nodes.append(helper.make_node(op, names, [name], name, **attributes))
        return name

    def constant(self, name, array):
        self.constants[name] = np.asarray(array)
        return name

    def weight(self, key, array):
        name = f"{self.node['weights']}.{key}"
        self.tensors.setdefault(name, array.astype(np.float32))
        return self.constant(name, self.tensors[name])

    def conv2d(self, x):
        kernel, stride, dilation = (pair(self.params, key) for key in ("kernel", "stride", "dilation"))
        out = int(self.params.get("out", x[0]))
        groups = x[0] if self.params.get("groups") == "depthwise" else int(self.params.get("groups", "1"))
        pads, extent = window(self.params, x[1:], kernel, stride, dilation,
                              [d * (k - 1) // 2 for d, k in zip(dilation, kernel)])
        shape = (out, x[0] // groups, *kernel)
        inputs = [*self.inputs, self.weight("weight", self.random.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape))]
        if truth(self.params, "bias"):
            inputs.append(self.weight("bias", self.random.normal(0, 0.1, out)))
        self.emit("Conv", [out, *extent], inputs, kernel_shape=kernel, strides=stride, dilations=dilation, pads=pads,
                  group=groups)

    def batch_norm(self, x):
        gain = 0.3 if self.node["name"] in self.added else 1  # sums of many blocks stay small
        inputs = [self.weight(key, self.random.uniform(low, high, x[0])) for key, low, high in
                  (("weight", 0.8 * gain, 1.2 * gain), ("bias", -0.2, 0.2), ("running_mean", -0.2, 0.2),
                   ("running_var", 0.5, 1.5))]
        self.emit("BatchNormalization", x, [*self.inputs, *inputs], epsilon=float(self.params.get("eps", "1e-5")))

    def relu(self, x):
        self.emit("Relu", x)

    def relu6(self, x):
        self.emit("Clip", x, [*self.inputs, *[self.constant(str(v), np.float32(v)) for v in (0, 6)]])

    def hardsigmoid(self, x):
        self.emit("HardSigmoid", x, alpha=1 / 6, beta=0.5)

    def hardswish(self, x):
        self.emit("HardSwish", x)

    def sigmoid(self, x):
        self.emit("Sigmoid", x)

    def softmax(self, x):
        self.emit("Softmax", x, axis=1)

    def fully_connected(self, x):
        out, size = int(self.params["out"]), int(np.prod(x))
        weight = self.weight("weight", self.random.normal(0, (1 / size) ** 0.5, (out, size)))
        bias = self.weight("bias", self.random.normal(0, 0.1, out))
        flat = self.part("Gemm", self.part("Flatten", *self.inputs), weight, bias, transB=1)
        self.emit("Reshape", [out, 1, 1], [flat, self.constant(flat + ".shape", np.array([1, out, 1, 1]))])

    def template_morph(self, coefficients, boxes):
        """The equations of src/ops/template_morph.cpp, all labels at once but for the products with their dictionaries."""
        counts, (mh, mw), (height, width) = integers(self.params, "templates", "1"), pair(self.params, "mask"), pair(self.params, "size")
        labels = len(counts)
        dictionary = self.weight("weight", self.random.uniform(0, 2 / np.mean(counts), (sum(counts), mh, mw)))
        dictionary = self.part("Reshape", dictionary, np.array([sum(counts), mh * mw]))
        a = self.part("Flatten", self.inputs[0])
        ends = np.cumsum(counts)
        def labels_part(value, axis, k):
            return self.part("Slice", value, ends[k:k + 1] - counts[k], ends[k:k + 1], np.array([axis]))
        masks = [self.part("MatMul", labels_part(a, 1, k), labels_part(dictionary, 0, k)) for k in range(labels)]
        masks = self.part("Reshape", self.part("Concat", *masks, axis=0), np.array([labels, 1, mh, mw]))
        zero, one, two = (np.float32(v) for v in (0, 1, 2))
        masks = self.part("Clip", masks, zero, one)
        box = self.part("Reshape", self.inputs[1], np.array([labels, 5, 1]))
        cx, cy, sx, sy, v = (self.part("Slice", box, np.array([i]), np.array([i + 1]), np.array([1])) for i in range(5))
        def place(pixels, centre, side):
            at = ((np.arange(pixels) + 0.5) / pixels).astype(np.float32)
            u = self.part("Add", self.part("Div", self.part("Sub", at, centre), side), np.float32(0.5))  # [labels, 1, pixels]
            inside = self.part("And", self.part("GreaterOrEqual", u, zero), self.part("Less", u, one))
            return self.part("Sub", self.part("Mul", u, two), one), self.part("Cast", inside, to=TensorProto.FLOAT)
        (u, in_x), (t, in_y) = place(width, cx, sx), place(height, cy, sy)
        t, in_y = (self.part("Transpose", value, perm=[0, 2, 1]) for value in (t, in_y))
        full = np.array([labels, height, width])
        grid = [self.part("Unsqueeze", self.part("Expand", value, full), np.array([3])) for value in (u, t)]
        pasted = self.part("GridSample", masks, self.part("Concat", *grid, axis=3), mode="bilinear", padding_mode="zeros",
                           align_corners=0)
        pasted = self.part("Reshape", pasted, full)
        seen = self.part("Mul", in_y, self.part("Mul", in_x, self.part("Clip", v, zero, one)))
        pasted = self.part("Reshape", self.part("Mul", pasted, seen), np.array([1, labels, height, width]))
        background = self.part("ReduceProd", self.part("Sub", one, pasted), axes=[1], keepdims=1)
        every = self.part("Concat", background, pasted, axis=1)
        self.emit("Div", [labels + 1, height, width], [every, self.part("ReduceSum", every, np.array([1]), keepdims=1)])

    def dropout(self, x):
        self.emit("Identity", x)

    identity = dropout

    def add(self, a, b):
        self.emit("Add", [max(p, q) for p, q in zip(a, b)])

    def mul(self, a, b):
        self.emit("Mul", [max(p, q) for p, q in zip(a, b)])

    def max(self, a, b):
        self.emit("Max", a)

    def concat(self, *values):
        self.emit("Concat", [sum(v[0] for v in values), *values[0][1:]], axis=1)

    def pool(self, op, x, **attributes):
        kernel = pair(self.params, "kernel")
        stride = pair(self.params, "stride", "1")
        pads, extent = window(self.params, x[1:], kernel, stride, [1, 1], [0, 0])
        self.emit(op, [x[0], *extent], kernel_shape=kernel, strides=stride, pads=pads,
                  ceil_mode=int(truth(self.params, "ceil_mode")), **attributes)

    def max_pool(self, x):
        self.pool("MaxPool", x)

    def average_pool(self, x):
        self.pool("AveragePool", x, count_include_pad=int(truth(self.params, "count_include_pad")))

    def global_average_pool(self, x):
        self.emit("GlobalAveragePool", [x[0], 1, 1])

    def resize(self, x, like=None):
        if like is not None:
            extent = like[1:]
        elif "size" in self.params:
            extent = pair(self.params, "size")
        else:
            extent = [int(side * float(self.params["scale"])) for side in x[1:]]
        sizes = self.constant(self.node["name"] + ".sizes", np.array([1, x[0], *extent], np.int64))
        align = self.params.get("coordinates") == "align_corners"
        self.emit("Resize", [x[0], *extent], [self.inputs[0], "", "", sizes], mode="linear",
                  coordinate_transformation_mode="align_corners" if align else "half_pixel")

    def model(self):
        def info(name):
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *self.shapes[name]])
        initializers = [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        graph = helper.make_graph(self.nodes, "network", [info("input")], [info(self.spec["output"])], initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
