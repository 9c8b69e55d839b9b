# SPDX-License-Identifier: Apache-2.0
"""Boxes of people as a user meets them: --box, --boxes, --detect and --enlarge. Needs NumPy.

Usage: crops_test.py PATH_OF_ATROUS
"""
import json
import os
import pathlib
import unittest

import numpy as np

import cli_test
from cli_test import SOURCE, drawing, read_mask, write_png

CORPUS = SOURCE / "tests/fuzz/corpus/boxes"
PEOPLE = pathlib.Path(os.environ.get("ATROUS_SHARED_DIR", "../shared")) / "data/ccp/photos"


class Crops(cli_test.Program):
    def report(self, folder):
        return [json.loads(line) for line in (self.folder / folder / "report.jsonl").read_text().splitlines()]

    def mask(self, name):
        return read_mask((self.folder / name).read_bytes())[0]

    def test_a_box_is_a_photo_of_its_own(self):
        image = drawing(4, 90, 120)
        write_png(self.folder / "p.png", image)
        write_png(self.folder / "left.png", image[10:80, 5:55])
        write_png(self.folder / "right.png", image[:, 60:])
        self.run_atrous("segment", "left.png", "right.png", "-o", "parts", "--superpixels=30", "-q")
        self.run_atrous("segment", "p.png", "-o", "out", "--box", "5,10,50,70", "--box=60,-7,99,200",
                        "--superpixels=30", "--save", "mask,probs", "-q")
        expected = np.zeros(image.shape[:2], np.uint8)
        expected[10:80, 5:55] = self.mask("parts/left.png")
        expected[:, 60:] = self.mask("parts/right.png")
        np.testing.assert_array_equal(self.mask("out/p.png"), expected)
        probs = np.load(self.folder / "out/p.probs.npy").astype(np.float32)
        self.assertLess(np.abs(probs.sum(0) - 1).max(), 0.01)
        self.assertTrue((probs[0, :, 55:60] == 1).all() and (probs[0, :10, :55] == 1).all())
        self.assertEqual(self.report("out")[0]["boxes"], [[5, 10, 50, 70], [60, 0, 60, 90]])
        self.assertNotIn("boxes", self.report("parts")[0])

    def test_enlarge(self):
        write_png(self.folder / "p.png", drawing(4, 90, 120))
        self.run_atrous("segment", "p.png", "-o", "all", "-q")
        self.run_atrous("segment", "p.png", "-o", "out", "--box", "30,20,60,50", "--enlarge", "4", "-q")
        self.assertEqual(self.report("out")[0]["boxes"], [[0, 0, 120, 90]])
        np.testing.assert_array_equal(self.mask("out/p.png"), self.mask("all/p.png"))
        data = (self.folder / "p.png").read_bytes()
        self.run_atrous("segment", "p.png", "-o", "half", "--box", "30,20,60,50", "--enlarge", "0.5", "-q")
        done = self.run_atrous("segment", "-", "--box", "30,20,60,50", "--enlarge", "0.5", stdin=data)
        self.assertEqual(done.stdout, (self.folder / "half/p.png").read_bytes())

    def test_a_folder_with_a_list_of_boxes(self):
        self.photos(3)
        write_png(self.folder / "photos/deep/0.png", drawing(7))
        (self.folder / "boxes.csv").write_text("file,x,y,w,h\n# people\n0.png,0,0,30,40\n0.png,35,0,30,40\n\n"
                                               "deep/0.png,10,10,40,60\n2.png,900,0,5,5\n9.png,1,2,3,4\n8.png,1,2,3,4\n")
        base = ["segment", "photos", "-r", "--boxes", "boxes.csv", "--save", "mask,probs", "-q"]
        done = self.run_atrous(*base, "-o", "a", status=1)
        self.assertEqual(done.stderr.decode().splitlines(), [
            "atrous: boxes.csv: 2 of its lines name no input, the first is line 8: '9.png'",
            "atrous: photos/2.png: box 900,0,5,5 lies outside the photo (70x90)"])
        report = {line["file"]: line for line in self.report("a")}
        self.assertEqual(report["photos/0.png"]["boxes"], [[0, 0, 30, 40], [35, 0, 30, 40]])
        self.assertEqual(report["photos/deep/0.png"]["boxes"], [[10, 10, 40, 60]])
        self.assertNotIn("boxes", report["photos/1.png"])
        first = self.read_folder("a")
        self.assertEqual(sorted(first), sorted(f"{n}{e}" for n in ("0", "1", "deep/0") for e in (".png", ".probs.npy")))
        self.run_atrous("segment", "photos/1.png", "-o", "whole", "-q")
        self.assertEqual(first["1.png"], (self.folder / "whole/1.png").read_bytes())
        for i, extra in enumerate((["--batch", 4], ["--workers", 2, "--batch", 2], ["--threads", 1])):
            self.run_atrous(*base, "-o", f"b{i}", *extra, status=1)
            self.assertEqual(self.read_folder(f"b{i}"), first, extra)

    def test_hostile_lists_and_options(self):
        write_png(self.folder / "a.png", drawing(1))
        for file in sorted(CORPUS.iterdir()):
            self.assert_refused("segment", "a.png", "-o", "out", "--boxes", file, naming=f"{file.name}:")
        (self.folder / "b.csv").write_text("a.png,1,2,3,4\na.png,1,2,3\n")
        self.assert_refused("segment", "a.png", "-o", "out", "--boxes", "b.csv", naming="b.csv:2: 'a.png,1,2,3'")
        self.assert_refused("segment", "a.png", "-o", "out", "--boxes", "none.csv", naming="none.csv")
        write_png(self.folder / "two/a.png", drawing(1))
        (self.folder / "b.csv").write_text("x.png,1,2,3,4\n")
        (self.folder / "twins.csv").write_text("./a.png,1,2,3,4\n")
        self.assert_refused("segment", self.folder / "a.png", "two", "-o", "out", "--boxes", "twins.csv",
                            naming="twins.csv:1: './a.png' is the name of 2 inputs")
        for words, naming in ((["--box", "1,2,3"], "'1,2,3'"), (["--box", "1,2,3,nan"], "nan"),
                              (["--box", "1,2,3,4", "--boxes", "b.csv"], "--box"), (["--enlarge", "2"], "--enlarge"),
                              (["--box", "1,2,3,4", "--detect", "people"], "--detect"),
                              (["--box", "1,2,3,4", "--enlarge", "0"], "--enlarge"),
                              (["--box", "1,2,3,4", "--enlarge", "nan"], "nlarge"),
                              (["--detect", "cats"], "cats")):
            self.assert_refused("segment", "a.png", "-o", "out", *words, naming=naming)
        self.assertFalse((self.folder / "out").exists())
        for box in ("70,0,5,5", "0,0,0,5", "0,0,-5,5", "1e300,0,1,1"):
            done = self.run_atrous("segment", "a.png", "-o", "out", "--box", box, "-q", status=1)
            lines = done.stderr.decode().splitlines()
            self.assertEqual(len(lines), 1, lines)
            self.assertTrue(lines[0].startswith("atrous: a.png: box "), lines)
        self.assertEqual(sorted(self.read_folder("out")), [])

    def test_nobody_is_found(self):
        self.photos(1)
        self.run_atrous("segment", "photos", "-o", "all", "-q")
        self.run_atrous("segment", "photos", "-o", "out", "--detect", "people", "-q")
        self.assertEqual(self.report("out")[0]["people"], 0)
        self.assertEqual(self.read_folder("out"), self.read_folder("all"))

    def test_people_are_found(self):
        photos = [PEOPLE / f"{i:04}.jpg" for i in (5, 19, 32)]
        if missing := [p for p in photos if not p.is_file()]:
            self.skipTest(f"{missing[0]} is missing")
        self.run_atrous("segment", *photos, "-o", "out", "--detect", "people", "-q")
        for line in self.report("out"):
            self.assertGreaterEqual(line["people"], 1, line)
            boxes = np.zeros((line["height"], line["width"]), bool)
            for x, y, width, height in line["boxes"]:
                boxes[y:y + height, x:x + width] = True
            self.assertTrue(0.2 < boxes.mean() < 0.95, line)
            person = self.mask("out/" + pathlib.Path(line["file"]).stem + ".png") > 0
            self.assertGreater(person.mean(), 0.05, line)
            self.assertFalse((person & ~boxes).any())


if __name__ == "__main__":
    unittest.main()
