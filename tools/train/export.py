"""Writes a checkpoint's averaged weights as float16 safetensors."""
import argparse

import torch

import tensor_file


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("output")
    options = parser.parse_args()
    state = torch.load(options.checkpoint, map_location="cpu")["average"]
    tensor_file.write_half(options.output, {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")})


if __name__ == "__main__":
    main()
