# SPDX-License-Identifier: Apache-2.0
"""The installed package: the same results as the command line, no copies, threads side by side, exceptions for all
that is wrong. Usage: package_test.py PATH_OF_ATROUS
"""
import gc
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import numpy as np

import atrous

PROGRAM = os.path.abspath(sys.argv.pop(1))
SOURCE = pathlib.Path(__file__).resolve().parents[2]
PHOTO = SOURCE / "tools/samples/photographer.jpg"
PACKAGE = pathlib.Path(atrous.__file__).parent


def picture(height=40, width=60, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)


class PackageTest(Folder):
    def test_has_everything_in_its_own_folder(self):
        self.assertNotIn(SOURCE, PACKAGE.parents)
        for part in "configs", "models":
            there = sorted(p.relative_to(SOURCE) for p in (SOURCE / part).rglob("*") if p.is_file())
            packed = sorted(p.relative_to(PACKAGE / "share/atrous") for p in (PACKAGE / "share/atrous" / part).rglob("*")
                            if p.is_file())
            self.assertEqual(packed, there)
        for name in "py.typed", "_core.pyi":
            self.assertTrue((PACKAGE / name).is_file(), name)

    def test_finds_the_models_beside_itself(self):
        # a moved copy whose label set is another one: what is compiled in or in the source tree is not looked at
        shutil.copytree(PACKAGE, self.folder / "atrous")
        changed = 0
        for file in (self.folder / "atrous/share/atrous/configs/labels").iterdir():
            text = file.read_text()
            changed += "scarf" in text
            file.write_text(text.replace("scarf", "muffler"))
        self.assertGreater(changed, 0)
        said = subprocess.run([sys.executable, "-c", "import atrous; print(atrous.Model().labels)"], cwd=self.folder,
                              capture_output=True, text=True, check=True).stdout
        self.assertIn("'muffler'", said)
        self.assertNotIn("'scarf'", said)


    def test_has_its_plugins(self):
        rgb = picture(8, 8)
        header = struct.pack("<2sIIIIiiHHIIiiII", b"BM", 54 + rgb.nbytes, 0, 54, 40, 8, 8, 1, 24, 0, rgb.nbytes, 0, 0, 0, 0)
        (self.folder / "small.bmp").write_bytes(header + rgb[::-1, :, ::-1].tobytes())
        model = atrous.Model(device="cpu", threads=1)
        np.testing.assert_array_equal(model.segment(self.folder / "small.bmp").labels, model.segment(rgb).labels)


class ResultsTest(Folder):
    model = atrous.Model(device="cpu", threads=1)

    def test_equal_those_of_the_command_line(self):
        subprocess.run([PROGRAM, "segment", PHOTO, "-o", self.folder, "--quiet", "--device", "cpu", "--crf",
                        "--superpixels=300", "--save", "mask,probs"], check=True)
        result = self.model.segment(PHOTO, crf=True, superpixels=300, probabilities=True)
        probabilities = np.load(self.folder / "photographer.probs.npy")
        self.assertEqual(result.probabilities.dtype, np.float16)
        np.testing.assert_array_equal(result.probabilities, probabilities)
        result.save(self.folder / "mask.png")
        self.assertEqual((self.folder / "mask.png").read_bytes(), (self.folder / "photographer.png").read_bytes())
        self.assertEqual(result.labels.shape, probabilities.shape[1:])
        chosen = np.take_along_axis(probabilities, result.labels[np.newaxis].astype(np.intp), axis=0)[0]
        np.testing.assert_array_equal(chosen, probabilities.max(axis=0))

    def test_of_options_that_are_off_by_default(self):
        plain = self.model.segment(PHOTO)
        self.assertIsNone(plain.probabilities)
        off = self.model.segment(str(PHOTO), crf=False, superpixels=False)
        np.testing.assert_array_equal(plain.labels, off.labels)
        for options in {"superpixels": True}, {"crf": "iterations=3"}, {"flip": True}, {"scales": (0.5, 1)}:
            self.assertTrue((self.model.segment(PHOTO, **options).labels != plain.labels).any(), options)

    def test_of_every_form_of_an_array(self):
        rgb = picture()
        expected = self.model.segment(rgb).labels
        self.assertEqual((expected.shape, expected.dtype), ((40, 60), np.uint8))
        alpha = np.concatenate([rgb, picture(seed=2)[..., :1]], axis=2)
        wide = np.zeros((80, 120, 3), np.uint8)
        wide[::2, ::2] = rgb
        for form in rgb.copy(order="F"), wide[::2, ::2], alpha:
            np.testing.assert_array_equal(self.model.segment(form).labels, expected)
        for form in rgb[..., ::-1], alpha[..., [2, 1, 0, 3]]:
            np.testing.assert_array_equal(self.model.segment(form, color="bgr").labels, expected)
        grey = rgb[..., 0]
        repeated = self.model.segment(np.repeat(grey[..., np.newaxis], 3, axis=2)).labels
        np.testing.assert_array_equal(self.model.segment(grey).labels, repeated)
        np.testing.assert_array_equal(self.model.segment(np.broadcast_to(grey[:1, :1], (40, 60))).labels,
                                      self.model.segment(np.full((40, 60), grey[0, 0])).labels)

    def test_of_boxes(self):
        rgb = picture(40, 90)
        labels = self.model.segment(rgb, boxes=[(0, 0, 30, 40), [60, 0, 30, 40]]).labels
        np.testing.assert_array_equal(labels[:, :30], self.model.segment(rgb[:, :30]).labels)
        np.testing.assert_array_equal(labels[:, 60:], self.model.segment(rgb[:, 60:]).labels)
        self.assertFalse(labels[:, 30:60].any())

    def test_name_classes_and_colours(self):
        self.assertEqual((self.model.name, self.model.labels[2], len(self.model.labels)), ("clothing-lite0", "hair", 14))
        self.assertEqual((self.model.palette.shape, self.model.palette.dtype), ((14, 3), np.uint8))
        self.assertEqual(len({tuple(color) for color in self.model.palette}), 14)
        self.assertRegex(atrous.__version__, r"^\d+\.\d+\.\d+$")

    def test_labels_are_no_copies(self):
        result = self.model.segment(picture())
        labels = result.labels
        self.assertFalse(labels.flags.owndata)
        self.assertFalse(labels.flags.writeable)
        self.assertIs(result.labels, labels)
        self.assertTrue(np.shares_memory(labels, result._core.labels))  # asked for again: the same memory
        kept = labels.copy()
        del result  # the array keeps the memory alive
        gc.collect()
        for _ in range(3):
            self.model.segment(picture(seed=3))
        np.testing.assert_array_equal(labels, kept)


class ThreadsTest(Folder):
    model = atrous.Model(device="cpu", threads=1)

    def test_python_goes_on_during_a_call(self):
        image, ticks, over = picture(700, 700), [], threading.Event()
        span = []

        def work():
            begin = time.perf_counter()
            self.model.segment(image, crf="iterations=20")
            span.extend((begin, time.perf_counter()))
            over.set()

        thread = threading.Thread(target=work)
        thread.start()
        while not over.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)
        thread.join()
        within = sum(span[0] < tick < span[1] for tick in ticks)
        self.assertGreater(within, 10)  # with the GIL held all through it would be one or two

    def test_a_call_does_not_wait_for_another(self):
        # a pipe instead of a photo: that call ends only after the others have
        pipe = self.folder / "photo.jpg"
        os.mkfifo(pipe)
        results = []
        thread = threading.Thread(target=lambda: results.append(self.model.segment(pipe)))
        thread.start()
        for seed in range(3):
            self.model.segment(picture(seed=seed))
        self.assertEqual(results, [])
        pipe.write_bytes(PHOTO.read_bytes())
        thread.join()
        np.testing.assert_array_equal(results[0].labels, self.model.segment(PHOTO).labels)

    def test_many_threads_give_what_one_gives(self):
        images = [picture(seed=seed) for seed in range(4)]
        expected = [[self.model.segment(image, flip=flip).labels for image in images] for flip in (False, True)]
        self.assertTrue(any((a != b).any() for a, b in zip(*expected)))
        wrong = []

        def work(first):
            for i in range(first, first + 12):
                flip = i % 3 == 0
                if (self.model.segment(images[i % 4], flip=flip).labels != expected[flip][i % 4]).any():
                    wrong.append(i)

        threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


class HostileTest(Folder):
    model = atrous.Model(device="cpu", threads=1)

    def assert_refused(self, kind, *arguments, says="", call=None, **options):
        with self.assertRaises(kind) as caught:
            (call or self.model.segment)(*arguments, **options)
        message = str(caught.exception)
        self.assertIn(says, message)
        self.assertTrue(message and "\n" not in message, message)

    def test_arrays(self):
        for shape in (0, 5, 3), (5, 0, 3), (5, 5, 2), (5, 5, 5), (5,), (), (2, 5, 5, 3), (5, 5, 0):
            self.assert_refused(ValueError, np.zeros(shape, np.uint8), says="shape")
        for kind in np.float32, np.int64, np.uint16, np.bool_, "S3", object:
            self.assert_refused(TypeError, np.zeros((5, 5, 3), kind), says="uint8")
        self.assert_refused(TypeError, None, says="object")
        self.assert_refused(TypeError, 7)
        self.assert_refused(TypeError, {"a": 1})

    def test_options(self):
        image = picture(8, 8)
        self.assert_refused(ValueError, image, crf="no-such-preset", says="no-such-preset")
        self.assert_refused(ValueError, image, crf="off\0", says="zero byte")
        self.assert_refused(ValueError, image, superpixels=-2, says="superpixels")
        self.assert_refused(ValueError, image, scales=(float("nan"),), says="scales")
        self.assert_refused(ValueError, image, color="hsv", says="hsv")
        self.assert_refused(ValueError, image, boxes=[(1, 2, 3)], says="boxes")
        self.assert_refused(ValueError, image, boxes=[(100, 0, 5, 5)], says="outside")
        self.assert_refused(ValueError, PHOTO, boxes=[(0, 0, 5, 5)], says="array")
        self.model.segment(image)  # and all still works

    def test_errors_are_the_packages_own(self):
        self.assertEqual(f"{atrous.Error.__module__}.{atrous.Error.__qualname__}", "atrous.Error")
        self.assertTrue(issubclass(atrous.Error, RuntimeError))

    def test_files(self):
        self.assert_refused(FileNotFoundError, self.folder / "no.jpg", says="no.jpg")
        self.assert_refused(OSError, self.folder, says="folder")
        self.assert_refused(ValueError, f"{PHOTO}\0.png", says="zero byte")
        broken = self.folder / "broken.jpg"
        for content in b"", b"GIF89a", PHOTO.read_bytes()[:3000]:
            broken.write_bytes(content)
            self.assert_refused(atrous.Error, broken, says="broken.jpg")
        self.assert_refused(FileNotFoundError, os.path.join(os.fsencode(self.folder), b"\xff.jpg"), says="\\xff.jpg")
        self.assert_refused(OSError, "/dev/null/mask.png", call=self.model.segment(picture(8, 8)).save, says="mask.png")

    def test_models(self):
        self.assert_refused(FileNotFoundError, "no-such-model", call=atrous.Model, says="no-such-model")
        self.assert_refused(ValueError, call=atrous.Model, device="tpu", says="tpu")
        self.assert_refused(ValueError, call=atrous.Model, device="cpu\0", says="zero byte")
        self.assert_refused(ValueError, picture(8, 8), call=atrous.Model(threads=-1).segment, says="threads")
        config = self.folder / "config.yaml"
        config.write_text("name: [\n")
        self.assert_refused(atrous.Error, config, call=atrous.Model, says="config.yaml:")


if __name__ == "__main__":
    unittest.main()
