"""safetensors files as dictionaries of tensors."""
import json
import struct

import numpy as np
import torch

TYPES = {"F16": np.float16, "F32": np.float32}


def read(path):
    """{name: float32 tensor}"""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        payload = file.read()
    result = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            values = np.frombuffer(payload[begin:end], TYPES[entry["dtype"]]).reshape(entry["shape"])
            result[name] = torch.from_numpy(values.astype(np.float32))
    return result


def write_half(path, tensors):
    """{name: tensor} as float16, ordered by name."""
    header, payload = {}, b""
    for name, tensor in sorted(tensors.items()):
        data = tensor.to(torch.float16).contiguous().numpy().tobytes()
        header[name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": [len(payload), len(payload) + len(data)]}
        payload += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + payload)
