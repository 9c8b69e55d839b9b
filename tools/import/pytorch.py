#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a config and weights from a PyTorch checkpoint of a network that configs/deeplab has. Needs NumPy, not PyTorch; README.md
lists the checkpoints it knows."""
from options import Parser, run_importer
from pytorch_names import renamed
from shipped_config import add_config_options, write_with_config
from torch_file import read_tensors


def convert(options):
    tensors = renamed(read_tensors(options.model), options.config)
    return write_with_config(options, {name: tensor.array() for name, tensor in tensors.items()})


def make_program():
    parser = Parser(description="Makes a config and weights from a PyTorch checkpoint of a network that configs/deeplab has.")
    parser.add_argument("model", metavar="MODEL.pth")
    add_config_options(parser, required=True)
    return parser


if __name__ == "__main__":
    run_importer(make_program(), convert)
