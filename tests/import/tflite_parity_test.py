# SPDX-License-Identifier: Apache-2.0
"""Published models, imported, against TensorFlow Lite's own interpreter on the same pixels.

Usage: tflite_parity_test.py NETWORK_SCORES [TEST...]. Needs the development data (ATROUS_SHARED_DIR) and, for
all but the recorded photo, ai-edge-litert and Pillow from PyPI.
"""
import pathlib
import shutil
import sys
import tempfile
import unittest

import numpy as np

import deeplabv3
import harness

try:
    import PIL.Image            # noqa: F401, here to say clearly which one is missing
    import ai_edge_litert.interpreter   # noqa: F401
    MISSING = None
except ImportError as error:
    MISSING = f"needs ai-edge-litert and Pillow: {error}"

PROGRAM = sys.argv[1]
CCP = deeplabv3.FOLDER.parents[1] / "ccp"
PHOTOS = 6
TOLERANCE = 1e-3    # of the logits' range


class TfliteParity(unittest.TestCase):
    def load(self, model):
        if not model.exists():
            self.skipTest(f"there is no {model}")
        folder = pathlib.Path(tempfile.mkdtemp(prefix="atrous-test-"))
        self.addCleanup(shutil.rmtree, folder)
        config = harness.import_tflite(model, folder, "--labels", "voc", "--scale", "1/127.5", "--mean", "1")
        return lambda pixels: harness.network_scores(PROGRAM, config, pixels, folder)

    def photos(self, runtime):
        """Pixels of a few validation photos, at the size that the model takes."""
        if not CCP.exists():
            self.skipTest(f"there is no {CCP}")
        for name in (CCP / "val.txt").read_text().split()[:PHOTOS]:
            yield name, deeplabv3.read_photo(CCP / f"photos/{name}.jpg", runtime.height, runtime.width)

    def assert_same_logits(self, scores, logits):
        distance = np.abs(scores - logits).max() / np.ptp(logits)
        print(f"largest difference {distance:.1e} of the logits' range {np.ptp(logits):.1f}")
        self.assertLessEqual(distance, TOLERANCE)

    def test_recorded_photo(self):
        network = self.load(deeplabv3.FLOAT)
        pixels, logits = deeplabv3.read_record()
        self.assert_same_logits(network(pixels)[::deeplabv3.STEP, ::deeplabv3.STEP], logits)
        person = (logits.argmax(-1) == 15).mean()
        self.assertGreater(person, 0.2, "the record should show a person")

    @unittest.skipIf(MISSING, MISSING)
    def test_validation_photos(self):
        network = self.load(deeplabv3.FLOAT)
        runtime = deeplabv3.Runtime(deeplabv3.FLOAT)
        for name, pixels in self.photos(runtime):
            with self.subTest(name):
                self.assert_same_logits(network(pixels), runtime.run(pixels))

    @unittest.skipIf(MISSING, MISSING)
    def test_quantised_model(self):
        """The engine computes it in floating point, so it is the labels that can be compared, and nearly all agree."""
        network = self.load(deeplabv3.QUANTISED)
        runtime = deeplabv3.Runtime(deeplabv3.QUANTISED)
        for name, pixels in self.photos(runtime):
            with self.subTest(name):
                agree = (network(pixels).argmax(-1) == runtime.run(pixels)).mean()
                print(f"{agree:.2%} of the labels agree")
                self.assertGreater(agree, 0.97)


if __name__ == "__main__":
    harness.main()
