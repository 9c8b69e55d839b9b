# SPDX-License-Identifier: Apache-2.0
"""Weights for a network that configs/deeplab has: the shipped config is written beside them."""
import os
import re

import numpy as np

from model_writer import flow, safetensors_bytes, write_files
from options import labels, model_name
from refusal import Refusal

CONFIGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../configs/deeplab")


def config_text(config, name, label_key):
    """The shipped config under another name, and with other labels where they are given; it no longer says where to get weights."""
    path = os.path.join(CONFIGS, config + ".yaml")
    if not os.path.isfile(path):
        known = ", ".join(sorted(entry[:-5] for entry in os.listdir(CONFIGS) if entry.endswith(".yaml")))
        raise Refusal(f"--config {config}: there is none of that name (there are {known})")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    text = re.sub(r"(?m)^weights_from:.*\n(?:[ \t].*\n)*", "", text)
    changes = {"name": name, "weights": name + ".safetensors"}
    if label_key is not None:
        changes["labels"] = flow(label_key)
    for key, value in changes.items():
        text = re.sub(rf"(?m)^{key}:.*$", lambda _, line=f"{key}: {value}": line, text)
    return text


def add_config_options(parser, required):
    """--config, --output, --name and --labels of a program that makes nothing else (`required`), else --config alone."""
    parser.add_argument("-c", "--config", metavar="CONFIG", required=required,
                        help="the config of configs/deeplab that it is a checkpoint of")
    if required:
        parser.add_argument("-o", "--output", metavar="DIR", required=True, help="folder for NAME.yaml and NAME.safetensors")
        parser.add_argument("--name", type=model_name, help="of the model; default: the config's")
        parser.add_argument("--labels", metavar="SET|FILE", help="where the checkpoint's classes are not the config's")


def write_with_config(options, tensors):
    """`tensors`: arrays in floating point by the config's names. Returns the written config's path."""
    name = options.name or options.config
    label_key, files = labels(options, None)
    text = config_text(options.config, name, label_key)
    for key, array in tensors.items():
        if array.dtype.kind != "f":
            raise Refusal(f"tensor '{key}' is of type {array.dtype}, not floating point")
    tensors = {key: array.astype(np.float16 if array.dtype == np.float16 else np.float32) for key, array in tensors.items()}
    config = os.path.join(options.output, name + ".yaml")
    contents = {os.path.join(options.output, path): [content] for path, content in files.items()}
    contents[os.path.join(options.output, name + ".safetensors")] = safetensors_bytes(tensors)
    contents[config] = [text.encode()]
    write_files(contents)
    return config
