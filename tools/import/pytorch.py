#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a config and weights from a PyTorch checkpoint of a network that configs/deeplab has. Needs NumPy, not PyTorch; README.md
lists the checkpoints it knows."""
import os
import re

import numpy as np

from model_writer import flow, safetensors_bytes, write_files
from options import Parser, labels, model_name, run_importer
from pytorch_names import renamed
from refusal import Refusal
from torch_file import read_tensors

CONFIGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../configs/deeplab")


def config_text(config, name, label_key):
    """The shipped config under another name, and with other labels where they are given."""
    path = os.path.join(CONFIGS, config + ".yaml")
    if not os.path.isfile(path):
        known = ", ".join(sorted(entry[:-5] for entry in os.listdir(CONFIGS) if entry.endswith(".yaml")))
        raise Refusal(f"--config {config}: there is none of that name (there are {known})")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    changes = {"name": name, "weights": name + ".safetensors"}
    if label_key is not None:
        changes["labels"] = flow(label_key)
    for key, value in changes.items():
        text = re.sub(rf"(?m)^{key}:.*$", lambda _, line=f"{key}: {value}": line, text)
    return text


def floating(name, tensor):
    array = tensor.array()
    if array.dtype.kind != "f":
        raise Refusal(f"tensor '{name}' is of type {array.dtype}, not floating point")
    return array.astype(np.float16 if array.dtype == np.float16 else np.float32)


def convert(options):
    name = options.name or options.config
    label_key, files = labels(options, None)
    text = config_text(options.config, name, label_key)
    tensors = {key: floating(key, tensor) for key, tensor in renamed(read_tensors(options.model), options.config).items()}
    config = os.path.join(options.output, name + ".yaml")
    contents = {os.path.join(options.output, path): [content] for path, content in files.items()}
    contents[os.path.join(options.output, name + ".safetensors")] = safetensors_bytes(tensors)
    contents[config] = [text.encode()]
    write_files(contents)
    return config


def make_parser():
    parser = Parser(description="Makes a config and weights from a PyTorch checkpoint of a network that configs/deeplab has.")
    parser.add_argument("model", metavar="MODEL.pth")
    parser.add_argument("-c", "--config", metavar="CONFIG", required=True, help="the config of configs/deeplab that it is a checkpoint of")
    parser.add_argument("-o", "--output", metavar="DIR", required=True, help="folder for NAME.yaml and NAME.safetensors")
    parser.add_argument("--name", type=model_name, help="of the model; default: the config's")
    parser.add_argument("--labels", metavar="SET|FILE", help="where the checkpoint's classes are not the config's")
    return parser


if __name__ == "__main__":
    run_importer(make_parser(), convert)
