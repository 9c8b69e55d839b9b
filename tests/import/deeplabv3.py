# SPDX-License-Identifier: Apache-2.0
"""DeepLabv3 on MobileNetV2 as released with TensorFlow Lite, in its runtime, and what that made of a photo once.

As a program it writes that record anew: deeplabv3.py PHOTO (needs ai-edge-litert and Pillow from PyPI). The one here is
of tools/samples/grace_hopper.jpg, by ai-edge-litert 2.3.0.
"""
import os
import pathlib
import sys

import numpy as np

FOLDER = pathlib.Path(os.environ.get("ATROUS_SHARED_DIR", "../shared")) / "data/models/deeplabv3_mnv2_voc"
FLOAT, QUANTISED = FOLDER / "deeplabv3_257_mv_gpu.tflite", FOLDER / "deeplabv3_mnv2_dm05_pascal_quant.tflite"
RECORD = pathlib.Path(__file__).parent / "data/deeplabv3_257.npz"
STEP = 16   # the record keeps the logits of every 16th pixel


def read_photo(path, height, width):
    from PIL import Image
    with Image.open(path) as photo:
        return np.asarray(photo.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))


class Runtime:
    """A .tflite file in TensorFlow Lite's own interpreter."""

    def __init__(self, model):
        from ai_edge_litert.interpreter import Interpreter
        self.interpreter = Interpreter(str(model))
        self.interpreter.allocate_tensors()
        self.input, self.output = self.interpreter.get_input_details()[0], self.interpreter.get_output_details()[0]
        self.height, self.width = self.input["shape"][1:3]

    def run(self, pixels):
        """[h, w, classes] or [h, w] of u8 pixels [h, w, 3]."""
        value = pixels if self.input["dtype"] == np.uint8 else (pixels / 127.5 - 1).astype(np.float32)
        self.interpreter.set_tensor(self.input["index"], value[None])
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.output["index"])[0]


def read_record():
    """u8 pixels [257, 257, 3], and the logits of its every 16th pixel [17, 17, 21]."""
    with np.load(RECORD) as record:
        return enlarge(record["photo"]), record["logits"]


def enlarge(photo):
    return photo.repeat(3, 0).repeat(3, 1)[:257, :257]


if __name__ == "__main__":
    small = read_photo(sys.argv[1], 86, 86)
    np.savez_compressed(RECORD, photo=small, logits=Runtime(FLOAT).run(enlarge(small))[::STEP, ::STEP])
