"""Writes a checkpoint's averaged weights as float16 safetensors."""
import argparse
import json
import struct

import torch


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("output")
    options = parser.parse_args()
    state = torch.load(options.checkpoint, map_location="cpu")["average"]
    header, payload = {}, b""
    for name, tensor in sorted(state.items()):
        if name.endswith("num_batches_tracked"):
            continue
        data = tensor.to(torch.float16).contiguous().numpy().tobytes()
        header[name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": [len(payload), len(payload) + len(data)]}
        payload += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(options.output, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + payload)


if __name__ == "__main__":
    main()
