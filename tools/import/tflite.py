#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a config and weights from a TensorFlow Lite model. Needs NumPy; README.md says what it understands."""
import os

from model_writer import write_model
from options import input_map, labels, make_parser, name_of, run_importer
from refusal import Refusal
from tflite_model import read_model
from tflite_nodes import translate
from tflite_passes import name_padding, simplify
from tflite_schema import IDENTIFIER


def pixel_range(image):
    """(scale, mean) that a quantised input implies, (None, None) for one in floating point.

    Stored bytes are pixels (less 128 where they are signed), and real = scale * (stored - zero_point).
    """
    if image.type not in ("u1", "i1") or image.scale.size != 1:
        return None, None
    zero = image.zero_point[0] + (128 if image.type == "i1" else 0)
    return float(image.scale[0]), float(image.scale[0] * zero)


def convert(options):
    with open(options.model, "rb") as file:
        data = file.read(8)
        if data[4:] == IDENTIFIER:  # else it may be anything, and of any size
            data += file.read(2 << 30)
    model = read_model(data)
    image = model.tensors[model.input]
    name_padding(model)
    simplify(model)
    if image.type not in ("f4", "u1", "i1"):
        raise Refusal("the input must be 32-bit floating point or 8-bit")
    nodes = translate(model)
    classes = model.tensors[model.output].shape[3]
    label_key, files = labels(options, classes)
    head = {"name": name_of(options),
            "description": f"imported from {os.path.basename(options.model)} by tools/import/tflite.py",
            "labels": label_key, "weights": None,   # filled in by the writer
            "input": input_map(options, image.extent, *pixel_range(image)),
            "resize": model.resize if model.resize != "half_pixel" else None}
    return write_model(options.output, head, nodes, files)


if __name__ == "__main__":
    run_importer(make_parser("Makes a config and weights from a TensorFlow Lite model.", "MODEL.tflite"), convert)
