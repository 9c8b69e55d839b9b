# SPDX-License-Identifier: Apache-2.0
"""The benchmark's networks (networks.json) as PyTorch modules with random weights."""
import torch
import torch.nn as nn
import torch.nn.functional as F


def numbers(params, key, default):
    """One number or a pair, written as text, as a pair of integers."""
    value = params.get(key, default)
    values = [int(v) for v in (value if isinstance(value, list) else [value])]
    return (values[0], values[-1])


def truth(params, key):
    return params.get(key) in ("true", "yes", "on", "1")


class Join(nn.Module):
    """A function of several values as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *values):
        return self.function(*values)


def convolution(params, channels, fold):
    kernel, stride = numbers(params, "kernel", "1"), numbers(params, "stride", "1")
    dilation = numbers(params, "dilation", "1")
    if "padding" in params:
        padding = numbers(params, "padding", "0")
    else:
        padding = tuple(d * (k - 1) // 2 for d, k in zip(dilation, kernel))
    out = int(params.get("out", channels))
    groups = channels if params.get("groups") == "depthwise" else int(params.get("groups", "1"))
    bias = truth(params, "bias") or fold
    conv = nn.Conv2d(channels, out, kernel, stride, padding, dilation, groups, bias)
    nn.init.kaiming_uniform_(conv.weight, a=1)
    return conv, out


def resize(params):
    align = params.get("coordinates") == "align_corners"
    if truth(params, "like"):
        return lambda x, like: F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=align)
    scale = float(params["scale"])
    return lambda x: F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=align)


def pool(op, params):
    if op == "global_average_pool":
        return nn.AdaptiveAvgPool2d(1)
    if op == "adaptive_average_pool":
        return nn.AdaptiveAvgPool2d(numbers(params, "bins", "1"))
    kind = nn.MaxPool2d if op == "max_pool" else nn.AvgPool2d
    return kind(numbers(params, "kernel", "1"), numbers(params, "stride", "1"), numbers(params, "padding", "0"))


SIMPLE = {
    "relu": lambda: nn.ReLU(inplace=True),
    "relu6": lambda: nn.ReLU6(inplace=True),
    "hardswish": lambda: nn.Hardswish(inplace=True),
    "dropout": nn.Identity,
    "identity": nn.Identity,
    "add": lambda: Join(lambda a, b: a + b),
    "concat": lambda: Join(lambda *values: torch.cat(values, 1)),
}


class Network(nn.Module):
    """With `fold` a batch norm right behind a convolution is taken as part of its weights and bias."""

    def __init__(self, spec, channels, fold):
        super().__init__()
        self.steps, self.output = [], spec["output"]
        width = {"input": channels}
        alias = {}  # a folded batch norm is its convolution
        operators = {node["name"]: node["op"] for node in spec["nodes"]}
        folded = {n["inputs"][0] for n in spec["nodes"] if fold and n["op"] == "batch_norm"}
        for index, node in enumerate(spec["nodes"]):
            op, params, inputs = node["op"], node["params"] or {}, node["inputs"]
            size = width[inputs[0]]
            if op == "batch_norm" and inputs[0] in folded and operators[inputs[0]] == "conv2d":
                width[node["name"]], alias[node["name"]] = size, alias.get(inputs[0], inputs[0])
                continue
            if op == "conv2d":
                module, size = convolution(params, size, node["name"] in folded)
            elif op == "batch_norm":
                module = nn.BatchNorm2d(size)
            elif op == "resize":
                module = Join(resize(params))
            elif op.endswith("_pool"):
                module = pool(op, params)
            elif op in SIMPLE:
                module = SIMPLE[op]()
            else:
                raise ValueError(f"{spec['name']}: operator {op} is not known here")
            if op == "concat":
                size = sum(width[i] for i in inputs)
            width[node["name"]] = size
            self.add_module(f"step{index}", module)
            self.steps.append((module, [alias.get(i, i) for i in inputs], node["name"]))
        self.output = alias.get(self.output, self.output)
        self.keep_shared_values()

    def keep_shared_values(self):
        """An activation may write over its input only where nothing else reads that."""
        readers = {}
        for _, inputs, _ in self.steps:
            for name in inputs:
                readers[name] = readers.get(name, 0) + 1
        for module, inputs, _ in self.steps:
            if getattr(module, "inplace", False) and (readers[inputs[0]] > 1 or inputs[0] == "input"):
                module.inplace = False

    def forward(self, x):
        values = {"input": x}
        for module, inputs, name in self.steps:
            values[name] = module(*[values[i] for i in inputs])
        return values[self.output]
