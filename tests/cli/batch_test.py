# SPDX-License-Identifier: Apache-2.0
"""Folders as a user meets them: the outputs of --save. Needs NumPy.

Usage: batch_test.py PATH_OF_ATROUS
"""
import json
import unittest

import numpy as np

import cli_test
from cli_test import read_mask, write_png, write_safetensors

try:
    from pycocotools import mask as coco_mask
    from pycocotools.coco import COCO
except ImportError:
    COCO = None
try:
    import shapely
    from shapely.geometry import shape
except ImportError:
    shapely = None


def decode_rle(segmentation):
    """[height, width] of 0 and 1, from COCO's compressed run lengths."""
    counts, value, shift = [], 0, 0
    for c in segmentation["counts"].encode():
        group = c - 48
        value |= (group & 31) << shift
        shift += 5
        if not group & 32:
            value -= (1 << shift) if group & 16 else 0
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    height, width = segmentation["size"]
    return np.repeat(np.arange(len(counts)) % 2, counts).reshape(width, height).T


def fill(polygons, height, width):
    """How many rings, even-odd, are around each pixel of a MultiPolygon."""
    inside = np.zeros((height, width), int)
    for ring in (ring for polygon in polygons for ring in polygon):
        for (x, y), (_, to_y) in zip(ring, ring[1:]):
            inside[min(y, to_y):max(y, to_y), x:] ^= 1
    return inside


class Batch(cli_test.Program):
    """A network of one 1x1 convolution: labels as noisy as the photo, and quick."""

    def model(self, seed=1, name="tiny"):
        weights = np.random.default_rng(seed).normal(0, 1, (4, 3, 1, 1)).astype(np.float32)
        write_safetensors(self.folder / f"{name}.safetensors", {"logits.weight": weights})
        (self.folder / f"{name}.yaml").write_text(
            f"name: {name}\nlabels: {{classes: [nothing, hat, shoe, 'a \"bag\"']}}\n"
            f"input: {{policy: native, size: 33, mean: 0.5}}\nweights: {name}.safetensors\n"
            "network: [{name: logits, op: conv2d, out: 4}]\n")
        return f"{name}.yaml"

    def noise(self, count, height=40, width=60):
        for i in range(count):
            random = np.random.default_rng(i)
            blocks = random.integers(0, 255, (height // 4 + 1, width // 4 + 1, 3)).repeat(4, 0).repeat(4, 1)
            image = blocks[:height, :width] + random.integers(0, 60, (height, width, 3))
            write_png(self.folder / f"photos/{i:03}.png", np.clip(image, 0, 255).astype(np.uint8))

    def segment(self, out, *words, inputs="photos", status=0):
        return self.run_atrous("segment", inputs, "-m", "tiny.yaml", "-o", out, *words, status=status)

    def read_json(self, name):
        return json.loads((self.folder / name).read_text())

    def report(self, name):
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]

    def read_outputs(self, name):
        return {key: value for key, value in self.read_folder(name).items()
                if not key.startswith(("report.", "run."))}


class Outputs(Batch):
    def setUp(self):
        super().setUp()
        self.model()
        self.noise(3)
        self.segment("out", "--save", "mask,rle,polygons", "-q")
        self.masks = {f.stem: read_mask(f.read_bytes())[0] for f in (self.folder / "out").glob("*.png")}
        self.assertEqual(len(self.masks), 3)

    def test_run_lengths_and_polygons_give_the_mask_back(self):
        for name, ids in self.masks.items():
            data = self.read_json(f"out/{name}.rle.json")
            self.assertEqual(data["images"], [{"id": 1, "file_name": name + ".png", "width": 60, "height": 40}])
            self.assertEqual([c["name"] for c in data["categories"]], ["nothing", "hat", "shoe", 'a "bag"'])
            back = np.full(ids.shape, 255)
            for annotation in data["annotations"]:
                inside = decode_rle(annotation["segmentation"]).astype(bool)
                self.assertEqual(annotation["area"], inside.sum())
                rows, columns = np.nonzero(inside)
                self.assertEqual(annotation["bbox"], [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1])
                back[inside] = annotation["category_id"]
            np.testing.assert_array_equal(back, ids)
            features = self.read_json(f"out/{name}.geojson")["features"]
            back = np.full(ids.shape, 255)
            for feature in features:
                inside = fill(feature["geometry"]["coordinates"], *ids.shape)
                self.assertEqual(feature["properties"]["area"], inside.sum())
                back[inside == 1] = feature["properties"]["category_id"]
            np.testing.assert_array_equal(back, ids)
            self.assertEqual([f["properties"]["category_name"] for f in features],
                             [a["category_name"] for a in data["annotations"]])

    def test_refine_has_no_such_outputs(self):
        self.assert_refused("refine", "photos/000.png", "x.npy", "-o", "x.png", "--save", "mask,rle", naming="rle")

    @unittest.skipIf(COCO is None, "this Python has no pycocotools")
    def test_pycocotools_reads_the_run_lengths(self):
        for name, ids in self.masks.items():
            coco = COCO(str(self.folder / f"out/{name}.rle.json"))
            for annotation in coco.loadAnns(coco.getAnnIds()):
                inside = ids == annotation["category_id"]
                np.testing.assert_array_equal(coco.annToMask(annotation), inside)
                again = coco_mask.encode(np.asfortranarray(inside, np.uint8))["counts"].decode()
                self.assertEqual(annotation["segmentation"]["counts"], again)

    @unittest.skipIf(shapely is None, "this Python has no shapely")
    def test_shapely_calls_the_polygons_valid(self):
        for name, ids in self.masks.items():
            for feature in self.read_json(f"out/{name}.geojson")["features"]:
                polygons = shape(feature["geometry"])
                self.assertTrue(polygons.is_valid)
                self.assertEqual(polygons.area, (ids == feature["properties"]["category_id"]).sum())
                for polygon in polygons.geoms:
                    self.assertTrue(polygon.exterior.is_ccw)
                    self.assertFalse(any(hole.is_ccw for hole in polygon.interiors))


if __name__ == "__main__":
    unittest.main()
