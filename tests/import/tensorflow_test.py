# SPDX-License-Identifier: Apache-2.0
"""tools/import/tensorflow.py on graphs built here: what the engine then computes, what the config says, and what is refused.

Usage: tensorflow_test.py NETWORK_SCORES. Needs NumPy.
"""
import importlib.util
import pathlib
import re
import sys
import tempfile
import unittest

import numpy as np

import harness
import tensorflow_reference as tf
from tensorflow_networks import Zoo
from toy_tensorflow import Extents, ToyGraph, Type

try:
    import tensorflow as runtime
except ImportError:
    runtime = None

sys.path.append(str(harness.SOURCE / "tools/import"))
specification = importlib.util.spec_from_file_location("importer", harness.SOURCE / "tools/import/tensorflow.py")
program = importlib.util.module_from_spec(specification)
specification.loader.exec_module(program)

PROGRAM = sys.argv[1]
HEIGHT, WIDTH = 33, 42


def picture(height=HEIGHT, width=WIDTH):
    return np.random.default_rng(5).integers(0, 256, (height, width, 3)).astype(np.uint8)


def encoder(toy, x):
    """Units with fused norms, both encodings of a rate, image pooling."""
    x = toy.unary("Relu6", toy.norm(toy.conv(x, 8, (3, 3), (2, 2), scope="net/stem"), "net/stem"))
    for i, stride in enumerate((2, 1, 1)):
        scope = f"net/unit_{i}"
        wide = toy.unary("Relu6", toy.norm(toy.conv(x, 12, scope=scope + "/expand"), scope + "/expand", kind="FusedBatchNormV3"))
        deep = toy.conv(wide, 0, (3, 3), (stride, stride), scope=scope + "/depthwise", multiplier=1)
        deep = toy.unary("Relu6", toy.norm(deep, scope + "/depthwise"))
        thin = toy.norm(toy.conv(deep, 8, scope=scope + "/project"), scope + "/project")
        x = thin if i == 0 else toy.node("AddV2", [thin, x], toy.value[thin] + toy.value[x], scope + "/add")
    height, width = toy.shape(x)[1:3]
    mean = toy.node("Mean", [x, toy.const([1, 2])], toy.value[x].mean((1, 2), keepdims=True), keep_dims=True)
    branches = [toy.resize(toy.conv(mean, 6, bias=True), height, width), toy.conv(x, 6),
                toy.norm(toy.conv(x, 6, (3, 3), rate=(2, 2)), epsilon=1e-5), toy.bias(toy.atrous(x, 6, 3), "net/aspp"),
                toy.conv(toy.atrous(x, 0, 2, multiplier=1), 6)]
    return toy.conv(toy.concat(*branches), 5, scope="net/logits", bias=True)


def pools(toy, x):
    x = toy.conv(x, 4, (3, 3), (2, 2))
    x = toy.pool("MaxPool", x, (3, 2), (2, 1))
    return toy.pool("AvgPool", toy.pool("MaxPool", x, (2, 2), (1, 1), "VALID"), (3, 3), (1, 2))


def arithmetic(toy, x):
    y = toy.conv(x, 4, bias=True)
    y = toy.binary("Add", y, toy.const([0.5, -1, 2, 0.0]))
    y = toy.binary("Mul", toy.const(1.5), y)
    y = toy.binary("Sub", toy.floats([[[[1, 2, 3, 4]]]]), y)
    swish = toy.binary("Mul", y, toy.unary("Sigmoid", toy.conv(y, 4)))      # as Keras writes it
    swish = toy.node("IdentityN", [swish, y], toy.value[swish], T=[Type("float32")] * 2)
    y = toy.binary("RealDiv", swish, toy.const([1.0, 2, 4, 5]))
    z = toy.binary("Minimum", toy.binary("Maximum", toy.unary("LeakyRelu", toy.conv(x, 4), alpha=0.3), toy.const(-0.2)), y)
    total = toy.node("AddN", [y, z, toy.unary("Tanh", y)], toy.value[y] + toy.value[z] + np.tanh(toy.value[y]), N=3)
    return toy.binary("Sub", total, toy.unary("Relu6", toy.unary("Relu", toy.conv(x, 4))))


def padded(toy, x):
    x = toy.conv(toy.pad(x, ((1, 1), (0, 1))), 4, (3, 3), (2, 2), padding="VALID")
    x = toy.pool("MaxPool", toy.pad(x, ((2, 0), (1, 3))), (2, 2), (1, 1), "VALID")
    w = toy.weights((3, 3, 4, 4))
    wide = np.pad(toy.value[x], ((0, 0), (2, 1), (0, 3), (0, 0)))
    made = tf.conv2d(wide, toy.value[w].transpose(3, 0, 1, 2), 0, padding="valid")
    x = toy.node("Conv2D", [x, w], made, strides=[1, 1, 1, 1], padding="EXPLICIT", explicit_paddings=[0, 0, 2, 1, 0, 3, 0, 0])
    return toy.conv(x, 4, (1, 5), (3, 1), rate=(1, 2))


def grouped(toy, x):
    return toy.conv(toy.conv(x, 0, (3, 3), multiplier=2), 4, (3, 3), groups=2)


def unfused_norm(toy, x):
    """gamma / sqrt(variance + eps) is computed by nodes, as older graphs do."""
    x = toy.conv(x, 4)
    gamma, beta, mean, variance = (toy.floats(toy.random.uniform(0.5, 1.5, 4)) for _ in range(4))
    scale = toy.node("Mul", [toy.node("Rsqrt", [toy.node("Add", [variance, toy.const(0.001)])]), gamma])
    factor = toy.value[gamma] / np.sqrt(toy.value[variance] + 0.001)
    shift = toy.node("Sub", [beta, toy.node("Mul", [mean, scale])])
    y = toy.node("Mul", [x, scale], toy.value[x] * factor)
    return toy.node("Add", [y, shift], toy.value[y] + toy.value[beta] - toy.value[mean] * factor)


def reshaped(toy, x):
    """Values that a Squeeze and an ExpandDims or a Reshape bring back to what they were, and a mean over channels."""
    x = toy.conv(x, 4)
    pooled = toy.node("Mean", [x, toy.const([2, 1])], toy.value[x].mean((1, 2)), keep_dims=False)
    wide = toy.node("ExpandDims", [toy.node("ExpandDims", [pooled, toy.const(1)]), toy.const(-2)], toy.value[pooled][:, None, None])
    shape = toy.node("Pack", [toy.const(1), toy.const(1), toy.const(1), toy.const(-1)], axis=0, N=4)
    wide = toy.node("Reshape", [wide, shape], toy.value[wide])
    y = toy.binary("Mul", x, toy.unary("Sigmoid", toy.conv(wide, 4)))
    z = toy.node("Mean", [y, toy.const([-1])], toy.value[y].mean(3, keepdims=True), keep_dims=True)
    return toy.concat(y, z)


def upsampled(toy, x):
    """To an extent that is computed from another value's shape, half pixels, and from 1x1 by neither rule."""
    low = toy.conv(x, 4, (3, 3), (2, 2))
    y = toy.conv(low, 4, (3, 3), (4, 3))
    y = toy.resize(y, *toy.shape(low)[1:3], rule="half_pixel", size=toy.extent(low))
    z = toy.node("Mean", [low, toy.const([1, 2])], toy.value[low].mean((1, 2), keepdims=True), keep_dims=True)
    z = toy.node("ResizeBilinear", [z, toy.extent(low)], np.broadcast_to(toy.value[z], toy.shape(low)), align_corners=False)
    return toy.binary("Add", toy.binary("AddV2", y, low), z)


def constants_of_all_forms(toy, x):
    """Bytes, values one by one, one value for all, other types."""
    total, random = toy.conv(x, 3, bias=True), np.random.default_rng(1)
    for style in ("bytes", "packed", "loose", "filled"):
        for dtype in (np.float32, np.float64, np.float16, np.int64, np.uint8):
            value = np.full(3, 0.75, dtype) if style == "filled" else (3 * random.random(3)).astype(dtype)
            operand = toy.node("Cast", [toy.const(value, style=style)], DstT=Type("float32"))
            total = toy.node("Add", [total, operand], toy.value[total] + value.astype(float))
    return total


BUILDS = (encoder, pools, arithmetic, padded, grouped, unfused_norm, reshaped, upsampled, constants_of_all_forms)


class Folder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def write(self, content, name="graph.pb"):
        (self.folder / name).write_bytes(content)
        return self.folder / name

    def load(self, toy, *words):
        return harness.import_model("tensorflow.py", self.write(toy.bytes()), "-o", self.folder / "out", *words)

    def hold_against_tensorflow(self, toy, output, feeds):
        """The reference itself, where there is a TensorFlow."""
        if runtime is None:
            return
        definition = runtime.compat.v1.GraphDef()
        definition.ParseFromString(toy.bytes())
        with runtime.Graph().as_default() as graph:
            runtime.import_graph_def(definition, name="")
            with runtime.compat.v1.Session(graph=graph) as session:
                made = session.run(output + ":0", {name + ":0": value for name, value in feeds.items()})
        self.assertLess(np.abs(made - toy.value[output]).max() / np.abs(toy.value[output]).max(), 1e-4)

    def assert_computes(self, config, expected, pixels):
        scores = harness.network_scores(PROGRAM, config, pixels, self.folder)
        self.assertEqual(scores.shape, expected.shape)
        self.assertGreater(np.ptp(expected), 0.1)
        self.assertLess(np.abs(scores - expected).max() / np.abs(expected).max(), 1e-4)


class Graphs(Folder):
    def test_operators(self):
        for build in BUILDS:
            with self.subTest(build.__name__):
                toy = ToyGraph()
                logits = toy.resize(build(toy, toy.photo(picture())), HEIGHT, WIDTH)
                self.assert_computes(self.load(toy), toy.value[logits][0], picture())
                self.hold_against_tensorflow(toy, logits, {"photo": picture()[None]})

    def test_the_end_is_left_to_the_engine(self):
        for end in ("softmax", "argmax", "labels"):
            with self.subTest(end):
                toy = ToyGraph()
                x = logits = toy.resize(encoder(toy, toy.photo(picture())), HEIGHT, WIDTH)
                x = toy.node("Softmax", [x]) if end == "softmax" else toy.node("ArgMax", [x, toy.const(3)])
                if end == "labels":
                    x = toy.node("Cast", [toy.node("ExpandDims", [x, toy.const(3)])], DstT=Type("int32"))
                    x = toy.node("ResizeNearestNeighbor", [x, toy.const([7, 9])])
                config = self.load(toy)
                self.assert_computes(config, toy.value[logits][0], picture())
                self.assertIn("\nresize: align_corners\n", config.read_text())
                self.assertRegex(config.read_text(), r"\n  - \{name: logits, op: conv2d, out: 5, bias: true\}\n(blocks:|$)")

    def test_the_config_reads_well(self):
        toy = ToyGraph()
        toy.resize(encoder(toy, toy.photo(picture())), HEIGHT, WIDTH)
        config = self.load(toy, "--name", "mine", "--labels", "voc")
        text = config.read_text()
        self.assertIn("- {name: unit_1, block: unit}\n  - {name: unit_2, block: unit}\n", text)
        self.assertIn("dilation: 3, padding: same", text)       # the older encoding is gone
        self.assertIn("- {name: expand_BatchNorm, op: batch_norm, eps: 0.001}", text)
        self.assertIn("op: batch_norm}", text)                  # with the config's usual eps
        self.assertNotIn("Space", text)
        self.assertIn("\nlabels: voc\n", text)
        self.assertLessEqual(max(map(len, text.splitlines())), 120)
        names = harness.read_safetensors(config.with_suffix(".safetensors"))
        self.assertEqual(names["unit_1.depthwise.weight"].shape, (12, 1, 3, 3))
        self.assertEqual(names["unit_1.project_BatchNorm.running_var"].shape, (8,))

    def test_what_is_done_to_pixels(self):
        def head(*steps, pad=False):
            toy = ToyGraph()
            x = toy.node("Placeholder", (), picture()[None], "photo", shape=Extents([-1, HEIGHT, WIDTH, 3]))
            x = toy.node("Cast", [x], DstT=Type("float32"))
            if pad:
                x = toy.node("Pad", [x, toy.const([[0, 0], [0, 2], [0, 3], [0, 0]])])
            for op, value in steps:
                x = toy.node(op, [x, toy.const(value)])
            x = toy.node("Identity", [x], np.zeros((1, HEIGHT, WIDTH, 3)))
            toy.conv(toy.pad(x, ((1, 1), (1, 1))), 3, (3, 3), padding="VALID")
            text = " ".join(self.load(toy).read_text().split())
            return re.search(r"input: (\{[^}]*\})", text)[1]
        usual = "policy: stretch, size: [33, 42]}"
        self.assertEqual(head(), "{color: rgb, scale: 1, mean: [0, 0, 0], std: [1, 1, 1], " + usual)
        self.assertEqual(head(("Sub", 127.5), ("Mul", 0.0078125)),
                         "{color: rgb, scale: 0.0078125, mean: [0.99609375, 0.99609375, 0.99609375], std: [1, 1, 1], " + usual)
        self.assertEqual(head(("Sub", [1.0, 2.0, 3.0]), ("RealDiv", [2.0, 4.0, 8.0])),
                         "{color: rgb, scale: 1, mean: [1, 2, 3], std: [2, 4, 8], " + usual)
        self.assertEqual(head(("AddV2", -2.0), pad=True),
                         "{color: rgb, scale: 1, mean: [2, 2, 2], std: [1, 1, 1], policy: fit, size: 513}")
        toy = ToyGraph()
        x = toy.node("Placeholder", (), None, "photo", shape=Extents([1, -1, -1, 3]))
        x = toy.node("ReverseV2", [x, toy.const([3])], np.zeros((1, 9, 7, 3)))
        toy.conv(x, 3)
        self.assert_refused(toy, "what it does to pixels is not understood")
        text = " ".join(self.load(toy, "--mean", "1,2,3", "--size", "9x7", "--color", "bgr").read_text().split())
        self.assertIn("input: {color: bgr, scale: 1/255, mean: [1, 2, 3], std: [1, 1, 1], policy: stretch, size: [9, 7]}", text)

    def assert_refused(self, graph, naming, *words):
        content = graph if isinstance(graph, bytes) else graph.bytes()
        done = harness.run_importer("tensorflow.py", self.write(content), "-o", self.folder / "refused", *words)
        self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (2, "", 1), done.stderr)
        self.assertIn(naming, done.stderr)
        self.assertTrue(done.stderr.startswith(f"tensorflow.py: {self.folder}/graph.pb: "), done.stderr)
        self.assertFalse((self.folder / "refused").exists())

    def test_refusals(self):
        def refused(build, naming, *words):
            toy = ToyGraph()
            build(toy, toy.photo(picture()))
            with self.subTest(naming):
                self.assert_refused(toy, naming, *words)
        zeros = np.zeros((1, HEIGHT, WIDTH, 3))
        one = {"strides": [1, 1, 1, 1], "padding": "SAME"}
        refused(lambda t, x: t.node("Elu", [t.conv(x, 3)], name="late"), "node 'late' (Elu): is not supported; accepted are Add, AddN")
        refused(lambda t, x: (t.conv(x, 3), t.conv(x, 3)), "has 2 outputs")
        refused(lambda t, x: t.conv(x, 3), "--output-node none: there is no such node", "--output-node", "none")
        refused(lambda t, x: t.conv(x, 3, scope="a"), "'photo' (Placeholder): is fixed to 33x42, not --size 9x9", "--size", "9x9",
                "--input-node", "photo")
        refused(lambda t, x: t.binary("Add", t.conv(x, 3), t.conv("photo", 3)), "first convolutions read 2 values (normalised, photo)")
        refused(lambda t, x: t.node("Relu", [t.conv(x, 3), "gone"]), "reads 'gone', which is not there")
        refused(lambda t, x: t.node("Add", [t.conv(x, 3), "photo"]), "'photo' (Placeholder): is read beside the network's input")
        refused(lambda t, x: t.node("Relu", [t.conv(x, 3) + ":1"]), "another output than the first")
        refused(lambda t, x: t.node("Conv2D", [x, t.weights((1, 1, 3, 3))], data_format="NCHW", **one), "data_format NCHW")
        refused(lambda t, x: t.node("Conv2D", [x, t.weights((1, 1, 4, 3))], **one), "do not fit 3 input channels")
        refused(lambda t, x: t.node("Conv2D", [x, t.weights((99, 1, 3, 3))], **{**one, "padding": "VALID"}), "larger than its input")
        refused(lambda t, x: t.node("Conv2D", [x, t.floats(np.full((1, 1, 3, 3), np.nan))], **one), "NaN")
        refused(lambda t, x: t.node("Conv2D", [x, t.node("Relu", [x])], **one), "its input 1 is no constant")
        refused(lambda t, x: t.node("FusedBatchNorm", [t.conv(x, 3), *[t.floats(np.ones(3))] * 4], epsilon=0.1), "is in training")
        refused(lambda t, x: t.node("FusedBatchNorm", [t.conv(x, 3), *[t.floats(-np.ones(3))] * 4], is_training=False), "variance")
        refused(lambda t, x: t.node("ConcatV2", [t.conv(x, 3), x, t.const(1)]), "accepted is that of channels")
        refused(lambda t, x: t.node("Reshape", [t.conv(x, 3), t.const([5, -1])]), "makes shape")
        refused(lambda t, x: t.node("ResizeBilinear", [t.conv(x, 3), t.const([5, 5])]), "accepted is one of align_corners")
        refused(lambda t, x: t.node("ResizeBilinear", [t.conv(x, 3), t.const([0, 5])]), "extents from 1 to")
        refused(lambda t, x: t.node("Add", [t.conv(x, 3), t.const(np.ones((1, HEIGHT, WIDTH, 3), np.float32))]), "one a channel")
        refused(lambda t, x: t.node("BiasAdd", [t.conv(x, 3), t.node("Const", value=b"\x08\x07")]), "a constant of type 7")
        refused(lambda t, x: (t.node("Merge", [t.conv(x, 3), "back"], zeros, "start"), t.node("Relu", ["start"], name="back"),
                              t.node("Relu", ["back"])), "part of a loop")
        toy = ToyGraph()
        x = toy.node("Placeholder", (), np.zeros((1, 9, 700, 3)), "photo", shape=Extents([1, 9, -1, 3]))
        toy.pool("AvgPool", toy.conv(x, 3), (1, 600), (1, 600), "VALID")
        self.assert_refused(toy, "its window is larger than its input [1, 9, 513, 3]; its input is taken to be 9x513, --size says otherwise")
        self.assert_refused(toy, "is fixed to 9x?, not --size 8x700", "--size", "8x700")
        self.load(toy, "--size", "9x700")
        toy = ToyGraph()
        toy.photo(picture())
        self.assert_refused(toy, "first convolutions read 0 values")
        self.assert_refused(b"", "has 0 bytes")
        self.assert_refused(ToyGraph().bytes(), "is no frozen graph")
        self.assert_refused(b"words, and no graph at all", "is no part of the format")
        self.assert_refused(toy, "--config voc", "-c", "voc")

    def test_damaged_files(self):
        """Cut anywhere and changed anywhere: a refusal of one line, or a whole model."""
        toy = ToyGraph()
        toy.argmax(toy.resize(encoder(toy, toy.photo(picture())), HEIGHT, WIDTH, size=toy.extent("normalised")))
        content, random, refused = toy.bytes(), np.random.default_rng(2), 0
        cases = [content[:n] for n in random.integers(0, len(content), 60)]
        for _ in range(700):
            changed = bytearray(content)
            for at in random.integers(0, len(content), 3):
                changed[at] = random.choice([0, 1, 8, 0x7f, 0x80, 0xff, random.integers(256)])
            cases.append(bytes(changed))
        options = program.make_program().parse_args([str(self.folder / "graph.pb"), "-o", str(self.folder / "out")])
        for case in cases:
            self.write(case)
            try:
                with np.errstate(all="ignore"):     # as the program runs
                    program.convert(options)
            except ValueError as error:
                self.assertNotIn("\n", str(error))
                refused += 1
        self.assertGreater(refused, 100)


class ZooTest(Folder):
    """Whole graphs as TensorFlow's deeplab exports them: translated, and as weights of the shipped configs."""

    def shipped(self, zoo, name, side, output_stride):
        config = self.load(zoo, "-c", name)
        text = config.read_text()
        self.assertNotIn("weights_from", text)
        changed = text.replace("policy: fit, size: 513", f"policy: native, size: {side}").replace(
            "output_stride: 16", f"output_stride: {output_stride}")
        config.write_text(changed)
        return config

    def test_mobilenet_v2(self):
        for output_stride in (8, 16):
            with self.subTest(output_stride):
                pixels = picture(65, 65)
                zoo = Zoo(pixels)
                _, scores = zoo.end(zoo.pyramid(zoo.mobilenet_v2(output_stride), ()))
                config = self.load(zoo, "--name", "translated")
                text = " ".join(config.read_text().split())
                self.assertIn("input: {color: rgb, scale: 0.00784313772, mean: [1, 1, 1], std: [1, 1, 1], policy: fit, size: 65}", text)
                self.assertEqual("dilation: 4" in text, output_stride == 8)
                self.assertNotIn("size: [", text)   # every resize is to another value's extent
                self.assert_computes(config, zoo.value[scores][0], pixels)
                self.assert_computes(self.shipped(zoo, "deeplabv3_mobilenet_v2", 65, output_stride), zoo.value[scores][0], pixels)
                self.hold_against_tensorflow(zoo, scores, {"ImageTensor": pixels[None]})

    def test_xception_65(self):
        pixels = picture(33, 33)
        zoo = Zoo(pixels)
        features, low = zoo.xception_65()
        _, scores = zoo.end(zoo.decoder(zoo.pyramid(features, (6, 12, 18)), low))
        self.assert_computes(self.load(zoo, "--name", "translated"), zoo.value[scores][0], pixels)
        self.assert_computes(self.shipped(zoo, "deeplabv3plus_xception65", 33, 16), zoo.value[scores][0], pixels)
        self.hold_against_tensorflow(zoo, scores, {"ImageTensor": pixels[None]})

    def test_variables_of_another_network_are_named(self):
        zoo = Zoo(picture(17, 17))
        zoo.end(zoo.layer(zoo.image, 8, "MobilenetV2/Conv", 3))
        path = self.write(zoo.bytes())
        for config, naming in (("deeplabv3plus_xception65", "constant 'MobilenetV2/Conv/weights' is no variable of"),
                               ("fcn_resnet50", "have no known names; accepted are deeplabv3_mobilenet_v2")):
            done = harness.run_importer("tensorflow.py", path, "-o", self.folder / "out", "-c", config)
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)
            self.assertIn(naming, done.stderr)


if __name__ == "__main__":
    harness.main()
