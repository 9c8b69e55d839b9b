# SPDX-License-Identifier: Apache-2.0
"""`atrous eval` on folders laid out as VOC, Cityscapes and ADE20K are, against numbers made by hand and in NumPy.

Usage: eval_test.py PATH_OF_ATROUS
"""
import json
import struct
import unittest
import zlib

import numpy as np

import cli_test
from cli_test import write_png, write_safetensors

# Of Cityscapes' classes that are scored: the id in its label maps.
CITYSCAPES = {"road": 7, "sidewalk": 8, "building": 11, "wall": 12, "fence": 13, "pole": 17, "traffic light": 19, "traffic sign": 20,
              "vegetation": 21, "terrain": 22, "sky": 23, "person": 24, "rider": 25, "car": 26, "truck": 27, "bus": 28, "train": 31,
              "motorcycle": 32, "bicycle": 33}


def write_palette_png(path, ids):
    """An indexed PNG, as VOC's label maps are."""
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    palette = np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8).tobytes()
    raw = b"".join(b"\0" + row.tobytes() for row in ids)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], 8, 3, 0, 0, 0))
                     + chunk(b"PLTE", palette) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


def reference(pairs, classes):
    """IoU a class (nan where it is in neither), over (truth, prediction) of a set; 255 in a truth is left out."""
    hits, either = np.zeros(classes), np.zeros(classes)
    for truth, prediction in pairs:
        for c in range(classes):
            counted = truth != 255
            hits[c] += (counted & (truth == c) & (prediction == c)).sum()
            either[c] += (counted & ((truth == c) | (prediction == c))).sum()
    return np.where(either > 0, hits / np.maximum(either, 1), np.nan)


class Eval(cli_test.Program):
    def write_model(self, classes):
        """A model whose class is the red of a pixel: 2 c red - c^2 is greatest for c = red."""
        c = np.arange(classes, dtype=np.float32)
        weight = np.zeros((classes, 3, 1, 1), np.float32)
        weight[:, 0, 0, 0] = 2 * c
        write_safetensors(self.folder / "red.safetensors", {"logits.bias": -c * c, "logits.weight": weight})
        (self.folder / "red.yaml").write_text(
            f"name: red\nlabels: {classes}\nweights: red.safetensors\ninput: {{scale: 1, size: 33}}\n"
            f"network:\n  - {{name: logits, op: conv2d, out: {classes}, bias: true}}\n")
        return "red.yaml"

    def scores(self, *words, status=0):
        """(the one variant's scores, how many images, what was said)"""
        done = self.run_atrous("eval", *words, "--json", "-q", status=status)
        result = json.loads(done.stdout)
        (variant,) = result["variants"].values()
        return variant, result["images"], done.stderr.decode().splitlines()

    def assert_iou(self, scores, expected):
        got = np.array([c["iou"] if c["iou"] is not None else np.nan for c in scores["classes"].values()])
        np.testing.assert_allclose(got, expected, atol=1e-12)
        self.assertAlmostEqual(scores["mean_iou"], np.nanmean(expected))

    def photo(self, path, prediction):
        """What the model of write_model predicts from."""
        image = np.random.default_rng(1).integers(0, 256, (*prediction.shape, 3)).astype(np.uint8)
        image[:, :, 0] = prediction
        write_png(path, image)

    def voc(self):
        """Of its three images the val split has two. By hand, without the ignored pixel of a: background 2 of 4, aeroplane 3 of 5
        pixels; b is right."""
        a = (np.array([[0, 0, 1, 1], [255, 1, 1, 0]], np.uint8), np.array([[0, 1, 1, 1], [0, 1, 0, 0]], np.uint8))
        b = (np.full((3, 2), 20, np.uint8),) * 2
        c = (np.full((2, 2), 5, np.uint8), np.full((2, 2), 6, np.uint8))
        for name, (truth, prediction) in zip(("2007_a", "2007_b", "2007_c"), (a, b, c)):
            write_palette_png(self.folder / f"VOC/SegmentationClass/{name}.png", truth)
            self.photo(self.folder / f"VOC/JPEGImages/{name}.jpg", prediction)
            write_png(self.folder / f"masks/{name}.png", prediction)
        (self.folder / "VOC/ImageSets/Segmentation").mkdir(parents=True)
        (self.folder / "VOC/ImageSets/Segmentation/val.txt").write_text("2007_b\n2007_a\n")
        (self.folder / "VOC/ImageSets/Segmentation/train.txt").write_text("2007_c\n")
        return np.array([0.5, 0.6, *[np.nan] * 18, 1])

    def test_voc(self):
        expected = self.voc()
        scores, images, said = self.scores("masks", "VOC")
        self.assertEqual((images, said), (2, []))
        self.assert_iou(scores, expected)
        self.assertAlmostEqual(scores["pixel_accuracy"], 11 / 13)
        self.assertEqual(list(scores["classes"])[1], "aeroplane")
        of_model, images, said = self.scores("VOC", "-m", self.write_model(21))
        self.assertEqual((images, said), (2, []))
        self.assert_iou(of_model, expected)
        self.assertEqual(self.scores("VOC/JPEGImages", "VOC", "-m", "red.yaml")[0], of_model)
        wrong, images, _ = self.scores("masks", "VOC", "--split", "train")
        self.assertEqual((wrong["mean_iou"], images), (0, 1))
        (self.folder / "some.txt").write_text("2007_b")
        self.assertEqual(self.scores("masks", "VOC", "--list", "some.txt")[0]["mean_iou"], 1)
        # folders of one's own: their classes, and the same numbers without the layout
        self.assert_iou(self.scores("masks", "VOC", "--label-set", "22")[0], [*expected, np.nan])
        self.assert_iou(self.scores("masks", "VOC/SegmentationClass", "--label-set", "voc", "--list",
                                    "VOC/ImageSets/Segmentation/val.txt")[0], expected)

    def test_what_a_data_set_lacks(self):
        self.voc()
        self.write_model(21)
        self.assert_refused("eval", "VOC", naming="-m")
        self.assert_refused("eval", "masks", naming="not laid out as VOC, Cityscapes or ADE20K")
        self.assert_refused("eval", "masks", "VOC", "--crf", naming="say -m MODEL")
        self.assert_refused("eval", "VOC/JPEGImages", "VOC", naming="VOC/JPEGImages: masks are PNG files, these are photos; -m")
        self.assert_refused("eval", "masks", "VOC", "--split", "test", naming="VOC/ImageSets/Segmentation/test.txt")
        self.assert_refused("eval", "masks", "VOC", "--label-set", "vocs", naming="'vocs'")
        self.assert_refused("eval", "masks", "VOC", "--label-set", "0", naming="1 to 255")
        self.assert_refused("eval", "VOC", "-m", "red.yaml", "--label-set", "voc", naming="--label-set")
        self.assert_refused("eval", "masks", "VOC", "--label-set", "vocs", "--csv", "red.yaml/x.csv",
                            naming="red.yaml/x.csv: cannot be written")  # before any work
        (self.folder / "masks/2007_a.png").unlink()
        scores, images, said = self.scores("masks", "VOC", status=1)
        self.assertEqual((scores["mean_iou"], images), (1, 1))
        self.assertEqual(said, ["atrous: masks: 1 of 2 images of the val split are not there, the first is 2007_a"])
        (self.folder / "masks/2007_b.png").unlink()
        self.assert_refused("eval", "masks", "VOC", naming="masks: no image has the name of one in the val split of VOC")
        (self.folder / "VOC/JPEGImages/2007_a.jpg").unlink()
        said = self.scores("VOC", "-m", "red.yaml", status=1)[2]
        self.assertEqual(len(said), 1, said)
        self.assertIn("VOC/JPEGImages/2007_a.jpg", said[0])
        (self.folder / "VOC/SegmentationClass/2007_a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        self.photo(self.folder / "VOC/JPEGImages/2007_a.jpg", np.zeros((2, 4), np.uint8))
        said = self.scores("VOC", "-m", "red.yaml", status=1)[2]
        self.assertEqual(len(said), 1, said)
        self.assertIn("VOC/SegmentationClass/2007_a.png", said[0])
        (self.folder / "VOC/ImageSets/Segmentation/val.txt").write_text(" \n")
        self.assert_refused("eval", "masks", "VOC", naming="val.txt: names no image")

    def test_cityscapes(self):
        random, names = np.random.default_rng(3), list(CITYSCAPES)
        train = np.full(256, 255, np.uint8)
        for train_id, raw in enumerate(CITYSCAPES.values()):
            train[raw] = train_id
        pairs = []
        for city, number in (("frankfurt", 0), ("frankfurt", 1), ("lindau", 0)):
            raw = np.concatenate([np.arange(34), random.integers(0, 256, 30)]).astype(np.uint8).reshape(8, 8)
            prediction = np.where(random.random((8, 8)) < 0.5, train[raw], random.integers(0, 19, (8, 8))).astype(np.uint8)
            prediction[prediction == 255] = 0
            stem = f"{city}_00000{number}_000019"
            for folder in ("one", "two"):
                self.photo(self.folder / f"{folder}/leftImg8bit/val/{city}/{stem}_leftImg8bit.png", prediction)
            write_png(self.folder / f"one/gtFine/val/{city}/{stem}_gtFine_labelIds.png", raw)
            write_png(self.folder / f"one/gtFine/val/{city}/{stem}_gtFine_labelTrainIds.png", np.full((8, 8), 3, np.uint8))
            write_png(self.folder / f"one/gtFine/val/{city}/{stem}_gtFine_instanceIds.png", raw)
            write_png(self.folder / f"two/gtFine/val/{city}/{stem}_gtFine_labelTrainIds.png", train[raw])
            write_png(self.folder / f"masks/{city}/{stem}_leftImg8bit.png", prediction)
            write_png(self.folder / f"flat/{stem}_leftImg8bit.png", prediction)
            pairs.append((train[raw], prediction))
        expected = reference(pairs, 19)
        self.write_model(19)
        for words in (("masks", "one"), ("masks", "two"), ("flat", "one"), ("one", "-m", "red.yaml"), ("two", "-m", "red.yaml")):
            with self.subTest(words):
                scores, images, said = self.scores(*words)
                self.assertEqual((images, said), (3, []))
                self.assert_iou(scores, expected)
                if words[0] != words[-1] and "-m" not in words:
                    self.assertEqual(list(scores["classes"]), names)
        self.assert_refused("eval", "masks", "one", "--label-set", "voc", naming="Cityscapes has 19 classes, label set 'voc' has 21")
        self.assert_refused("eval", "one", "-m", self.write_model(20), naming="Cityscapes has 19 classes")
        self.assert_refused("eval", "masks", "one", "--split", "test", naming="one/gtFine/test")
        (self.folder / "one/gtFine/train/aachen").mkdir(parents=True)
        self.assert_refused("eval", "masks", "one", "--split", "train", naming="there are no label maps")

    def test_ade20k(self):
        random, pairs = np.random.default_rng(4), []
        for number in (1, 2):
            raw = np.concatenate([np.arange(151), random.integers(0, 151, 74)]).astype(np.uint8).reshape(15, 15)
            truth = np.where(raw == 0, 255, raw.astype(int) - 1)
            guess = random.integers(0, 150, raw.shape)
            prediction = np.where(random.random(raw.shape) < 0.5, truth % 150, guess).astype(np.uint8)
            for split, name in (("validation", "val"), ("training", "train")):
                write_png(self.folder / f"ADE/annotations/{split}/ADE_{name}_0000000{number}.png", raw)
                self.photo(self.folder / f"ADE/images/{split}/ADE_{name}_0000000{number}.jpg", prediction)
                made = prediction if name == "val" else (truth % 150).astype(np.uint8)      # the other split is right everywhere
                write_png(self.folder / f"masks/ADE_{name}_0000000{number}.png", made)
            pairs.append((truth, prediction))
        expected = reference(pairs, 150)
        scores, images, said = self.scores("masks", "ADE")
        self.assertEqual((images, said), (2, []))
        self.assert_iou(scores, expected)
        self.assertEqual(list(scores["classes"])[:2], ["wall", "building"])
        self.assert_iou(self.scores("ADE", "-m", self.write_model(150))[0], expected)
        self.assertEqual(self.scores("masks", "ADE", "--split", "train")[0]["mean_iou"], 1)
        (self.folder / "names.txt").write_text("a b")
        self.assert_refused("eval", "masks", "ADE", "--label-names", "names.txt", naming="--label-names")


if __name__ == "__main__":
    unittest.main()
