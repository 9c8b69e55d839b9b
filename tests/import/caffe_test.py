# SPDX-License-Identifier: Apache-2.0
"""tools/import/caffe.py on networks built here: what the engine then computes, and what the config says.

Usage: caffe_test.py NETWORK_SCORES. Needs NumPy.
"""
import json
import pathlib
import sys
import tempfile
import unittest

import numpy as np

import caffe_networks
import harness
from caffe_files import Word, caffemodel
from toy_caffe import ToyCaffe

PROGRAM = sys.argv[1]


def picture(height=33, width=42):
    return np.random.default_rng(5).integers(0, 256, (height, width, 3)).astype(np.uint8)


class CaffeTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def load(self, toy, *words, styles=("packed",)):
        return harness.import_model("caffe.py", *toy.write(self.folder, styles), "-o", self.folder / "out", *words)

    def assert_computes(self, toy, top, pixels, *words, styles=("packed",)):
        config = self.load(toy, *words, styles=styles)
        scores, expected = harness.network_scores(PROGRAM, config, pixels, self.folder), toy.expected(top)
        self.assertEqual(scores.shape, expected.shape)
        self.assertGreater(np.ptp(expected), 0.1)
        self.assertLess(np.abs(scores - expected).max() / np.abs(expected).max(), 1e-4)
        return config

    def test_layers(self):
        for build in caffe_networks.LAYERS:
            with self.subTest(build.__name__):
                toy = ToyCaffe(picture())
                self.assert_computes(toy, toy.whole(build(toy)), picture())

    def test_forms_of_blobs(self):
        for style in ("packed", "loose", "double", "legacy"):
            with self.subTest(style):
                toy = ToyCaffe(picture())
                self.assert_computes(toy, toy.whole(caffe_networks.dense(toy)), picture(), styles=(style,))

    def test_largefov(self):
        pixels = picture(97, 100)   # padded to 97x105
        toy, scores = caffe_networks.largefov(pixels)
        text = self.assert_computes(toy, scores, pixels, styles=("legacy",)).read_text()
        self.assertIn("input: {color: bgr, scale: 1, mean: [104.008, 116.669, 122.675], std: [1, 1, 1], policy: native, size: 513, "
                      "multiple: 8,", text)
        self.assertIn("\nresize: align_corners\nfusion: max\n", text)
        self.assertIn("--crf", text)
        self.assertTrue(text.endswith("  - {name: fc8_voc12, op: conv2d, out: 5, bias: true}\n"), text)
        self.assertIn("- {name: fc6, op: conv2d, out: 8, kernel: 3, dilation: 12, bias: true}\n", text)

    def test_shipped_configs_take_weights_alone(self):
        """Full-size blobs under the release's names become the tensors of the shipped config, and the engine runs them."""
        random = np.random.default_rng(4)

        def layer(name, out, channels, kernel):
            weight = random.standard_normal((out, channels, kernel, kernel), np.float32) / np.sqrt(channels * kernel ** 2 / 2)
            return name, [weight, random.standard_normal(out, np.float32) / 9]
        plan = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
        channels, backbone = 3, []
        for stage, widths in enumerate(plan, 1):
            for i, out in enumerate(widths, 1):
                backbone.append(layer(f"conv{stage}_{i}", out, channels, 3))
                channels = out

        def branch(end):
            return [layer(f"fc6{end}", 1024, 512, 3), layer(f"fc7{end}", 1024, 1024, 1), layer(f"fc8_voc12{end}", 21, 1024, 1)]
        heads = {"deeplabv1_largefov_vgg16": branch(""), "deeplabv2_vgg16_aspp_l": sum((branch(f"_{i}") for i in range(1, 5)), [])}
        for config, head in heads.items():
            with self.subTest(config):
                (self.folder / "train2.caffemodel").write_bytes(caffemodel(backbone + head, ("packed",)))
                made = harness.import_model("caffe.py", self.folder / "train2.caffemodel", "-c", config, "-o", self.folder / "out")
                scores = harness.network_scores(PROGRAM, made, picture(), self.folder)
                self.assertEqual(scores.shape, (33, 42, 21))
                self.assertTrue(np.isfinite(scores).all() and np.ptp(scores) > 0.1)
                self.assertNotIn("weights_from", made.read_text())
        stored = harness.read_safetensors(made.with_suffix(".safetensors"))
        np.testing.assert_array_equal(stored["backbone.conv4_2.conv.weight"], dict(backbone)["conv4_2"][0])
        np.testing.assert_array_equal(stored["aspp.3.fc7.conv.bias"], dict(head)["fc7_3"][1])
        np.testing.assert_array_equal(stored["aspp.4.fc8.weight"], dict(head)["fc8_voc12_4"][0])

    def test_multi_scale(self):
        pixels = picture(60, 70)    # padded to 65x97
        toy, scores = caffe_networks.multi_scale(pixels)
        everything = list(toy.blobs)
        config = self.assert_computes(toy, scores, pixels)
        text = config.read_text()
        self.assertIn("weights: bn_res5a_branch2c}", text)
        self.assertIn("policy: native, size: 513, multiple: 32, offset: 1}", " ".join(text.split()))
        header = config.with_suffix(".safetensors").read_bytes()
        names = json.loads(header[8:8 + int.from_bytes(header[:8], "little")])
        self.assertFalse([name for name in names if "res05" in name or "res075" in name])
        # a file of the network for one scale has the first's layers only
        toy.blobs = [(name, arrays) for name, arrays in everything if "_res0" not in name]
        self.assertLess(len(toy.blobs), len(everything))
        self.assert_computes(toy, scores, pixels)

    def test_the_end_is_left_to_the_engine(self):
        for ends in (["Softmax"], ["ArgMax"], ["Softmax", "ArgMax"], ["DenseCRF", "ArgMax"], ["Dropout"]):
            with self.subTest(ends):
                toy = ToyCaffe(picture())
                scores = x = toy.whole(toy.conv("data", 4, 3, stride=2, name="scores"))
                for kind in ends:
                    x = toy.layer(kind, [x], **({"argmax_param": {"axis": 1}} if kind == "ArgMax" else {}))
                text = self.assert_computes(toy, scores, picture()).read_text()
                self.assertIn("{name: scores, op: conv2d, out: 4,", text.splitlines()[-1])

    def test_the_last_output_counts(self):
        toy = ToyCaffe(picture())
        toy.conv("data", 2)
        scores = toy.conv("data", 4)
        toy.layer("Silence", [toy.conv("data", 3)], top="")
        toy.conv("data", 6, include=[{"phase": Word("TRAIN")}, {"stage": "deploy"}])
        toy.conv("data", 6, exclude={"phase": Word("TEST")})
        self.assert_computes(toy, scores, picture())

    def test_pixels_and_size(self):
        data = ('layer { name: "data" type: "MemoryData" top: "data" top: "label" memory_data_param { batch_size: 1 channels: 3 '
                'height: 33 width: 42 } transform_param { scale: 0.5 %s } }\n')

        def imported(pixels, *words):
            toy = ToyCaffe(picture(), data % pixels)
            toy.whole(toy.conv("data", 3))
            return " ".join(self.load(toy, *words).read_text().split())
        size = "policy: stretch, size: [33, 42]}"
        self.assertIn("input: {color: bgr, scale: 0.5, mean: [5, 10, 15], std: [1, 1, 1], " + size,
                      imported("mean_value: [10, 20, 30]"))
        self.assertIn("mean: [4, 4, 4], std: [1, 1, 1], " + size, imported("mean_value: 8"))
        self.assertIn("mean: [104.008, 116.669, 122.675]", imported(""))
        self.assertIn("{color: rgb, scale: 0.5, mean: [122.675, 116.669, 104.008]", imported("", "--color", "rgb"))
        self.assertIn("{color: bgr, scale: 1/255, mean: [1, 2, 3], std: [2, 2, 2]",
                      imported('mean_file: "a"', "--mean", "1,2,3", "--scale", "1/255", "--std", "2"))

    def test_name_and_labels(self):
        toy = ToyCaffe(picture())
        toy.conv("data", 3)
        (self.folder / "names.txt").write_text("sky\nroad\ntree\n")
        config = self.load(toy, "--labels", self.folder / "names.txt")
        self.assertIn("name: toy\n", config.read_text())
        self.assertIn("labels: {classes: [sky, road, tree]}\n", config.read_text())
        self.assertEqual(self.load(toy, "--name", "street").name, "street.yaml")
        self.assertEqual(sorted(f.suffix for f in (self.folder / "out").iterdir()), [".safetensors"] * 2 + [".yaml"] * 2)


if __name__ == "__main__":
    harness.main()
