# SPDX-License-Identifier: Apache-2.0
"""The benchmark's networks, built a second time: ONNX operators with random weights under the names of atrous' configs.

Batch norms are written as such; ONNX Runtime and atrous each fold them themselves.
"""
import numpy as np
from onnx import TensorProto, helper, numpy_helper


class Builder:
    """Appends ONNX nodes; a value is (name, channels, height, width). `tensors` has every weight by atrous' name."""

    def __init__(self, size, seed=1):
        self.nodes, self.tensors, self.constants = [], {}, {}
        self.random = np.random.default_rng(seed)
        self.input = ("input", 3, size, size)

    def add(self, op, inputs, name, channels, height, width, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name, channels, height, width

    def constant(self, name, array):
        self.constants[name] = array
        return name

    def weight(self, name, array):
        self.tensors[name] = array.astype(np.float32)
        return self.constant(name, self.tensors[name])

    def conv(self, x, name, out, kernel=1, stride=1, dilation=1, groups=1, bias=False):
        fan_in = x[1] // groups * kernel * kernel
        shape = (out, x[1] // groups, kernel, kernel)
        inputs = [x[0], self.weight(name + ".weight", self.random.normal(0, (2 / fan_in) ** 0.5, shape))]
        if bias:
            inputs.append(self.weight(name + ".bias", self.random.normal(0, 0.1, out)))
        pad = dilation * (kernel - 1) // 2
        extent = [(side - 1) // stride + 1 for side in x[2:]]
        return self.add("Conv", inputs, name, out, *extent, kernel_shape=[kernel] * 2, strides=[stride] * 2,
                        dilations=[dilation] * 2, pads=[pad] * 4, group=groups)

    def norm(self, x, name, eps=1e-5, gain=1.0):
        uniform = self.random.uniform
        inputs = [self.weight(f"{name}.{key}", uniform(low, high, x[1])) for key, low, high in
                  (("weight", 0.8 * gain, 1.2 * gain), ("bias", -0.2, 0.2), ("running_mean", -0.2, 0.2),
                   ("running_var", 0.5, 1.5))]
        return self.add("BatchNormalization", [x[0], *inputs], name, *x[1:], epsilon=eps)

    def relu(self, x, name):
        return self.add("Relu", [x[0]], name, *x[1:])

    def relu6(self, x, name):
        limits = [self.constant(str(limit), np.float32(limit)) for limit in (0, 6)]
        return self.add("Clip", [x[0], *limits], name, *x[1:])

    def sum(self, a, b, name):
        return self.add("Add", [a[0], b[0]], name, *a[1:])

    def concat(self, values, name):
        return self.add("Concat", [v[0] for v in values], name, sum(v[1] for v in values), *values[0][2:], axis=1)

    def max_pool(self, x, name):
        return self.add("MaxPool", [x[0]], name, x[1], *[(side - 1) // 2 + 1 for side in x[2:]], kernel_shape=[3, 3],
                        strides=[2, 2], pads=[1] * 4)

    def mean(self, x, name):
        return self.add("GlobalAveragePool", [x[0]], name, x[1], 1, 1)

    def resize(self, x, like, name, align_corners=False):
        sizes = self.constant(name + ".sizes", np.array([1, x[1], *like[2:]], np.int64))
        return self.add("Resize", [x[0], "", "", sizes], name, x[1], *like[2:], mode="linear",
                        coordinate_transformation_mode="align_corners" if align_corners else "half_pixel")

    def model(self, output):
        """The ONNX model whose output is this value."""
        def info(value):
            return helper.make_tensor_value_info(value[0], TensorProto.FLOAT, [1, *value[1:]])
        initializers = [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        graph = helper.make_graph(self.nodes, "network", [info(self.input)], [info(output)], initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def deeplabv3_resnet50(net, classes=21):
    """torchvision's deeplabv3_resnet50 without its auxiliary head; returns the logits at output stride 8."""
    def unit(x, name, out, act=True, **options):
        x = net.norm(net.conv(x, name + ".0", out, **options), name + ".1")
        return net.relu(x, name + ".2") if act else x

    def bottleneck(x, name, width, stride, rate, project):
        y = net.relu(net.norm(net.conv(x, name + ".conv1", width), name + ".bn1"), name + ".relu1")
        y = net.conv(y, name + ".conv2", width, 3, stride, rate)
        y = net.relu(net.norm(y, name + ".bn2"), name + ".relu2")
        y = net.norm(net.conv(y, name + ".conv3", 4 * width), name + ".bn3", gain=0.25)
        shortcut = unit(x, name + ".downsample", 4 * width, act=False, stride=stride) if project else x
        return net.relu(net.sum(y, shortcut, name + ".sum"), name + ".relu")

    x = net.norm(net.conv(net.input, "backbone.conv1", 64, 7, 2), "backbone.bn1")
    x = net.max_pool(net.relu(x, "backbone.relu"), "backbone.maxpool")
    for layer, (width, depth, stride, rates) in enumerate(((64, 3, 1, (1, 1)), (128, 4, 2, (1, 1)), (256, 6, 1, (1, 2)),
                                                           (512, 3, 1, (2, 4))), 1):
        for i in range(depth):
            x = bottleneck(x, f"backbone.layer{layer}.{i}", width, stride if i == 0 else 1, rates[i > 0], i == 0)
    head = "classifier.0.convs"
    branches = [unit(x, head + ".0", 256)]
    branches += [unit(x, f"{head}.{i}", 256, kernel=3, dilation=rate) for i, rate in ((1, 12), (2, 24), (3, 36))]
    pool = net.norm(net.conv(net.mean(x, head + ".4.0"), head + ".4.1", 256), head + ".4.2")
    branches.append(net.resize(net.relu(pool, head + ".4.3"), x, head + ".4.broadcast"))
    x = unit(net.concat(branches, head + ".concat"), "classifier.0.project", 256)
    x = net.relu(net.norm(net.conv(x, "classifier.1", 256, 3), "classifier.2"), "classifier.3")
    return net.conv(x, "classifier.4", classes, bias=True)


def deeplabv3_mobilenet_v2(net, classes=21):
    """TensorFlow DeepLab's mobile model at width 1.0; returns the logits at output stride 16."""
    def unit(x, name, out, act=True, gain=1.0, **options):
        x = net.norm(net.conv(x, name + ".conv", out, **options), name + ".bn", 1e-3, gain)
        return net.relu6(x, name + ".act") if act else x

    def inverted_residual(x, name, out, expand, stride, rate, residual):
        y = unit(x, name + ".expand", expand * x[1]) if expand > 1 else x
        y = unit(y, name + ".depthwise", y[1], kernel=3, stride=stride, dilation=rate, groups=y[1])
        y = unit(y, name + ".project", out, act=False, gain=0.5)
        return net.sum(y, x, name + ".sum") if residual else y

    def head_unit(x, name):
        return net.relu(net.norm(net.conv(x, name + ".0", 256), name + ".1"), name + ".2")

    x = unit(net.input, "backbone.stem", 32, kernel=3, stride=2)
    for stage, (out, depth, expand, stride, rates) in enumerate((
            (16, 1, 1, 1, (1, 1)), (24, 2, 6, 2, (1, 1)), (32, 3, 6, 2, (1, 1)), (64, 4, 6, 2, (1, 1)),
            (96, 3, 6, 1, (1, 1)), (160, 3, 6, 1, (1, 2)), (320, 1, 6, 1, (2, 2)))):
        for i in range(depth):
            x = inverted_residual(x, f"backbone.stages.{stage}.{i}", out, expand, stride if i == 0 else 1, rates[i > 0],
                                  i > 0)
    pool = net.resize(head_unit(net.mean(x, "head.mean"), "head.pool"), x, "head.broadcast")
    x = net.concat([pool, head_unit(x, "head.aspp0")], "head.concat")
    return net.conv(head_unit(x, "head.project"), "head.logits", classes, bias=True)


# name of the config: (builder of the logits, whether the last upsampling aligns corners)
NETWORKS = {"deeplabv3_resnet50": (deeplabv3_resnet50, False), "deeplabv3_mobilenet_v2": (deeplabv3_mobilenet_v2, True)}
