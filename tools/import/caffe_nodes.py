# SPDX-License-Identifier: Apache-2.0
"""Translates the layers of a Caffe network into the nodes of a config."""
from dataclasses import dataclass

import numpy as np

import caffe_schema as schema
from caffe_blobs import Blobs, normalisation, unit_statistics
from caffe_network import MOST_SIDE, require_channels
from network import INPUT, Node, Paths
from refusal import Refusal

MOST_CHANNELS = 1 << 20
BINARY = {"PROD": "mul", "SUM": "add", "MAX": "max"}    # in the order of caffe.proto's EltwiseOp


@dataclass
class Made:
    """What a value has become. Extents are those for the prototxt's own input size."""
    node: Node
    channels: int
    extent: tuple


def pair(values):
    return values[0] if values[0] == values[1] else list(values)


def both(layer, message, name, low, high, default, short=None):
    """[h, w] of `name` (one value, or one an axis) or of `short`_h and `short`_w."""
    given = message.integers(name, low, high)
    parts = [message.integer(f"{short or name}_{axis}", low, high) for axis in "hw"]
    if len(given) > 2 or (given and parts != [None, None]) or (None in parts and parts != [None, None]):
        layer.refuse(f"accepted of '{name}' are one value, two, or {short or name}_h and {short or name}_w")
    return parts if parts != [None, None] else [given[0], given[-1]] if given else [default, default]


class Translator:
    """Holds what the layers so far have made."""

    def __init__(self, network, weights, extent):
        self.network, self.blobs = network, Blobs(network.layers, weights)
        self.nodes, self.paths, self.owners, self.merged = [], Paths(), {}, set()
        self.readers = {}
        for layer in network.layers:
            for value in layer.inputs:
                self.readers.setdefault(value, []).append(layer)
        # a node whose weights others share must not end up in a block
        self.flat = any(any(layer.shared) for layer in network.layers)
        self.values = {network.image.value: Made(INPUT, 3, extent)}

    def translate(self):
        """(the logits' Made, whether an Interp that brought them to the input's size was left to the engine)"""
        for layer in self.network.layers:
            if layer.kind not in TRANSLATIONS:
                accepted = sorted([*TRANSLATIONS, *schema.SOURCES, *schema.OBSERVERS, "Silence", "ArgMax and DenseCRF at the end"])
                layer.refuse(f"is not supported; accepted are {', '.join(accepted)}")
            if layer in self.merged:
                continue
            if not layer.outputs or (len(layer.outputs) > 1 and layer.kind != "Split"):
                layer.refuse(f"has {len(layer.outputs)} tops; accepted is one")
            for value in layer.inputs:
                if value not in self.values:
                    layer.refuse(f"reads '{value.name}', which is not made from the image")
            made = TRANSLATIONS[layer.kind](self, layer)
            if not 1 <= made.channels <= MOST_CHANNELS or not all(1 <= side <= MOST_SIDE for side in made.extent):
                layer.refuse(f"makes {made.channels} channels of {made.extent[0]}x{made.extent[1]} for the input's size; accepted "
                             f"are 1 to {MOST_CHANNELS} channels, sides of 1 to {MOST_SIDE}")
            self.values.update({value: made for value in layer.outputs})
        output = self.values[self.network.output]
        left = output.node.op == "resize" and output.extent == self.values[self.network.image.value].extent
        if left:
            output = next(made for made in self.values.values() if made.node is self.nodes[-1].inputs[0])
            self.nodes.pop()
        if not self.nodes:
            raise Refusal("computes nothing from its input")
        return output, left

    def add(self, layer, op, inputs, params=None, tensors=None, source=(), suffix=""):
        """`tensors`, made of the blobs `source`: kept once for all nodes of one kind that have the same blobs."""
        path = layer.name + suffix
        path = self.paths.unique(path.replace("/", "_") if self.flat else path)
        params, tensors = dict(params or {}), {name: array.astype(np.float32) for name, array in (tensors or {}).items()}
        if any(not np.isfinite(array).all() for array in tensors.values()):
            layer.refuse("its weights are not all finite in 32-bit floating point")
        key = (op, *(id(blob) for blob in source), *(array.shape for array in tensors.values()))
        if source and key in self.owners:
            params["weights"], tensors = self.owners[key].flat, {}
        self.nodes.append(Node(path, op, [made.node for made in inputs], params, tensors))
        if tensors:
            self.owners[key] = self.nodes[-1]
        return self.nodes[-1]

    def one(self, layer):
        """The only input."""
        if len(layer.inputs) != 1:
            layer.refuse(f"has {len(layer.inputs)} bottoms; accepted is one")
        return self.values[layer.inputs[0]]

    def several(self, layer):
        if not layer.inputs:
            layer.refuse("has no bottom")
        return [self.values[value] for value in layer.inputs]

    def convolution(self, layer):
        source, p = self.one(layer), layer.parameters()
        if p.integer("axis", -4, 3, 1) not in (1, -3):
            layer.refuse("accepted is axis: 1")
        if {"dilation", "hole"} <= p.names():
            layer.refuse("accepted is one of 'dilation' and 'hole'")
        out, groups = p.integer("num_output", 1, 65536), p.integer("group", 1, 65536, 1)
        kernel, stride = both(layer, p, "kernel_size", 1, 1024, None, "kernel"), both(layer, p, "stride", 1, 1024, 1)
        pad = both(layer, p, "pad", 0, 4096, 0)
        rate = both(layer, p, "dilation" if "dilation" in p.names() else "hole", 1, 4096, 1, "hole")
        if out is None or None in kernel:
            layer.refuse("'num_output' and 'kernel_size' must be there")
        if source.channels % groups or out % groups:
            layer.refuse(f"{source.channels} input and {out} output channels do not divide into {groups} groups")
        has_bias = p.flag("bias_term", True)
        shapes = [(out, source.channels // groups, *kernel)] + [(out,)] * has_bias
        arrays, blobs = self.blobs.take(layer, shapes)
        extent = tuple((side + 2 * pad[i] - rate[i] * (kernel[i] - 1) - 1) // stride[i] + 1
                       for i, side in enumerate(source.extent))
        params = {"out": out, "kernel": pair(kernel), "stride": pair(stride), "dilation": pair(rate), "groups": groups,
                  "bias": has_bias}
        if pad != [rate[i] * (kernel[i] - 1) // 2 for i in (0, 1)]:     # what a config need not say
            params["padding"] = pair(pad)
        node = self.add(layer, "conv2d", [source], params, dict(zip(("weight", "bias"), arrays)), blobs)
        return Made(node, out, extent)

    def inner_product(self, layer):
        source, p = self.one(layer), layer.parameters()
        out, has_bias, transposed = p.integer("num_output", 1, 65536), p.flag("bias_term", True), p.flag("transpose", False)
        if out is None or p.integer("axis", -4, 3, 1) not in (1, -3):
            layer.refuse("accepted are axis: 1 and a 'num_output'")
        size = source.channels * source.extent[0] * source.extent[1]
        arrays, blobs = self.blobs.take(layer, [(size, out) if transposed else (out, size)] + [(out,)] * has_bias)
        arrays[0] = arrays[0].T if transposed else arrays[0]
        tensors = {"bias": np.zeros(out), **dict(zip(("weight", "bias"), arrays))}
        return Made(self.add(layer, "fully_connected", [source], {"out": out}, tensors, blobs), out, (1, 1))

    def pool(self, layer):
        source, p = self.one(layer), layer.parameters()
        kind = p.choice("pool", ("MAX", "AVE"), "MAX")
        op = {"MAX": "max_pool", "AVE": "average_pool"}[kind]
        pad, stride = both(layer, p, "pad", 0, 1023, 0), both(layer, p, "stride", 1, 1024, 1)
        kernel = both(layer, p, "kernel_size", 1, 1024, None, "kernel")
        if p.flag("global_pooling", False):
            if (kernel, pad, stride) != ([None, None], [0, 0], [1, 1]):
                layer.refuse("accepted with global_pooling are no kernel, padding and stride")
            return Made(self.add(layer, "global_" + op, [source]), source.channels, (1, 1))
        if None in kernel or any(pad[i] >= kernel[i] for i in (0, 1)):
            layer.refuse("accepted is a 'kernel_size' above the padding")
        if {"ceil_mode", "round_mode"} <= p.names():
            layer.refuse("accepted is one of 'ceil_mode' and 'round_mode'")
        ceil = p.flag("ceil_mode", True) and p.choice("round_mode", ("CEIL", "FLOOR"), "CEIL") == "CEIL"
        extent = []
        for i, side in enumerate(source.extent):
            room = side + 2 * pad[i] - kernel[i]
            count = (-(-room // stride[i]) if ceil else room // stride[i]) + 1
            outside = (count - 1) * stride[i] >= side + pad[i]  # the last window
            if outside and not any(pad):
                layer.refuse(f"its last window lies outside the {side} elements; accepted is a stride that fits")
            extent.append(count - outside)
        params = {"kernel": pair(kernel), "stride": pair(stride), **({"padding": pair(pad)} if any(pad) else {}),
                  **({"ceil_mode": True} if ceil and stride != [1, 1] else {}),
                  **({"count_include_pad": True} if kind == "AVE" and any(pad) else {})}
        return Made(self.add(layer, op, [source], params), source.channels, tuple(extent))

    def batch_norm(self, layer):
        source, p = self.one(layer), layer.parameters()
        if not p.flag("use_global_stats", True):
            layer.refuse("accepted is use_global_stats: true")
        eps, channels = p.number("eps", 1e-5), (source.channels,)
        statistics, blobs = self.blobs.take(layer, [channels, channels, (1,)])
        mean, variance = normalisation(layer, *statistics, eps)
        tensors = {"weight": np.ones(channels), "bias": np.zeros(channels)}
        if scale := self.scale_behind(layer):
            more, more_blobs = self.blobs.take(scale, self.scale_shapes(scale, source))
            tensors.update(zip(("weight", "bias"), more))
            blobs += more_blobs
            self.merged.add(scale)
        params = {"eps": eps} if eps != 1e-5 else {}
        node = self.add(layer, "batch_norm", [source], params, {**tensors, "running_mean": mean, "running_var": variance}, blobs)
        made = Made(node, source.channels, source.extent)
        if scale:
            self.values[scale.outputs[0]] = made
        return made

    def scale_behind(self, layer):
        """The Scale that alone reads a BatchNorm."""
        readers = self.readers.get(layer.outputs[0], [])
        alone = len(readers) == 1 and readers[0].kind == "Scale" and len(readers[0].inputs) == len(readers[0].outputs) == 1
        return readers[0] if alone else None

    def scale_shapes(self, layer, source):
        p = layer.parameters()
        if p.integer("axis", -4, 3, 1) not in (1, -3) or p.integer("num_axes", -1, 4, 1) != 1:
            layer.refuse("accepted are axis: 1 and num_axes: 1")
        return [(source.channels,)] * (1 + p.flag("bias_term", False))

    def scale(self, layer):
        """A batch norm (the engine folds it away) with statistics that change nothing."""
        source = self.one(layer)
        arrays, blobs = self.blobs.take(layer, self.scale_shapes(layer, source))
        tensors = {"bias": np.zeros(source.channels), **dict(zip(("weight", "bias"), arrays)), **unit_statistics(source.channels)}
        return Made(self.add(layer, "batch_norm", [source], {}, tensors, blobs), source.channels, source.extent)

    def eltwise(self, layer):
        sources, p = self.several(layer), layer.parameters()
        operation = p.choice("operation", tuple(BINARY), "SUM")
        if any(coefficient != 1 for coefficient in p.numbers("coeff")):
            layer.refuse("accepted are coefficients of 1")
        if any((s.channels, s.extent) != (sources[0].channels, sources[0].extent) for s in sources):
            shapes = ", ".join(f"{s.channels}x{s.extent[0]}x{s.extent[1]}" for s in sources)
            layer.refuse(f"its bottoms are {shapes} for the input's size; accepted is one shape")
        result = sources[0]
        for i, source in enumerate(sources[1:], 2):
            node = self.add(layer, BINARY[operation], [result, source], suffix="" if i == len(sources) else f"_{i}")
            result = Made(node, source.channels, source.extent)
        return result

    def concat(self, layer):
        sources, p = self.several(layer), layer.parameters()
        if p.integer("axis", -4, 3, 1) not in (1, -3) or p.integer("concat_dim", 0, 3, 1) != 1:
            layer.refuse("accepted is axis: 1")
        if any(source.extent != sources[0].extent for source in sources):
            layer.refuse(f"its bottoms are of {', '.join('x'.join(map(str, s.extent)) for s in sources)}; accepted is one extent")
        if len(sources) == 1:
            return sources[0]
        return Made(self.add(layer, "concat", sources), sum(source.channels for source in sources), sources[0].extent)

    def interp(self, layer):
        """Corners aligned; to a size, or (n - 1) / shrink * zoom + 1."""
        source, p = self.one(layer), layer.parameters()
        if any(p.integer(name, -4096, 4096, 0) for name in ("pad_beg", "pad_end")):
            layer.refuse("accepted are pad_beg: 0 and pad_end: 0")
        size = [p.integer(name, 1, MOST_SIDE) for name in ("height", "width")]
        shrink, zoom = (p.integer(name, 1, 1024) for name in ("shrink_factor", "zoom_factor"))
        if (None in size) == (shrink is None and zoom is None) or (None in size and size != [None, None]):
            layer.refuse("accepted is either a height and a width, or a zoom_factor, a shrink_factor or both")
        rule = {"coordinates": "align_corners"}
        if None in size:
            extent = tuple((side - 1) // (shrink or 1) * (zoom or 1) + 1 for side in source.extent)
            params = {**({"shrink": shrink} if shrink else {}), **({"zoom": zoom} if zoom else {}), **rule}
            return Made(self.add(layer, "resize", [source], params), source.channels, extent)
        extent = tuple(size)
        for known in reversed(list(self.values.values())):     # of a value that has it, so that other sizes work too
            if known.extent == extent:
                return Made(self.add(layer, "resize", [source, known], {"like": True, **rule}), source.channels, extent)
        return Made(self.add(layer, "resize", [source], {"size": size, **rule}), source.channels, extent)

    def lrn(self, layer):
        source, p = self.one(layer), layer.parameters()
        p.choice("norm_region", ("ACROSS_CHANNELS",), "ACROSS_CHANNELS")
        params = {"size": p.integer("local_size", 1, 1023, 5), "alpha": p.number("alpha", 1.0), "beta": p.number("beta", 0.75),
                  "k": p.number("k", 1.0)}
        if params["size"] % 2 == 0 or params["alpha"] < 0 or params["k"] <= 0:
            layer.refuse("accepted are an odd local_size, an alpha of 0 or more and a k above 0")
        return Made(self.add(layer, "lrn", [source], params), source.channels, source.extent)

    def activation(self, layer):
        source, p, params = self.one(layer), layer.parameters(), {}
        op = {"ReLU": "relu", "Sigmoid": "sigmoid", "TanH": "tanh", "Softmax": "softmax"}[layer.kind]
        if layer.kind == "Softmax":
            require_channels(layer)
        if layer.kind == "ReLU" and (slope := p.number("negative_slope", 0.0)):
            op, params = "leaky_relu", {"slope": slope}
        return Made(self.add(layer, op, [source], params), source.channels, source.extent)


TRANSLATIONS = {
    "BatchNorm": Translator.batch_norm, "Concat": Translator.concat, "Convolution": Translator.convolution,
    "Dropout": Translator.one, "Eltwise": Translator.eltwise, "InnerProduct": Translator.inner_product,
    "Interp": Translator.interp, "LRN": Translator.lrn, "Pooling": Translator.pool, "ReLU": Translator.activation,
    "Scale": Translator.scale, "Sigmoid": Translator.activation, "Softmax": Translator.activation, "Split": Translator.one,
    "TanH": Translator.activation,
}
