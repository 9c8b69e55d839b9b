#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a config and weights from a Caffe network. Needs NumPy; README.md says what it understands."""
import math
import os
from fractions import Fraction

from caffe_names import renamed
from caffe_network import read_network
from caffe_nodes import Translator
from caffe_weights import read_weights
from model_writer import write_model
from options import labels, make_parser, name_of, run_importer
from protobuf_text import MOST_BYTES, parse
from refusal import Refusal
from shipped_config import add_config_options, write_with_config

MEAN = {"bgr": ["104.008", "116.669", "122.675"], "rgb": ["122.675", "116.669", "104.008"]}  # DeepLab's
SIDES = (321, 505, 513)     # of DeepLab's prototxts, which the network does not insist on
NOMINAL = 513               # where a prototxt says none
MOST_MULTIPLE = 64          # of what inputs are padded to


def pixels(options, transform):
    """The config's color, scale, mean and std; what the network's data layer does with pixels, unless options say otherwise."""
    scale, mean, default = transform.number("scale", 1.0), transform.numbers("mean_value"), MEAN[options.color]
    if len(mean) not in (0, 1, 3):
        transform.refuse(f"{len(mean)} times mean_value; accepted are one and three")
    if mean:    # Caffe's value is (pixel - mean) * scale
        default = [value * scale for value in mean] * (3 // len(mean))
    elif transform.text("mean_file") and not options.mean:
        transform.refuse("a mean_file, which is not read; give its mean of each channel with --mean")
    return {"color": options.color, "scale": options.scale or (1 if scale == 1 else scale), "mean": options.mean or default,
            "std": options.std or [1] * 3}


def padding_step(side, extents):
    """The number m such that for an input of m * k + 1 every map's side less one is the same whole share of the input's."""
    step = 1
    for n in {n for extent in extents for n in extent}:
        denominator = Fraction(n - 1, side - 1).denominator
        step *= denominator // math.gcd(step, denominator)
    return step


def geometry(given, extents, nodes):
    """(the rest of the config's `input`, whether this is a network of DeepLab's kind)

    `given`: the input's extent [h, w] by the prototxt. `extents`: of all values, the input's first.
    """
    fixed = any(node.op == "fully_connected" or node.op == "resize" and "size" in node.params for node in nodes)
    if not fixed and (given == (None, None) or given[0] == given[1] in SIDES):
        multiple = padding_step(extents[0][0], extents)
        if multiple <= MOST_MULTIPLE:
            return {"policy": "native", "size": NOMINAL, "multiple": multiple, "offset": 1}, True
    if None in given:
        raise Refusal("says no size of its input, which only a network of DeepLab's kind need not: one whose maps all have a point "
                      "for every n-th pixel, corners aligned; accepted for others is input_dim, a layer Input or a crop_size")
    return {"policy": "stretch", "size": given[0] if given[0] == given[1] else list(given)}, False


def description(options, ends):
    text = f"imported from {os.path.basename(options.weights)} by tools/import/caffe.py"
    return text + ("; the CRF of its prototxt is left to --crf" if "DenseCRF" in ends else "")


def convert(options):
    if options.config is not None:
        return convert_weights(options)
    if options.weights is None:
        raise Refusal("WEIGHTS.caffemodel is missing (see --help)")
    with open(options.model, "rb") as file:
        network = read_network(parse(file.read(MOST_BYTES + 1), options.model))
    given = network.image.shape[1:]
    assumed = tuple(side or NOMINAL for side in given)
    translator = Translator(network, read_weights(options.weights), assumed)
    logits, resized = translator.translate()
    size, is_deeplab = geometry(given, [made.extent for made in translator.values.values()], translator.nodes)
    label_key, files = labels(options, logits.channels)
    head = {"name": name_of(options, options.weights), "description": description(options, network.ends),
            "labels": label_key, "weights": None,   # filled in by the writer
            "input": {**pixels(options, network.image.transform), **size},
            "resize": "align_corners" if resized or is_deeplab else None, "fusion": "max" if is_deeplab else None}
    return write_model(options.output, head, translator.nodes, files)


def convert_weights(options):
    """Of a network that configs/deeplab has, so that no prototxt is needed: the only file is the .caffemodel."""
    if options.weights is not None:
        raise Refusal("with --config the .caffemodel is the only file")
    if any((options.mean, options.std, options.scale)):
        raise Refusal("--mean, --std and --scale are the config's where there is --config")
    return write_with_config(options, renamed(read_weights(options.model), options.config))


def make_program():
    parser = make_parser("Makes a config and weights from a Caffe network.", "DEPLOY.prototxt", scale="1", color="bgr",
                         mean=f"that of the prototxt, else {','.join(MEAN['bgr'])} (BGR)")
    parser.add_argument("weights", metavar="WEIGHTS.caffemodel", nargs="?", help="with --config the first and only file")
    add_config_options(parser, required=False)
    return parser


if __name__ == "__main__":
    run_importer(make_program(), convert)
