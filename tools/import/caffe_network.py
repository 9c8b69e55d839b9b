# SPDX-License-Identifier: Apache-2.0
"""From a deploy.prototxt to the layers that its output needs, with a name for each value once only."""
from dataclasses import dataclass, field

import caffe_schema as schema
from protobuf_text import Message
from refusal import Refusal

MOST_LAYERS, MOST_LINKS, MOST_SIDE = 5000, 1024, 65536


@dataclass(eq=False)
class Value:
    """What one layer makes; a layer in place makes another value of the same name."""
    name: str


@dataclass(eq=False)
class Layer:
    name: str
    kind: str
    inputs: list        # Values
    outputs: list
    message: Message
    shared: list        # the name under which each of its blobs is shared, "" for its own

    def refuse(self, reason):
        self.message.refuse(reason)

    def parameters(self):
        """The message of its kind, all of whose fields are known."""
        name, accepted, ignored = schema.PARAMETERS[self.kind]
        message = self.message.message(name)
        if unknown := sorted(message.names() - set(accepted.split()) - set(ignored.split())):
            self.refuse(f"'{unknown[0]}' is not supported in {name}; accepted: {', '.join(accepted.split()) or 'nothing'}")
        return message


@dataclass(eq=False)
class Source:
    """An input of the network: (channels, height, width), of which what the file does not say is None."""
    value: Value
    shape: tuple = (None, None, None)
    transform: Message = field(default_factory=lambda: Message(""))    # its transform_param


@dataclass
class Network:
    image: Source
    layers: list            # of the TEST phase, in order
    output: Value
    ends: set = field(default_factory=set)  # kinds of layers that were dropped at the end


def holds(rule):
    """Whether a NetStateRule is met when a network is used (phase TEST, level 0, no stages)."""
    phase = rule.choice("phase", ("TRAIN", "TEST"), "TEST")
    low, high = (rule.integer(name, -1 << 31, 1 << 31, 0) for name in ("min_level", "max_level"))
    return phase == "TEST" and low <= 0 <= high and not rule.texts("stage")


def included(message):
    if rules := message.all("include", Message):
        return any(holds(rule) for rule in rules)
    return not any(holds(rule) for rule in message.all("exclude", Message))


def sides(dims, message):
    """The shape that four extents [n, c, h, w] give."""
    if len(dims) != 4:
        message.refuse(f"an input of {len(dims)} dimensions; accepted are four: number, channels, height, width")
    return tuple(dims[1:])


def data_shape(layer, message):
    """Of the image that a layer of SOURCES brings."""
    if layer.kind == "Input":
        shapes = message.message("input_param").all("shape", Message)
        return sides(shapes[0].integers("dim", 1, MOST_SIDE), shapes[0]) if shapes else (None, None, None)
    if layer.kind == "MemoryData":
        memory = message.message("memory_data_param")
        shape = tuple(memory.integer(name, 0, MOST_SIDE) or None for name in ("channels", "height", "width"))
        if None not in shape:
            return shape
    crop = message.message("transform_param").integer("crop_size", 0, MOST_SIDE) or None
    return None, crop, crop


def declared_inputs(net):
    """`input: "data"` at the top, with input_dim or input_shape."""
    names, dims = net.texts("input"), net.integers("input_dim", 1, MOST_SIDE)
    shapes = [sides(shape.integers("dim", 1, MOST_SIDE), shape) for shape in net.all("input_shape", Message)]
    shapes = shapes or [sides(dims[i:i + 4], net) for i in range(0, len(dims), 4)]
    return [Source(Value(name), *shapes[i:i + 1]) for i, name in enumerate(names)]


def shared_names(message):
    """`param { name: "x" }`, in V1 `param: "x"`."""
    return [value.text("name") if isinstance(value, Message) else value.text
            for value in message.all("param", object)]


def read_layers(net):
    """(sources, layers)"""
    sources = declared_inputs(net)
    values = {source.value.name: source.value for source in sources}
    layers = []
    messages = net.all("layer", Message) or net.all("layers", Message)
    if len(messages) > MOST_LAYERS:
        net.refuse(f"more than {MOST_LAYERS} layers")
    for message in messages:
        if "layer" in message.names():
            message.refuse("a layer in a form of 2013; accepted is what Caffe's upgrade_net_proto_text makes of the file")
        name, kind = message.text("name"), schema.modern(message.text("type"))
        message.subject = f"layer '{name}' ({kind}): "
        if not included(message):
            continue
        bottoms, tops = message.texts("bottom"), message.texts("top")
        layer = Layer(name, kind, [], [], message, shared_names(message))
        if max(len(bottoms), len(tops)) > MOST_LINKS:
            layer.refuse(f"more than {MOST_LINKS} bottoms or tops")
        for bottom in bottoms:
            if bottom not in values and kind not in schema.OBSERVERS:
                layer.refuse(f"reads '{bottom}', which nothing before it makes")
        layer.inputs = [values[bottom] for bottom in bottoms if bottom in values]
        layer.outputs = [Value(name) for name in tops]
        values.update({value.name: value for value in layer.outputs})
        if layer.kind in schema.SOURCES and layer.outputs:
            sources.append(Source(layer.outputs[0], data_shape(layer, message), message.message("transform_param")))
        else:
            layers.append(layer)
    return sources, layers


def last_output(layers, image):
    """The last value that comes from the image and that no layer reads."""
    reached, read, result = {image}, set(), None
    for layer in layers:
        if layer.kind in schema.OBSERVERS:
            continue
        read.update(layer.inputs)
        if layer.kind != "Silence" and not reached.isdisjoint(layer.inputs):
            reached.update(layer.outputs)
    for layer in layers:
        for value in layer.outputs:
            if layer.kind not in schema.OBSERVERS and value in reached and value not in read:
                result = value
    if result is None:
        raise Refusal("no layer of the TEST phase makes an output from the image")
    return result


def strip_ends(network):
    """Leaves the argmax, the CRF and the softmax at the end to the engine, in the order in which they can follow."""
    producers = {value: layer for layer in network.layers for value in layer.outputs}
    while layer := producers.get(network.output):
        if layer.kind not in (*schema.ENDS, *schema.IDENTITIES) or not layer.inputs:
            break
        if layer.kind == "ArgMax" and "ArgMax" in network.ends:
            layer.refuse("accepted is one at the end")
        if layer.kind in ("ArgMax", "Softmax"):
            require_channels(layer)
        if layer.kind in schema.ENDS:
            network.ends.add(layer.kind)
        network.output = layer.inputs[0]


def require_channels(layer):
    """Caffe's softmax is over channels where nothing is said, its argmax over everything."""
    parameters = layer.parameters()
    axis = parameters.integer("axis", -4, 3, 1 if layer.kind == "Softmax" else None)
    if axis not in (1, -3):
        layer.refuse("accepted is axis: 1")
    if layer.kind == "ArgMax" and (parameters.flag("out_max_val", False) or parameters.integer("top_k", 1, 255, 1) != 1):
        layer.refuse("accepted is the one greatest channel, without its score")


def prune(network):
    """Only what the output needs."""
    needed, kept = {network.output}, []
    for layer in reversed(network.layers):
        if not needed.isdisjoint(layer.outputs):
            needed.update(layer.inputs)
            kept.append(layer)
    network.layers = kept[::-1]


def read_network(net):
    """The Network of a parsed prototxt."""
    sources, layers = read_layers(net)
    images = [source for source in sources if source.shape[0] in (None, 3)]
    if not images:
        net.refuse("no input of three channels; accepted are `input` with `input_dim`, a layer Input, and a layer of data "
                   f"({', '.join(schema.SOURCES[1:])})")
    network = Network(images[0], layers, last_output(layers, images[0].value))
    strip_ends(network)
    prune(network)
    return network
