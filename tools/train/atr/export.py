"""Writes a checkpoint as float16 safetensors: the averaged networks, the dictionaries, and the matrix that adds components to classes."""
import argparse
import os
import sys

import torch

sys.path.append(os.path.join(os.path.dirname(__file__), ".."))
import labels  # noqa: E402
import parts  # noqa: E402
import tensor_file  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("output")
    parser.add_argument("--labels", required=True, help="YAML label set")
    options = parser.parse_args()
    state = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
    tensors = {name: tensor for name, tensor in state["average"].items()
               if not name.endswith("num_batches_tracked")}
    tensors["fusion.weight"] = state["dictionary"]
    tensors["merge.weight"] = parts.merge_matrix(parts.load(), labels.names(options.labels))[:, :, None, None]
    tensor_file.write_half(options.output, tensors)
    print("templates:", state["counts"])


if __name__ == "__main__":
    main()
