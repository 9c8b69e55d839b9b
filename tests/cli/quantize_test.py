# SPDX-License-Identifier: Apache-2.0
"""atrous quantize, and what it writes, as a user meets them. Needs NumPy.

Usage: quantize_test.py PATH_OF_ATROUS
"""
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import unittest

import numpy as np

import cli_test
from cli_test import PROGRAM, SOURCE, read_mask

SAMPLES = SOURCE / "tools/samples"
PHOTOS = pathlib.Path(os.environ.get("ATROUS_SHARED_DIR", "../shared")) / "data/ccp/photos"
CONFIG = """name: toy
description: a toy
labels: toy_labels
input: {policy: stretch, size: 33}
weights: toy.safetensors
accuracy: {mean_iou: 0.5}
use: [toy_blocks.yaml]
network:
  - {name: stem, op: conv2d, out: 8, kernel: 3}
  - {name: body, block: unit, out: 8}
  - {name: logits, op: conv2d, out: 2}
"""
BLOCKS = """unit:
  parameters: {out: 4}
  nodes:
    - {name: act, op: relu}
    - {name: conv, op: conv2d, out: $out, kernel: 3}
    - {name: last, op: relu}
"""


def read_tensors(path):
    data = path.read_bytes()
    size, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    return {name: (entry["dtype"], entry["shape"], data[8 + size + entry["data_offsets"][0]:8 + size + entry["data_offsets"][1]])
            for name, entry in header.items()}


def write_tensors(path, tensors):
    header, payload = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(payload), len(payload) + len(content)]}
        payload += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + payload)


def floats(values):
    values = np.asarray(values, np.float32)
    return "F32", list(values.shape), values.tobytes()


def field(number, value):
    """One field of a protocol buffer: a whole number, or bytes."""
    def varint(n):
        return bytes([n & 127 | 128]) + varint(n >> 7) if n > 127 else bytes([n])
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def toy_onnx():
    """Three convolutions with a relu behind each of the first two."""
    random, nodes, tensors = np.random.default_rng(1), b"", b""
    for i, (out, into) in enumerate(((8, 3), (8, 8), (2, 8))):
        names = [f"x{2 * i - 1}" if i else "x", f"w{i}", f"x{2 * i}"]
        pads = field(1, b"pads") + b"".join(field(8, 1) for _ in range(4)) + field(20, 7)
        nodes += field(1, field(1, names[0].encode()) + field(1, names[1].encode()) + field(2, names[2].encode()) +
                       field(4, b"Conv") + field(5, pads))
        if i < 2:
            nodes += field(1, field(1, names[2].encode()) + field(2, f"x{2 * i + 1}".encode()) + field(4, b"Relu"))
        shape = b"".join(field(1, extent) for extent in (out, into, 3, 3))
        weight = random.normal(0, 0.3, (out, into, 3, 3)).astype(np.float32)
        tensors += field(5, shape + field(2, 1) + field(8, names[1].encode()) + field(9, weight.tobytes()))

    def value(name, *extents):
        dims = b"".join(field(1, field(1, e) if isinstance(e, int) else field(2, e)) for e in extents)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))
    graph = nodes + field(2, b"toy") + tensors + field(11, value(b"x", 1, 3, b"h", b"w")) + field(12, value(b"x4"))
    return field(1, 8) + field(7, graph) + field(8, field(1, b"") + field(2, 17))


def can_int8(folder):
    """Whether this processor can; what the program says where it cannot."""
    done = subprocess.run([PROGRAM, "inspect", "--precision", "int8", "--device", "cpu"], capture_output=True, cwd=folder)
    said = done.stderr.decode()
    return "VNNI" not in said, said


class Quantize(cli_test.Program):
    def setUp(self):
        super().setUp()
        able, said = can_int8(self.folder)
        if not able:
            self.skipTest(said)

    def toy(self):
        """A model that needs files beside it."""
        random = np.random.default_rng(1)
        (self.folder / "source/labels").mkdir(parents=True)
        (self.folder / "source/toy.yaml").write_text(CONFIG)
        (self.folder / "source/toy_blocks.yaml").write_text(BLOCKS)
        (self.folder / "source/labels/toy_labels.yaml").write_text("name: toy\nclasses: [\"no\", \"a,b\"]\n")
        weights = {"stem.weight": (8, 3, 3, 3), "body.conv.weight": (8, 8, 3, 3), "logits.weight": (2, 8, 1, 1)}
        write_tensors(self.folder / "source/toy.safetensors",
                      {name: floats(random.normal(0, 0.3, shape)) for name, shape in weights.items()})
        return self.folder / "source/toy.yaml"

    def quantize(self, *words):
        done = self.run_atrous("quantize", *words, "-q")
        agreement = re.search(r"agreement\s+([\d.]+) %", done.stdout.decode())
        return float(agreement[1]), done.stdout.decode()

    def test_the_model_is_whole_and_runs_on_8_bits(self):
        agreement, said = self.quantize(self.toy(), self.photos(), "-o", "out")
        self.assertGreater(agreement, 90)
        self.assertIn("convolutions 2 on 8 bits, 1 as they were", said)
        shutil.rmtree(self.folder / "source")
        self.assertEqual(sorted(f.name for f in (self.folder / "out").iterdir()), ["model.safetensors", "model.yaml"])
        tensors = read_tensors(self.folder / "out/model.safetensors")
        self.assertEqual({name: dtype for name, (dtype, _, _) in tensors.items()},
                         {"stem.weight": "F32", "body.conv.weight": "I8", "body.conv.weight_scale": "F32",
                          "logits.weight": "I8", "logits.weight_scale": "F32"})
        self.assertLessEqual(np.abs(np.frombuffer(tensors["body.conv.weight"][2], np.int8).astype(int)).max(), 127)
        plan = json.loads(self.run_atrous("inspect", "out/model.yaml", "--plan", "--json").stdout)
        self.assertEqual((plan["name"], plan["labels"]), ("toy-int8", ["no", "a,b"]))
        self.assertEqual([(s["node"], s["op"], s["type"]) for s in plan["plan"]],
                         [("stem", "conv2d", "f32"), ("stem.u8", "convert", "u8"), ("body.conv", "conv2d", "u8"),
                          ("logits", "conv2d", "f32")])
        masks = {}
        for precision in ("auto", "int8", "fp32"):
            self.run_atrous("segment", "photos", "-m", "out/model.yaml", "-o", precision, "--precision", precision, "-q")
            masks[precision] = self.read_folder(precision)
        self.assertEqual(masks["auto"], masks["int8"])
        self.assertEqual(len(masks["fp32"]), 4)

    def test_an_onnx_model(self):
        (self.folder / "net.onnx").write_bytes(toy_onnx())
        agreement, said = self.quantize("net.onnx", self.photos(), "-o", "out")
        self.assertGreater(agreement, 90)
        self.assertIn("convolutions 2 on 8 bits, 1 as they were", said)
        self.run_atrous("segment", "photos", "-m", "out/model.yaml", "-o", "masks", "--precision", "int8", "-q")

    def test_the_same_bytes_twice_and_options(self):
        model, photos = self.toy(), self.photos()
        self.quantize(model, photos, "-o", "one", "--threads", 1)
        self.quantize(model, photos, "-o", "two", "--threads", 2)
        self.assertEqual(self.read_folder("one"), self.read_folder("two"))
        self.quantize(model, photos, "-o", "entropy", "--calibration", "entropy")
        self.quantize(model, photos, "-o", "half", "--percentile", 60)
        ranges = {name: re.search(r"ranges: .*", (self.folder / name / "model.yaml").read_text())[0]
                  for name in ("one", "entropy", "half")}
        self.assertEqual(len(set(ranges.values())), 3, ranges)

    def test_labels_give_the_accuracy(self):
        model, photos = self.toy(), self.photos()
        self.run_atrous("segment", photos, "-m", model, "-o", "truth", "-q")
        _, said = self.quantize(model, photos, "-o", "out", "--labels", "truth")
        self.assertRegex(said, r"accuracy +mIoU 0\.\d+, fp32 1\.0000; pixels 0\.\d+, fp32 1\.0000; over 4 label maps")
        (self.folder / "names.txt").write_text("a,b no")  # the ids the other way round
        self.assert_refused("quantize", model, "nowhere", "-o", "names.txt", naming="names.txt/model.yaml: cannot be written")
        _, said = self.quantize(model, photos, "-o", "out", "--labels", "truth", "--label-names", "names.txt")
        self.assertRegex(said, r"fp32 0\.0000; pixels 0\.\d+, fp32 0\.0000; over 4 label maps")
        self.assert_refused("quantize", model, photos, photos, "-o", "other", "--labels", "truth", "-q",
                            naming="one folder of images, not to 2 inputs")
        self.assert_refused("quantize", model, photos, "-o", "other", "--labels", "source", "-q", naming="source")

    def test_a_broken_photo_is_named_and_the_others_serve(self):
        model, photos = self.toy(), self.photos()
        (photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
        done = self.run_atrous("quantize", model, photos, "-o", "out", "-q", status=1)
        self.assertIn("images       4\n", done.stdout.decode())
        self.assertIn("broken.png", done.stderr.decode())

    def test_refusals(self):
        model, photos = self.toy(), self.photos()
        self.assert_refused("segment", photos, "-m", model, "-o", "out", "--precision", "int8",
                            naming="toy.yaml has no 8-bit weights with ranges (`atrous quantize` makes")
        self.assert_refused("quantize", model, "nowhere", "-o", "out", naming="nowhere")
        self.assert_refused("quantize", model, photos, "-o", "out", "--keep", "body", "-q", naming="no convolution 'body'")
        self.assert_refused("quantize", model, photos, "-o", "out", "--keep", "body.conv,logits", "-q",
                            naming="no convolution that gains")
        self.assert_refused("quantize", model, photos, "-o", "out", "--calibration", "luck", naming="luck")
        self.assertFalse((self.folder / "out").exists())
        self.quantize(model, photos, "-o", "done")
        self.assert_refused("quantize", "done/model.yaml", photos, "-o", "out", "-q", naming="on 8 bits already")

    def test_hostile_models(self):
        self.quantize(self.toy(), self.photos(), "-o", "out")
        weights, config = self.folder / "out/model.safetensors", self.folder / "out/model.yaml"
        tensors, text, name = read_tensors(weights), config.read_text(), "body.conv.weight_scale"

        def refused(naming):
            self.assert_refused("segment", "photos", "-m", config, "-o", "masks", naming=naming)
        for spoiled, naming in ((None, f"no tensor '{name}'"), (floats([0.1] * 7), "is [7], the node needs [8]"),
                                (floats([[0.1] * 8]), "is [1,8], the node needs [8]"),
                                (floats([0.1] * 7 + [0]), "finite values above 0 (element 7 is 0)"),
                                (floats([0.1, -1] + [0.1] * 6), "finite values above 0 (element 1 is -1)"),
                                (floats([np.nan] * 8), "finite values above 0 (element 0 is"),
                                (floats([np.inf] * 8), "finite values above 0 (element 0 is inf)"),
                                (("I8", [8], bytes(8)), "a scale is a real number"),
                                (("U8", [8], bytes(8)), "is of type U8")):
            write_tensors(weights, {**{n: t for n, t in tensors.items() if n != name},
                                    **({name: spoiled} if spoiled else {})})
            refused(naming)
        write_tensors(weights, {**tensors, "body.conv.weight": ("I8", [8, 8, 3, 2], bytes(8 * 8 * 3 * 2))})
        refused("is [8,8,3,2], the node needs [8,8,3,3]")
        write_tensors(weights, tensors)
        for bad in ("body.act: [1, 2]", "body.act: [0, .nan]", "body.act: [0]", "body.act: [0, 0]", "body: [0, 1]"):
            config.write_text(re.sub(r"body\.act: \[[^]]*\]", bad, text))
            refused("model.yaml:")
        config.write_text(text)
        self.run_atrous("segment", "photos", "-m", config, "-o", "masks", "-q")

    def test_the_embedded_model_keeps_its_labels(self):
        photos = sorted(PHOTOS.glob("*.jpg"))[:120:10] if PHOTOS.is_dir() else []
        if not photos:
            self.skipTest(f"{PHOTOS} is missing")
        agreement, said = self.quantize("clothing-lite0", *photos, "-o", "out")
        self.assertGreater(agreement, 95, said)
        self.run_atrous("segment", SAMPLES / "photographer.jpg", "-m", "out/model.yaml", "-o", "int8", "-q")
        self.run_atrous("segment", SAMPLES / "photographer.jpg", "-o", "fp32", "-q")
        int8, fp32 = (read_mask((self.folder / f"{p}/photographer.png").read_bytes())[0] for p in ("int8", "fp32"))
        self.assertGreater((int8 == fp32).mean(), 0.95)


if __name__ == "__main__":
    unittest.main()
