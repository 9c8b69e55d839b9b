#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a config and weights from a frozen TensorFlow graph. Needs NumPy, not TensorFlow; README.md says what it understands."""
import argparse
import os
import re

import tflite_nodes
from model_writer import write_model
from options import input_map, labels, make_parser, name_of, run_importer
from protobuf_wire import mapped
from refusal import Refusal
from shipped_config import add_config_options, write_with_config
from tensorflow_ends import find_input, find_output, known_extent, trace_pixels
from tensorflow_graph import constant, read_graph
from tensorflow_model import BATCH_NORM, build_model, fold_biases
from tensorflow_names import LAST, renamed
from tflite_passes import simplify

NOMINAL = 513   # where a graph says no extent; DeepLab's


def batch_norm(translator, op):
    weight, bias, mean, variance = (translator.model.constant(t) for t in op.inputs[1:])
    eps = op.attributes["epsilon"]
    return translator.add(op, "batch_norm", [translator.operand(op, 0)], {"eps": eps} if eps != 1e-5 else {},
                          {"weight": weight, "bias": bias, "running_mean": mean, "running_var": variance})


TRANSLATIONS = {**tflite_nodes.TRANSLATIONS, BATCH_NORM: batch_norm}


def size(text):
    match = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text)
    if not match or not all(0 < int(n or 1) <= 65536 for n in match.groups()):
        raise argparse.ArgumentTypeError(f"'{text}' is no HxW")
    return int(match[1]), int(match[2] or match[1])


def extent_of(nodes, image, given):
    """(h, w) of the network's input: the graph's, else those given, else the usual ones; and whether it is those."""
    known = known_extent(nodes, image)
    if given is not None and any(k not in (None, g) for k, g in zip(known, given)):
        image.refuse(f"is fixed to {known[0] or '?'}x{known[1] or '?'}, not --size {given[0]}x{given[1]}")
    return tuple(k or g for k, g in zip(known, given or (NOMINAL, NOMINAL))), given is None and None in known


def read_model(nodes, image, output, extent, assumed):
    try:
        return build_model(nodes, image, output, extent)
    except Refusal as refusal:
        raise Refusal(f"{refusal}; its input is taken to be {extent[0]}x{extent[1]}, --size says otherwise") if assumed else refusal


def pixel_input(options, nodes, image, extent):
    """The config's `input`: what the graph does to a photo before the network, unless options say otherwise."""
    if any((options.scale, options.mean, options.std)):
        return input_map(options, extent)
    pixels = trace_pixels(nodes, image)
    result = input_map(options, extent)
    if (pixels.factor == pixels.factor[0]).all():
        result.update(scale=float(pixels.factor[0]), mean=[float(0 - s) for s in pixels.shift])
    elif (pixels.factor > 0).all():
        result.update(scale=1, mean=[float((0 - s) / f) for s, f in zip(pixels.shift, pixels.factor)],
                      std=[float(1 / f) for f in pixels.factor])
    if (pixels.factor <= 0).any():
        image.refuse("pixels are multiplied by a number that is not above 0; give --scale, --mean and --std")
    if pixels.padded:   # and not stretched
        result["policy"] = "fit"
    return result


def convert(options):
    nodes = read_graph(mapped(options.model, "a frozen graph"))
    if options.config is not None:
        variables = {name: constant(node) for name, node in nodes.items()
                     if node.op == "Const" and name.rpartition("/")[2] in LAST}
        return write_with_config(options, renamed(variables, options.config))
    output = find_output(nodes, options.output_node)
    image = find_input(nodes, output, options.input_node)
    extent, assumed = extent_of(nodes, image, options.size)
    model = read_model(nodes, image, output, extent, assumed)
    simplify(model)
    fold_biases(model)
    translated = tflite_nodes.translate(model, TRANSLATIONS)
    label_key, files = labels(options, model.tensors[model.output].shape[3])
    head = {"name": name_of(options),
            "description": f"imported from {os.path.basename(options.model)} by tools/import/tensorflow.py",
            "labels": label_key, "weights": None,   # filled in by the writer
            "input": pixel_input(options, nodes, image, extent),
            "resize": model.resize if model.resize != "half_pixel" else None}
    return write_model(options.output, head, translated, files)


def make_program():
    parser = make_parser("Makes a config and weights from a frozen TensorFlow graph.", "GRAPH.pb", mean="what the graph does",
                         scale="what the graph does")
    parser.add_argument("--input-node", metavar="NAME", help="that makes the network's input; default: what the first convolutions read")
    parser.add_argument("--output-node", metavar="NAME", help="that makes the scores or labels; default: the one that none reads")
    parser.add_argument("--size", type=size, metavar="HxW",
                        help=f"of the network's input where the graph leaves it open; default {NOMINAL}")
    add_config_options(parser, required=False)
    return parser


if __name__ == "__main__":
    run_importer(make_program(), convert)
