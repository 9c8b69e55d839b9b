# SPDX-License-Identifier: Apache-2.0
"""A network for tests: output stride 8, then a convolution at a rate; no pooling over the map. Needs NumPy."""
import numpy as np

from cli_test import write_safetensors


def write_network(folder, settings, rate):
    """strides.yaml, whose other settings are these lines, and its weights."""
    random = np.random.default_rng(5)
    shapes = {"a.weight": (8, 3, 3, 3), "b.weight": (8, 8, 3, 3), "c.weight": (5, 8, 3, 3)}
    write_safetensors(folder / "strides.safetensors",
                      {name: random.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()})
    (folder / "strides.yaml").write_text(f"""name: strides
labels: 5
weights: strides.safetensors
{settings}
network:
  - {{name: a, op: conv2d, out: 8, kernel: 3, stride: 4}}
  - {{name: relu, op: relu}}
  - {{name: b, op: conv2d, out: 8, kernel: 3, stride: 2}}
  - {{name: c, op: conv2d, out: 5, kernel: 3, dilation: {rate}}}
""")
