# SPDX-License-Identifier: Apache-2.0
"""A model that network_onnx.py wrote as a PyTorch module, for one image."""
import onnx
import torch
import torch.nn as nn
import torch.nn.functional as F
from gpu_network import Join
from onnx import numpy_helper


class Windowed(nn.Module):
    """A module that pads by itself, behind the part of ONNX' padding (top, left, bottom, right) that is not symmetric."""

    def __init__(self, make, pads):
        super().__init__()
        self.even = [min(pads[0], pads[2]), min(pads[1], pads[3])]
        rest = [pads[1] - self.even[1], pads[3] - self.even[1], pads[0] - self.even[0], pads[2] - self.even[0]]
        self.rest, self.module = rest if any(rest) else None, make(self.even)

    def forward(self, x):
        return self.module(F.pad(x, self.rest) if self.rest else x)


def convolution(of, weight, bias=None):
    def make(padding):
        module = nn.Conv2d(weight.shape[1] * of["group"], weight.shape[0], of["kernel_shape"], of["strides"], padding, of["dilations"],
                           of["group"], bias is not None)
        module.weight.data = weight
        if bias is not None:
            module.bias.data = bias
        return module
    return Windowed(make, of["pads"])


def batch_norm(of, *constants):
    module = nn.BatchNorm2d(constants[0].shape[0], of["epsilon"])
    module.weight.data, module.bias.data, module.running_mean, module.running_var = constants
    return module


def max_pool(of):
    if any(of["pads"][i] != of["pads"][i + 2] for i in range(2)):
        raise ValueError("a max pool with more padding on one side is not known here")
    return nn.MaxPool2d(of["kernel_shape"], of["strides"], of["pads"][:2], ceil_mode=bool(of["ceil_mode"]))


def average_pool(of):
    return Windowed(lambda padding: nn.AvgPool2d(of["kernel_shape"], of["strides"], padding, bool(of["ceil_mode"]),
                                                 bool(of["count_include_pad"])), of["pads"])


def resize(of, sizes):
    align = of["coordinate_transformation_mode"] == b"align_corners"
    extent = [int(side) for side in sizes[2:]]
    return Join(lambda x: F.interpolate(x, size=extent, mode="bilinear", align_corners=align))


OPERATORS = {
    "Conv": convolution, "BatchNormalization": batch_norm, "MaxPool": max_pool, "AveragePool": average_pool, "Resize": resize,
    "Relu": lambda of: nn.ReLU(), "Clip": lambda of, low, high: nn.Hardtanh(float(low), float(high)),
    "HardSigmoid": lambda of: nn.Hardsigmoid(), "HardSwish": lambda of: nn.Hardswish(), "Sigmoid": lambda of: nn.Sigmoid(),
    "Identity": lambda of: nn.Identity(), "Add": lambda of: Join(torch.add), "Mul": lambda of: Join(torch.mul),
    "Max": lambda of: Join(torch.maximum), "Concat": lambda of: Join(lambda *values: torch.cat(values, of["axis"])),
    "GlobalAveragePool": lambda of: nn.AdaptiveAvgPool2d(1)}


class Network(nn.Module):
    def __init__(self, path):
        super().__init__()
        graph = onnx.load(path).graph
        constants = {c.name: torch.from_numpy(numpy_helper.to_array(c).copy()) for c in graph.initializer}
        self.steps, self.input, self.output = [], graph.input[0].name, graph.output[0].name
        for index, node in enumerate(graph.node):
            if node.op_type not in OPERATORS:
                raise ValueError(f"operator {node.op_type} is not known here")
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            module = OPERATORS[node.op_type](attributes, *[constants[i] for i in node.input if i in constants])
            self.add_module(f"step{index}", module)
            self.steps.append((module, [i for i in node.input if i and i not in constants], node.output[0]))

    def forward(self, x):
        values = {self.input: x}
        for module, inputs, name in self.steps:
            values[name] = module(*[values[i] for i in inputs])
        return values[self.output]
