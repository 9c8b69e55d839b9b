# SPDX-License-Identifier: Apache-2.0
"""ONNX models, imported, against ONNX Runtime on the same pixels.

Usage: onnx_parity_test.py NETWORK_SCORES [TEST...]. Needs onnx and onnxruntime from PyPI; ATROUS_CLI and
ATROUS_EXPORT_NETWORKS are the programs.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import numpy as np

import harness

try:
    import onnx  # noqa: F401
    import onnxruntime
    MISSING = None
except ImportError as error:
    MISSING = f"needs onnx and onnxruntime: {error}"
else:
    sys.path.append(str(harness.SOURCE / "tools/bench"))
    import network_onnx
    import toy_onnx

PROGRAM = sys.argv[1]
TOLERANCE = 1e-4    # of the largest logit


def upsampled(logits, height, width, align_corners):
    """[h, w, classes] brought to another extent in double precision."""
    for axis, out in ((0, height), (1, width)):
        extent = logits.shape[axis]
        at = np.arange(out) * ((extent - 1) / max(out - 1, 1)) if align_corners else (np.arange(out) + 0.5) * extent / out - 0.5
        at = np.clip(at, 0, extent - 1)
        low = np.floor(at).astype(int)
        weight = (at - low).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        high = np.minimum(low + 1, extent - 1)
        logits = np.take(logits, low, axis) * (1 - weight) + np.take(logits, high, axis) * weight
    return logits


@unittest.skipIf(MISSING, MISSING)
class OnnxParity(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="atrous-test-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def import_model(self, content, *words):
        model = self.folder / "model.onnx"
        model.write_bytes(content)
        done = subprocess.run([os.environ["ATROUS_CLI"], "import", model, "-o", self.folder, *words],
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return model, pathlib.Path(done.stdout.strip())

    def check(self, content, height=toy_onnx.HEIGHT if not MISSING else 0, width=toy_onnx.WIDTH if not MISSING else 0,
              nhwc=False, align_corners=False, words=()):
        model, config = self.import_model(content, *words)
        pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3)).astype(np.uint8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 2, 3
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        image = (pixels.astype(np.float32) / 255)[None]
        logits = session.run(None, {session.get_inputs()[0].name: image if nhwc else image.transpose(0, 3, 1, 2)})[0][0]
        logits = logits if nhwc else logits.transpose(1, 2, 0)
        wanted = upsampled(logits.astype(np.float64), height, width, align_corners)
        # The file itself is imported in memory; its pixels are scaled likewise only without options.
        for source in (config,) if words else (config, model):
            scores = harness.network_scores(PROGRAM, source, pixels, self.folder)
            self.assertLess(np.abs(scores - wanted).max() / np.abs(wanted).max(), TOLERANCE)
        return config.read_text()

    def test_operators(self):
        for build, opsets in toy_onnx.OPSETS.items():
            for opset in opsets:
                with self.subTest(build.__name__, opset=opset):
                    net = toy_onnx.Toy(opset)
                    nhwc = build is toy_onnx.channels_last
                    output = build(net)
                    self.check(net.bytes(output, nhwc), nhwc=nhwc)

    def test_toy_file(self):
        """The file that the tests of the command line read; what it makes is normalised, so logarithms are compared."""
        model, config = self.import_model((harness.SOURCE / "tests/import/data/toy.onnx").read_bytes())
        pixels = np.random.default_rng(4).integers(0, 256, (45, 62, 3)).astype(np.uint8)
        session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        image = (pixels.astype(np.float32) / 255).transpose(2, 0, 1)[None]
        wanted = np.diff(np.log(session.run(None, {"input": image})[0][0].transpose(1, 2, 0)), axis=-1)
        scores = np.diff(harness.network_scores(PROGRAM, config, pixels, self.folder), axis=-1)
        self.assertLess(np.abs(scores - wanted).max() / np.abs(wanted).max(), TOLERANCE)

    def test_other_sizes(self):
        for build in (toy_onnx.pyramid, toy_onnx.scaled, toy_onnx.parts, toy_onnx.resizes):
            net = toy_onnx.Toy()
            content = net.bytes(build(net))
            # what reads nearest by a whole factor, and sums of parts, take even extents of x only
            for height, width in ((48, 64), (36, 52), (60, 88)):
                with self.subTest(build.__name__, height=height, width=width):
                    self.check(content, height, width)

    def test_fixed_size(self):
        for build in (toy_onnx.pyramid, toy_onnx.layouts):
            with self.subTest(build.__name__):
                net = toy_onnx.Toy(dynamic=False)
                text = self.check(net.bytes(build(net)))
                self.assertIn("policy: stretch, size: [48, 64]", text)

    def test_multiple(self):
        net = toy_onnx.Toy()
        self.assertIn("multiple: 4", self.check(net.bytes(toy_onnx.unet(net))))
        net = toy_onnx.Toy()
        self.assertIn("multiple: 2", self.check(net.bytes(toy_onnx.unet_by_size(net))))

    def test_preprocessing(self):
        net = toy_onnx.Toy()
        content = net.bytes(toy_onnx.pyramid(net))
        model, config = self.import_model(content, "--mean", "0.4,0.5,0.6", "--std", "0.2,0.25,0.3", "--color", "bgr")
        pixels = np.random.default_rng(9).integers(0, 256, (48, 64, 3)).astype(np.uint8)
        image = (pixels[..., ::-1] / 255 - [0.4, 0.5, 0.6]) / [0.2, 0.25, 0.3]
        session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        wanted = session.run(None, {"input": image.transpose(2, 0, 1)[None].astype(np.float32)})[0][0].transpose(1, 2, 0)
        scores = harness.network_scores(PROGRAM, config, pixels, self.folder)
        self.assertLess(np.abs(scores - wanted).max() / np.abs(wanted).max(), TOLERANCE)

    @unittest.skipUnless("ATROUS_EXPORT_NETWORKS" in os.environ, "builds with sanitizers have no export_networks")
    def test_networks(self):
        cases, out = self.folder / "cases.yaml", self.folder / "networks.json"
        cases.write_text("".join(f"- {{name: {name}, group: parity, inputs: [[1, 129, 129, 3]]}}\n"
                                 for name in ("deeplabv3_resnet50", "deeplabv3_mobilenet_v2")))
        subprocess.run([os.environ["ATROUS_EXPORT_NETWORKS"], cases, out], check=True, timeout=120)
        for spec in json.loads(out.read_text()):
            with self.subTest(spec["name"]):
                content = network_onnx.Writer(spec, (129, 129)).model().SerializeToString()
                self.assertIn("like: true", self.check(content, 129, 129))


if __name__ == "__main__":
    harness.main()
