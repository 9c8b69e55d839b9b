# SPDX-License-Identifier: Apache-2.0
"""What tools/import/caffe.py refuses, and that broken files never make a traceback or a part of a model. Needs NumPy.

Usage: caffe_refusals_test.py NETWORK_SCORES (not run here; all tests of this folder are called alike).
"""
import argparse
import pathlib
import shutil
import sys
import tempfile
import unittest

import numpy as np

import caffe_files as files
import caffe_networks
import harness
from toy_caffe import ToyCaffe

sys.path.append(str(harness.SOURCE / "tools/import"))
import caffe  # noqa: E402
from refusal import Refusal  # noqa: E402

INPUT = 'input: "data"\ninput_dim: [1, 3, 20, 24]\n'


def pixels():
    return np.zeros((20, 24, 3), np.uint8)


def good():
    """(prototxt, caffemodel) of a small network with layers of several kinds."""
    toy = ToyCaffe(pixels())
    x = toy.relu(toy.scale(toy.batch_norm(toy.conv("data", 4, 3, pad=1))))
    toy.whole(toy.eltwise("SUM", toy.pool(x, "MAX", 3, 1, 1), toy.conv(x, 4)))
    return toy.text, files.caffemodel(toy.blobs, ("packed", "loose", "double", "legacy"))


def flipped(random, content, alphabet):
    result = bytearray(content)
    for at in random.integers(0, len(content), 3):
        result[at] = random.choice(alphabet)
    return bytes(result)


class Refusals(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def write(self, *contents):
        paths = self.folder / "net.prototxt", self.folder / "w.caffemodel"
        for path, content in zip(paths, contents):
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return paths

    def convert(self, text, model):
        """As the program does, without starting it."""
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        paths = self.write(text, model)
        options = argparse.Namespace(model=str(paths[0]), weights=str(paths[1]), output=str(self.folder / "out"), color="bgr",
                                     **dict.fromkeys(("config", "name", "labels", "mean", "std", "scale")))
        with np.errstate(all="ignore"):
            return caffe.convert(options)

    def assert_refused(self, text, model, *naming, words=()):
        done = harness.run_importer("caffe.py", *self.write(text, model), "-o", self.folder / "out", *words)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for part in naming:
            self.assertIn(part, done.stderr)
        self.assertFalse((self.folder / "out").exists())

    def test_lines_and_layers_are_named(self):
        text, model = good()
        line = f"net.prototxt:{text[:text.index('layer')].count(chr(10)) + 1}: "
        first = f"{line}layer 'convolution1' (Convolution): "
        for old, new, naming in (
                ("kernel_size: 3", "kernel_size: 5", [first, "blob 0 is [4, 3, 3, 3], not [4, 3, 5, 5]"]),
                ("kernel_size: 3", "kernel: 3", [first, "'kernel' is not supported in convolution_param; accepted: num_output, "]),
                ("num_output: 4", "num_output: 0", ["layer 'convolution1' (Convolution): 'num_output' is 0; accepted is a whole"]),
                ('"convolution1"', '"elsewhere"', ["layer 'elsewhere'", "no blobs"]),
                ('"convolution1"', '"c_${EXP}"', ["placeholder"]),
                ('"Convolution"', '"Deconvolution"', [line, "is not supported; accepted are Accuracy, ArgMax and", "Interp, LRN, "]),
                ('bottom: "data"', 'bottom: "date"', [first, "reads 'date', which nothing before it makes"]),
                ("use_global_stats: true", "use_global_stats: false", ["(BatchNorm)", "accepted is use_global_stats: true"]),
                ("pad_beg: 0", "pad_beg: -1", ["(Interp)", "pad_beg: 0"]),
                ("pool: MAX", "pool: STOCHASTIC", ["(Pooling)", "accepted are MAX, AVE"]),
                ("stride: 1", "stride: 2", ["(Eltwise)", "its bottoms are 4x11x13, 4x20x24"]),
                ("pad: 1\n  }", "pad: 3\n  }", ["(Pooling)", "above the padding"]),
                ("num_output: 4", "num_output: ${NUM_LABELS}", ["${NUM_LABELS}", "placeholder"]),
                ("input_dim: [1, 3,", "input_dim: [1, 4,", ["three channels"]),
                ("layer {", "layers { layer {", ["upgrade_net_proto_text"]),
                ("layer {", "layer { include { phase: TRAIN }", ["layer 'batchnorm2'", "reads 'convolution1'"])):
            with self.subTest(new):
                self.assertIn(old, text)
                self.assert_refused(text.replace(old, new, 1) + ("}" if "layers" in new else ""), model, *naming)

    def test_what_no_flip_of_a_word_shows(self):
        def refused(build, *naming, head=INPUT):
            toy = ToyCaffe(pixels(), head)
            toy.value["label"] = toy.value["data"]
            with np.errstate(invalid="ignore"):
                build(toy)
            self.assert_refused(toy.text, files.caffemodel(toy.blobs, ("packed",)), *naming)

        refused(lambda t: t.eltwise("SUM", t.conv("data", 3), "data", eltwise_param={"coeff": [1, -1]}), "coefficients of 1")
        refused(lambda t: t.layer("ArgMax", [t.conv("data", 3)]), "accepted is axis: 1")
        refused(lambda t: t.layer("Concat", [t.conv("data", 3)], concat_param={"axis": 2}), "accepted is axis: 1")
        refused(lambda t: t.layer("Silence", [t.conv("data", 3)], top=""), "makes an output")
        refused(lambda t: t.conv(t.conv("data", 3, name="a"), 3, name="a"), "has that name already")
        refused(lambda t: t.layer("Dropout", ["data"], blobs=[np.ones(1)]), "computes nothing")
        refused(lambda t: t.eltwise("SUM", t.conv("data", 3), "label"), "'label', which is not made from the image",
                head=INPUT + 'layer { name: "l" type: "Input" top: "label" input_param { shape { dim: [1, 3, 20, 24] } } }\n')
        refused(lambda t: t.batch_norm(t.conv("data", 3), blobs=[t.vector(3), -np.ones(3), np.ones(1)]), "variance")
        refused(lambda t: t.conv("data", 2, blobs=[np.full((2, 3, 1, 1), np.nan), np.ones(2)]), "finite")
        data = 'layer { name: "data" type: "ImageData" top: "data" %s }\n'
        refused(lambda t: t.inner_product("data", 4), "is [4, 1440], not [4, 789507]", head=data % "")
        refused(lambda t: t.conv("data", 4, 4, stride=3), "says no size", head=data % "")
        refused(lambda t: t.conv("data", 4), "mean_file", "--mean", head=data % 'transform_param { mean_file: "m" crop_size: 321 }')

    def test_files(self):
        text, model = good()
        for name, broken in (("net.prototxt:1: ", "layer {"), ("net.prototxt:2: ", 'name: "a"\ntype: "b'),
                             ("net.prototxt: ", b"\xff\xfe"), ("net.prototxt:1: ", "a { " * 40), ("net.prototxt:3: ", "\n\n:"),
                             ("net.prototxt:1: ", "layer: 3"), ("net.prototxt", ""), ("net.prototxt:1: ", "a: [1 2]")):
            with self.subTest(broken):
                self.assert_refused(broken, model, name)
        for broken in (b"", model[:len(model) // 2], model[:-1], text, b"\x00" * 40, b"\xff" * 40):
            with self.subTest(broken[:20]):
                self.assert_refused(text, broken, "w.caffemodel: ")
        self.assert_refused(model, text, "net.prototxt: is no text")     # the other way round
        self.assert_refused(text, model, "--name", words=("--name", "../x"))
        done = harness.run_importer("caffe.py", self.folder / "none.prototxt", "w", "-o", self.folder / "out")
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1))
        self.assertIn("none.prototxt", done.stderr)

    def test_weights_of_a_shipped_config(self):
        config = ("-c", "deeplabv1_largefov_vgg16")

        def refused(layers, naming, *words):
            path = self.folder / "w.caffemodel"
            path.write_bytes(files.caffemodel(layers, ("packed",)))
            done = harness.run_importer("caffe.py", path, "-o", self.folder / "out", *words)
            self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (2, "", 1), done.stderr)
            self.assertIn(naming, done.stderr)
            self.assertFalse((self.folder / "out").exists())
        weight, bias = np.ones((2, 3, 1, 1)), np.ones(2)
        good = [("conv1_1", [weight, bias])]
        refused(good, "WEIGHTS.caffemodel is missing")
        refused(good, "the only file", self.folder / "w.caffemodel", *config)
        refused(good, "--mean", *config, "--mean", "1")
        refused(good, "no known names", "-c", "deeplabv2_resnet101")
        refused(good, "no known names", "-c", "nothing")
        refused([("conv1_1b", [weight, bias])], "layer 'conv1_1b' is none of deeplabv1_largefov_vgg16", *config)
        refused([("fc6_1", [weight, bias])], "layer 'fc6_1' is none of deeplabv1_largefov_vgg16", *config)
        refused([("fc6", [weight])], "'fc6' has 1 blobs", *config)
        refused([("fc6", [bias, bias])], "'fc6' has shape [2]", *config)

    def test_mutations(self):
        """Cut anywhere and changed anywhere, both files: a Refusal of one line, or a whole model."""
        text, model = good()
        text = text.encode()
        self.convert(text, model)
        old_text = caffe_networks.SEG_DATA.encode() + text[text.index(b"layer"):].replace(b"layer {", b"layers {")
        random, refused = np.random.default_rng(9), 0
        words = list(b'{}<>[]:;,"\\#.-+019 aLx$\n\xff')
        cases = [(source[:n], model) for source in (text, old_text) for n in random.integers(0, len(source), 40)]
        cases += [(text, model[:n]) for n in random.integers(0, len(model), 60)]
        cases += [(flipped(random, source, words), model) for source in (text, old_text) for _ in range(250)]
        cases += [(text, flipped(random, model, [0, 1, 2, 8, 0x22, 0x2d, 0x7f, 0x80, 0xff])) for _ in range(500)]
        for case in cases:
            try:
                self.convert(*case)
            except Refusal as refusal:
                self.assertEqual(len(str(refusal).splitlines()), 1)
                self.assertFalse((self.folder / "out").exists())
                refused += 1
        self.assertGreater(refused, len(cases) // 3)


if __name__ == "__main__":
    harness.main()
