# SPDX-License-Identifier: Apache-2.0
"""Small ONNX models of random weights, one an operator or a pattern of operators. Needs onnx and NumPy."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper

HEIGHT, WIDTH = 48, 64


class Toy:
    """Appends nodes of an opset to a model whose input extent is free where `dynamic`. A value is (name, channels, height,
    width)."""

    def __init__(self, opset=17, seed=2, dynamic=True):
        self.opset, self.dynamic = opset, dynamic
        self.nodes, self.constants = [], {}
        self.random = np.random.default_rng(seed)
        self.input = ("input", 3, HEIGHT, WIDTH)

    def add(self, op, inputs, name, channels, height, width, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name, channels, height, width

    def constant(self, name, array):
        self.constants[name] = array
        return name

    def conv(self, x, name, out, kernel=1, stride=1):
        values = self.random.normal(0, (2 / (x[1] * kernel * kernel)) ** 0.5, (out, x[1], kernel, kernel))
        weight = self.constant(name + ".weight", values.astype(np.float32))
        extent = [(side - 1) // stride + 1 for side in x[2:]]
        return self.add("Conv", [x[0], weight], name, out, *extent, kernel_shape=[kernel] * 2, strides=[stride] * 2,
                        pads=[(kernel - 1) // 2] * 4)

    def norm(self, x, name):
        inputs = [self.constant(f"{name}.{key}", self.random.uniform(low, high, x[1]).astype(np.float32))
                  for key, low, high in (("weight", 0.8, 1.2), ("bias", -0.2, 0.2), ("running_mean", -0.2, 0.2),
                                         ("running_var", 0.5, 1.5))]
        return self.add("BatchNormalization", [x[0], *inputs], name, *x[1:], epsilon=1e-5)

    def node(self, op, *inputs, channels=None, **attributes):
        """Inputs: values, arrays (constants), or None; as many channels as the first unless said otherwise."""
        if op == "Resize" and self.opset < 13:  # takes nothing to be an empty tensor
            inputs = [np.zeros(0, np.float32) if v is None else v for v in inputs]
        names = [self.constant(f"c{len(self.constants)}", v) if isinstance(v, (np.ndarray, np.generic)) else
                 v if isinstance(v, str) else v[0] if v else "" for v in inputs]
        first = next((v for v in inputs if isinstance(v, tuple)), self.input)
        return self.add(op, names, f"{op.lower()}_{len(self.nodes)}", channels or first[1], *first[2:], **attributes)

    def ints(self, *values):
        return np.array(values, np.int64)

    def stem(self, out=8, stride=2):
        return self.norm(self.conv(self.input, f"stem{len(self.nodes)}", out, 3, stride), f"bn{len(self.nodes)}")

    def random_array(self, *shape):
        return self.random.normal(0, 1, shape).astype(np.float32)

    def extents(self, like):
        """[h, w] of a value, as exporters compute it."""
        shape = self.node("Shape", like)
        return self.node("Slice", shape, self.ints(2), self.ints(4), self.ints(0))

    def resize_to(self, x, like, **attributes):
        head = self.node("Slice", self.node("Shape", x), self.ints(0), self.ints(2), self.ints(0))
        sizes = self.node("Concat", head, self.extents(like), axis=0)
        return self.node("Resize", x, None, None, sizes, **attributes)

    def bytes(self, output, nhwc=False, input_type=TensorProto.FLOAT):
        extents = ["h", "w"] if self.dynamic else [HEIGHT, WIDTH]
        dims = ["n", *extents, 3] if nhwc else ["n", 3, *extents]
        inputs = [helper.make_tensor_value_info("input", input_type, dims)]
        outputs = [helper.make_tensor_value_info(output[0], TensorProto.FLOAT, None)]
        constants = [numpy_helper.from_array(np.asarray(a), name) for name, a in self.constants.items()]
        graph = helper.make_graph(self.nodes, "toy", inputs, outputs, constants)
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def geometry(net):
    x = net.conv(net.input, "a", 8, 3, 2)
    x = net.node("Conv", x, net.random_array(12, 4, 3, 5), net.random_array(12), channels=12, group=2, strides=[1, 2],
                 pads=[0, 1, 2, 3], dilations=[2, 1])
    x = net.node("Conv", x, net.random_array(24, 1, 3, 3), channels=24, group=12, auto_pad="SAME_UPPER", strides=[2, 2])
    x = net.node("Conv", x, net.random_array(6, 24, 2, 2), channels=6, auto_pad="SAME_LOWER")
    return net.node("Conv", x, net.random_array(5, 6, 1, 1), channels=5, auto_pad="VALID")


def padded(net):
    x = net.stem()
    if net.opset < 11:
        x = net.node("Pad", x, pads=[0, 0, 1, 2, 0, 0, 3, 0])
    else:
        x = net.node("Pad", x, net.ints(0, 0, 1, 2, 0, 0, 3, 0), np.float32(0))
    x = net.node("Conv", x, net.random_array(6, 8, 3, 3), channels=6, pads=[0, 1, 1, 0])
    if net.opset < 11:
        return net.node("Pad", x, pads=[0, 0, 1, 1, 0, 0, 1, 1], value=0.5)
    return net.node("Pad", x, net.ints(0, 0, 1, 1, 0, 0, 1, 1), np.float32(0.5))


def activations(net):
    x = net.stem(10)
    values = [net.node("LeakyRelu", x, alpha=0.2), net.node("Sigmoid", x), net.node("Tanh", x), net.node("Relu", x),
              net.node("HardSigmoid", x), net.node("HardSigmoid", x, alpha=1 / 6, beta=0.5),
              net.node("Mul", x, net.node("Sigmoid", x))]
    if net.opset >= 14:
        values.append(net.node("HardSwish", x))
    if net.opset >= 20:
        values += [net.node("Gelu", x), net.node("Gelu", x, approximate="tanh")]
    if net.opset < 11:
        values += [net.node("Clip", x, min=0.0, max=6.0), net.node("Clip", x, min=-0.5, max=0.25)]
        return net.node("Concat", *values, axis=1, channels=90)
    zero, three, six = np.float32(0), np.float32(3), np.float32(6)
    gate = net.node("Clip", net.node("Add", x, three), zero, six)
    values += [net.node("Div", net.node("Mul", x, gate), six), net.node("Mul", x, net.node("Div", gate, six)),
               net.node("Clip", x, np.float32(-0.5), None), net.node("Clip", x, None, np.float32(0.5)),
               net.node("Clip", x, zero, None), net.node("Clip", x, np.float32(-0.5), np.float32(0.25))]
    return net.node("Concat", *values, axis=1, channels=10 * len(values))


def pools(net):
    x = net.stem()
    a = net.node("MaxPool", x, kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1], ceil_mode=1)
    a = net.node("AveragePool", a, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    a = net.node("AveragePool", a, kernel_shape=[2, 2], auto_pad="SAME_UPPER")
    a = net.node("MaxPool", a, kernel_shape=[3, 3], dilations=[2, 2], pads=[2, 2, 2, 2])
    a = net.node("Mul", a, net.node("GlobalAveragePool", x))
    a = net.node("Add", a, net.node("GlobalMaxPool", x))
    if net.opset < 18:
        b = net.node("ReduceMean", x, axes=[2, 3])
        return net.node("Add", net.node("Mul", a, b), net.node("ReduceMean", a, axes=[1]))
    b = net.node("ReduceMean", x, net.ints(-1, -2))
    return net.node("Add", net.node("Mul", a, b), net.node("ReduceMean", a, net.ints(1)))


def arithmetic(net):
    x, y = net.stem(), net.stem()
    x = net.node("Mul", x, net.random_array(8, 1, 1))
    x = net.node("Add", net.random_array(1, 8, 1, 1), x)
    x = net.node("Sub", np.float32(1.5), net.node("Div", x, np.float32(0.7)))
    x = net.node("Sub", net.random_array(8, 1, 1), net.node("Sub", x, np.float32(0.1)))
    x = net.node("Div", x, 2 + net.random.random((1, 8, 1, 1)).astype(np.float32))
    x = net.node("Max", net.node("Sub", x, y), net.node("Mul", x, y), np.float32(-0.5))
    x = net.node("Min", x, y)
    return net.node("Sum", x, net.node("Div", y, net.node("Max", net.node("Sigmoid", x), np.float32(0.1))), x)


def resizes(net):
    x = net.stem(6, stride=2)
    small = net.conv(x, "small", 6, 3, 2)
    ones = np.array([1, 1, 2, 2], np.float32)
    values = [net.resize_to(small, x, mode="linear", coordinate_transformation_mode=mode)
              for mode in ("half_pixel", "pytorch_half_pixel", "align_corners")]
    values.append(net.node("Resize", small, None, ones, mode="nearest", coordinate_transformation_mode="asymmetric",
                           nearest_mode="floor"))
    values.append(net.node("Resize", small, None, ones, mode="nearest"))
    values.append(net.node("Resize", small, None, ones, mode="linear"))
    values.append(net.resize_to(small, x, mode="nearest", nearest_mode="round_prefer_ceil"))
    return net.node("Concat", *values, axis=1, channels=42)


def old_upsample(net):
    x = net.stem(6)
    scales = np.array([1, 1, 3, 2], np.float32)
    return net.node("Upsample" if net.opset < 10 else "Resize", x, scales, mode="nearest")


def parts(net):
    x = net.stem(10)
    a = net.node("Slice", x, net.ints(1, 2), net.ints(-2, 1 << 40), net.ints(1, 3))
    b = net.node("Slice", x, net.ints(3, 0), net.ints(10, -2), net.ints(1, -1), net.ints(1, 1))
    outputs = [f"part{len(net.nodes)}_{i}" for i in range(2)]
    sizes = [net.constant("sizes", net.ints(3, 7))] if net.opset >= 13 else []
    attributes = {} if net.opset >= 13 else {"split": [3, 7]}
    net.nodes.append(helper.make_node("Split", [x[0], *sizes], outputs, axis=1, **attributes))
    c = net.node("Slice", (outputs[1], 7, *x[2:]), net.ints(1), net.ints(-1), net.ints(3))
    d = net.node("Slice", (outputs[0], 3, *x[2:]), net.ints(2), net.ints(1 << 40), net.ints(3))
    return net.node("Concat", net.node("Add", a, b), c, d, axis=1, channels=17)


def layouts(net):
    """Squeeze and excitation by dense layers, and a softmax over channels between transposes."""
    x = net.stem()
    p = net.node("GlobalAveragePool", x)
    p = net.node("Reshape", p, net.ints(0, -1)) if net.opset % 2 else net.node("Flatten", p)
    p = net.node("Gemm", p, net.random_array(6, 8), net.random_array(6), transB=1, alpha=0.5, beta=2.0, channels=6)
    p = net.node("Add", net.node("MatMul", net.node("Relu", p), net.random_array(6, 8), channels=8), net.random_array(8))
    p = net.node("Sigmoid", p)
    p = net.node("Unsqueeze", p, net.ints(2, 3)) if net.opset >= 13 else net.node("Unsqueeze", p, axes=[2, 3])
    y = net.node("Transpose", net.node("Mul", x, p), perm=[0, 3, 2, 1])
    y = net.node("Softmax", y, axis=3)
    y = net.node("MatMul", y, net.random_array(8, 5), channels=5)
    return net.node("Identity", net.node("Transpose", y, perm=[0, 3, 2, 1]))


def channels_last(net):
    x = net.node("Transpose", net.input, perm=[0, 3, 1, 2])
    x = net.node("Conv", x, net.random_array(6, 3, 3, 3), net.random_array(6), channels=6, auto_pad="SAME_UPPER",
                 strides=[2, 2])
    return net.node("Transpose", net.node("LRN", x, size=5, alpha=0.01, beta=0.6, bias=2.0), perm=[0, 2, 3, 1])


def lrn_and_drop(net):
    x = net.node("LRN", net.stem(), size=3, alpha=0.1, beta=0.75, bias=1.0)
    return net.node("Dropout", x)


def pyramid(net):
    """A pooled branch that Expand spreads, and logits brought to the input's extent."""
    x = net.stem()
    shape = net.node("Concat", net.ints(-1), net.ints(8), net.extents(x), axis=0)
    minus = net.node("Equal", shape, net.ints(-1))
    shape = net.node("Where", minus, net.ints(1), shape)
    pooled = net.node("Expand", net.node("GlobalAveragePool", x), shape)
    x = net.conv(net.node("Concat", x, pooled, axis=1, channels=16), "logits", 5)
    return net.resize_to(x, net.input, mode="linear", coordinate_transformation_mode="half_pixel")


def scaled(net):
    """The extent that interpolate(scale_factor=2) computes."""
    x = net.conv(net.stem(), "logits", 5)
    extents = net.node("Cast", net.extents(x), to=TensorProto.FLOAT)
    extents = net.node("Cast", net.node("Floor", net.node("Mul", extents, np.float32(2))), to=TensorProto.INT64)
    sizes = net.node("Concat", net.ints(1, 5), extents, axis=0)
    return net.node("Resize", x, None, None, sizes, mode="linear", coordinate_transformation_mode="half_pixel")


def unet(net):
    """Takes multiples of 4 only."""
    a = net.conv(net.input, "a", 6, 3)
    b = net.conv(net.node("MaxPool", a, kernel_shape=[2, 2], strides=[2, 2]), "b", 6, 3)
    c = net.conv(net.node("MaxPool", b, kernel_shape=[2, 2], strides=[2, 2]), "c", 6, 3)
    for skip in (b, a):
        up = net.node("Resize", c, None, np.array([1, 1, 2, 2], np.float32), mode="nearest",
                      coordinate_transformation_mode="asymmetric", nearest_mode="floor")
        c = net.conv(net.node("Concat", up, skip, axis=1, channels=12), f"up{skip[0]}", 6, 3)
    return c


def unet_by_size(net):
    """The same, where upsampling asks for the other's extent."""
    a = net.conv(net.input, "a", 6, 3)
    b = net.conv(net.node("MaxPool", a, kernel_shape=[2, 2], strides=[2, 2]), "b", 6, 3)
    up = net.resize_to(b, a, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    return net.conv(net.node("Concat", up, a, axis=1, channels=12), "up", 6, 3)


def gated(net):
    """A pooled value that loses and regains its last axes before it is spread."""
    x = net.stem()
    p = net.node("Flatten", net.node("GlobalAveragePool", x))
    p = net.node("Unsqueeze", p, net.ints(2, 3)) if net.opset >= 13 else net.node("Unsqueeze", p, axes=[2, 3])
    p = net.resize_to(p, x, mode="linear", coordinate_transformation_mode="align_corners")
    return net.conv(net.node("Concat", p, x, axis=1, channels=16), "logits", 4, 3)


OPSETS = {geometry: (9, 13, 21), padded: (9, 11, 18), activations: (9, 11, 14, 21), pools: (10, 13, 18, 21),
          arithmetic: (9, 13, 21), resizes: (11, 13, 18, 21), old_upsample: (9, 10), parts: (10, 13, 18),
          layouts: (9, 11, 13, 21), channels_last: (11, 17), lrn_and_drop: (9, 13), pyramid: (11, 17, 21),
          scaled: (11, 17), unet: (11, 18), unet_by_size: (13,),
          gated: (11, 17)}
