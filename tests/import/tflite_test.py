# SPDX-License-Identifier: Apache-2.0
"""tools/import/tflite.py on models built here: what the engine then computes, and what is refused.

Usage: tflite_test.py NETWORK_SCORES. Needs NumPy and flatbuffers (Debian: python3-flatbuffers).
"""
import json
import pathlib
import shutil
import sys
import tempfile
import unittest

import numpy as np

import harness

try:
    import flatbuffers  # noqa: F401, here to say clearly that it is missing
    from toy_model import ToyModel
except ImportError:
    ToyModel = None
try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    Interpreter = None

PROGRAM = sys.argv[1]
HEIGHT, WIDTH = 33, 42


def picture(height=HEIGHT, width=WIDTH):
    return np.random.default_rng(5).integers(0, 256, (height, width, 3)).astype(np.uint8)


def encoder(toy):
    """Two units at stride 4 and the pyramid of DeepLabv3, with the older and the newer encoding of a rate."""
    x = toy.conv(toy.input, 8, (3, 3), (2, 2), act="relu6", name="stem/Relu6")
    for i, stride in enumerate((2, 1, 1)):
        unit = f"unit_{i}"
        wide = toy.conv(x, 12, act="relu6", name=f"{unit}/expand/Relu6")
        deep = toy.conv(wide, 0, (3, 3), (stride, stride), multiplier=1, act="relu6", name=f"{unit}/depthwise/Relu6")
        thin = toy.conv(deep, 8, name=f"{unit}/project/BatchNorm/FusedBatchNorm")
        x = thin if i == 0 else toy.binary("ADD", thin, x, name=f"{unit}/add")
    height, width = toy.shape(x)[1:3]
    pooled = toy.conv(toy.reshape(toy.mean(x), [1, 1, 1, 8]), 6, act="relu")
    branches = [toy.resize(pooled, height, width), toy.conv(x, 6, act="relu"),
                toy.conv(x, 6, (3, 3), dilation=(2, 2), act="relu"),
                # 9 x 11 with SAME at rate 3 is padded by 3 on each side, and to multiples of 3
                toy.atrous(x, 3, ((3, 3), (3, 4)), ((0, 0), (0, 1)), out=6, kernel=(3, 3), padding="valid", act="relu")]
    return toy.conv(toy.concat(*branches), 5, name="logits/BiasAdd")


def decoded(toy, x):
    """Every model here ends with logits of the input's extent."""
    return toy.resize(x, HEIGHT, WIDTH)


def pools(toy):
    x = toy.conv(toy.input, 4, (3, 3), (2, 2))
    x = toy.pool(x, "MAX_POOL_2D", (3, 2), (2, 1))
    return toy.pool(x, "AVERAGE_POOL_2D", (3, 3), (1, 2))


def arithmetic(toy):
    x = toy.conv(toy.input, 4)
    x = toy.binary("ADD", x, toy.constant([0.5, -1, 2, 0]), "relu_n1_to_1")
    x = toy.binary("MUL", x, toy.constant(1.5))
    x = toy.binary("SUB", toy.constant([[[[1, 2, 3, 4]]]]), x)
    x = toy.binary("MUL", x, toy.unary("LOGISTIC", toy.conv(x, 4)))
    return toy.binary("SUB", x, toy.unary("RELU6", toy.unary("RELU", toy.conv(toy.input, 4))))


def padded(toy):
    """Keras' stride 2, a PAD that no convolution reads, and a kernel and stride that differ by axis."""
    x = toy.conv(toy.pad(toy.input, ((1, 1), (0, 1))), 4, (3, 3), (2, 2), padding="valid")
    x = toy.pool(toy.pad(x, ((2, 0), (1, 3))), "MAX_POOL_2D", (2, 2), (1, 1), "valid")
    return toy.conv(x, 4, (1, 5), (3, 1), dilation=(1, 2))


def grouped(toy):
    """A multiplier, groups, and weights in half precision."""
    x = toy.conv(toy.input, 0, (3, 3), multiplier=2)
    x = toy.conv(x, 4, (3, 3), groups=2)
    weight, bias = toy.half_precision(toy.weights(3, 1, 1, 4)), toy.constant([1, 2, 3])
    value = np.einsum("nhwi,oi->nhwo", toy.value[x], toy.value[weight][:, 0, 0]) + toy.value[bias]
    return toy.op("CONV_2D", [x, weight, bias], value, (1, [(1, "int32", 1), (2, "int32", 1)]))


def without_bias(toy):
    return toy.conv(toy.conv(toy.input, 0, (3, 3), multiplier=2, bias=False), 4, bias=False)


def two_inputs(toy):
    """Units that stand twice and read two values each."""
    x = base = toy.conv(toy.input, 4)
    for i in range(3):
        x = toy.binary("SUB", toy.conv(x, 4, name=f"mix_{i}/conv/BiasAdd"), base, name=f"mix_{i}/sub")
    return x


def upsampled(toy):
    """A resize by half pixels to an extent that another value has, and one to an extent that none has."""
    low = toy.conv(toy.input, 4, (3, 3), (2, 2))
    x = toy.resize(toy.conv(low, 4, (3, 3), (4, 3)), *toy.shape(low)[1:3], rule="half_pixel")
    return toy.resize(toy.binary("ADD", x, low), 20, 25)


def inner_same(toy):
    """SAME between the phases, with more cut off than the phases need."""
    x = toy.conv(toy.input, 4)
    return toy.atrous(x, 2, ((1, 0), (0, 2)), ((1, 2), (0, 1)), out=4, kernel=(3, 3), padding="same")


BUILDS = (encoder, pools, arithmetic, padded, grouped, without_bias, two_inputs, upsampled, inner_same)


@unittest.skipIf(ToyModel is None, "needs the Python package flatbuffers (Debian: python3-flatbuffers)")
class TfliteTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="atrous-test-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, content, name="toy.tflite"):
        (self.folder / name).write_bytes(content)
        return self.folder / name

    def load(self, toy, output):
        return harness.import_tflite(self.write(toy.bytes(output)), self.folder / "out", "--scale", "1/127.5",
                                     "--mean", "1")

    def assert_computes(self, toy, logits, output):
        """The engine's scores are the values of `logits` where the model's output is `output`."""
        scores = harness.network_scores(PROGRAM, self.load(toy, output), picture(), self.folder)
        expected = toy.value[logits][0]
        self.assertEqual(scores.shape, expected.shape)
        self.assertGreater(np.ptp(expected), 0.1)
        self.assertLess(np.abs(scores - expected).max(), 2e-5 * max(1, np.ptp(expected)))

    def test_operators(self):
        for build in BUILDS:
            with self.subTest(build.__name__):
                toy = ToyModel(picture())
                logits = decoded(toy, build(toy))
                self.assert_computes(toy, logits, logits)
                # Holds the reference itself against the runtime where there is one; that crashes without a bias.
                if Interpreter and build is not without_bias:
                    runtime = Interpreter(model_content=toy.bytes(logits))
                    runtime.allocate_tensors()
                    runtime.set_tensor(runtime.get_input_details()[0]["index"], toy.value[toy.input].astype(np.float32))
                    runtime.invoke()
                    made = runtime.get_tensor(runtime.get_output_details()[0]["index"])
                    self.assertLess(np.abs(made - toy.value[logits]).max(), 1e-4)

    def test_the_end_is_left_to_the_engine(self):
        toy = ToyModel(picture())
        low = encoder(toy)
        logits = decoded(toy, low)
        ends = {"logits": logits, "softmax": toy.softmax(logits), "argmax": toy.argmax(logits),
                "both": toy.argmax(toy.softmax(logits)), "flat": toy.reshape(toy.argmax(logits), [1, HEIGHT, WIDTH, 1])}
        for name, output in ends.items():
            with self.subTest(name):
                self.assert_computes(toy, logits, output)
        text = self.load(toy, logits).read_text()
        self.assertIn("\nresize: align_corners\n", text)
        self.assertEqual(text.splitlines()[-1 if "blocks:" not in text else text.splitlines().index("blocks:") - 1],
                         "  - {name: logits, op: conv2d, out: 5, bias: true}")

    def test_the_config_reads_well(self):
        toy = ToyModel(picture())
        text = self.load(toy, decoded(toy, encoder(toy))).read_text()
        self.assertIn("- {name: unit_1, block: unit}\n  - {name: unit_2, block: unit}\n", text)
        self.assertIn("- {name: add, op: add, inputs: [project, input]}\n", text)
        self.assertIn("like: true", text)
        self.assertIn("dilation: 3, padding: same", text)       # the older encoding is gone
        self.assertNotIn("batch", text.lower())
        self.assertLessEqual(max(map(len, text.splitlines())), 120)

    def test_pixels_and_labels(self):
        toy = ToyModel(picture())
        model = self.write(toy.bytes(toy.conv(toy.input, 3)))
        names = self.folder / "names.txt"
        names.write_text("sky\nroad: wet\nyes\n")
        config = harness.import_tflite(model, self.folder / "a", "--labels", names, "--name", "street", "--color",
                                       "bgr", "--mean", "1,2,3", "--std", "0.5").read_text()
        self.assertIn("name: street\n", config)
        self.assertIn('labels: {classes: [sky, "road: wet", "yes"]}\n', config)
        self.assertIn("input: {color: bgr, scale: 1/255, mean: [1, 2, 3], std: [0.5, 0.5, 0.5], policy: stretch, "
                      f"size: [{HEIGHT}, {WIDTH}]}}\n", config)
        self.assertEqual(sorted(f.name for f in (self.folder / "a").iterdir()), ["street.safetensors", "street.yaml"])
        self.assertIn("labels: voc\n", harness.import_tflite(model, self.folder / "b", "--labels", "voc").read_text())
        set_file = self.folder / "mine.yaml"
        set_file.write_text("name: mine\nclasses: [a, b, c]\n")
        harness.import_tflite(model, self.folder / "c", "--labels", set_file)
        self.assertEqual((self.folder / "c/labels/mine.yaml").read_text(), set_file.read_text())
        harness.network_scores(PROGRAM, self.folder / "c/toy.yaml", picture(), self.folder)
        harness.network_scores(PROGRAM, self.folder / "a/street.yaml", picture(), self.folder)

    def assert_refused(self, *words, naming):
        done = harness.run_tflite(*words)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for part in (naming,) if isinstance(naming, str) else naming:
            self.assertIn(part, done.stderr)
        self.assertFalse((self.folder / "out").exists())

    def test_refusals(self):
        out = ["-o", self.folder / "out"]
        toy = ToyModel(picture())
        good = self.write(toy.bytes(toy.conv(toy.input, 3)), "good.tflite")
        self.assert_refused(*out, naming="--help")
        self.assert_refused(self.folder / "none.tflite", *out, naming="none.tflite")
        self.assert_refused(good, *out, "--mean", "1,2", naming="--mean")
        self.assert_refused(good, *out, "--scale", "1/0", naming="--scale")
        self.assert_refused(good, *out, "--name", "../x", naming="--name")
        self.assert_refused(good, *out, "--labels", "missing.txt", naming="missing.txt")
        (self.folder / "two.txt").write_text("a\nb\n")
        self.assert_refused(good, *out, "--labels", self.folder / "two.txt", naming="2 names for the 3 channels")
        split = toy.op("SPLIT", [toy.input], toy.value[toy.input], name="halves")
        self.assert_refused(self.write(toy.bytes(split)), *out, naming=("toy.tflite", "operator 1 (SPLIT", "net/halves",
                                                                         "accepted are"))
        early = toy.resize(toy.conv(toy.input, 3, (3, 3), (2, 2)), HEIGHT, WIDTH, "neither")
        self.assert_refused(self.write(toy.bytes(early)), *out, naming=("RESIZE_BILINEAR", "align_corners"))
        channels = toy.binary("ADD", toy.input, toy.constant(np.ones((HEIGHT, WIDTH, 3))))
        self.assert_refused(self.write(toy.bytes(channels)), *out, naming="one a channel")
        broken = ToyModel(picture())
        weights = broken.constant(np.full((2, 1, 1, 3), np.nan))
        output = broken.op("CONV_2D", [broken.input, weights], np.zeros((1, HEIGHT, WIDTH, 2)))
        self.assert_refused(self.write(broken.bytes(output)), *out, naming="NaN")
        self.write(b"", "file")
        unwritable = harness.run_tflite(good, "-o", self.folder / "file/out")
        self.assertEqual((unwritable.returncode, len(unwritable.stderr.splitlines())), (2, 1))

    def test_damaged_files(self):
        """Cut anywhere and flipped anywhere: a refusal or a whole model, never a traceback or a part of one."""
        sys.path.insert(0, str(harness.SOURCE / "tools/import"))
        import tflite_model
        import tflite_nodes
        import tflite_passes
        toy = ToyModel(picture())
        content = toy.bytes(decoded(toy, encoder(toy)))
        random = np.random.default_rng(7)
        cases = [content[:n] for n in random.integers(0, len(content), 60)]
        for _ in range(600):
            flipped = bytearray(content)
            for at in random.integers(0, len(content), 4):
                flipped[at] = random.choice([0, 1, 0x7f, 0xff, random.integers(256)])
            cases.append(bytes(flipped))
        refused = 0
        for case in cases:
            try:
                with np.errstate(all="ignore"):  # as the program runs
                    model = tflite_model.read_model(case)
                    tflite_passes.name_padding(model)
                    tflite_passes.simplify(model)
                    tflite_nodes.translate(model)
            except ValueError as error:
                self.assertNotIn("\n", str(error))
                refused += 1
        self.assertGreater(refused, 100)
        for name, case in (("empty", b""), ("cut", content[:len(content) // 2]), ("text", b"This is no model." * 9)):
            self.assert_refused(self.write(case, f"{name}.tflite"), "-o", self.folder / "out", naming=f"{name}.tflite")

    def test_weights_are_a_safetensors_file(self):
        toy = ToyModel(picture())
        config = self.load(toy, toy.conv(toy.input, 3, (3, 5), name="head/BiasAdd"))
        content = config.with_suffix(".safetensors").read_bytes()
        size = int.from_bytes(content[:8], "little")
        header = json.loads(content[8:8 + size])
        self.assertEqual({name: entry["shape"] for name, entry in header.items()},
                         {"head.bias": [3], "head.weight": [3, 3, 3, 5]})
        self.assertEqual(len(content), 8 + size + 4 * (3 + 3 * 3 * 3 * 5))


if __name__ == "__main__":
    harness.main()
