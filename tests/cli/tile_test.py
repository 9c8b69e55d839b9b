# SPDX-License-Identifier: Apache-2.0
"""Photos in tiles as a user meets them: --tile, its notes and refusals, and its memory. Needs NumPy.

Usage: tile_test.py PATH_OF_ATROUS
"""
import json
import resource
import unittest

import numpy as np

import cli_test
from cli_test import drawing, write_png
from strided_network import write_network


class Tile(cli_test.Program):
    def setUp(self):
        super().setUp()
        write_network(self.folder, "input: {policy: native, size: 65, mean: 0.5, multiple: 8, offset: 1}\nresize: align_corners",
                      rate=4)

    def probs(self, name):
        return np.load(self.folder / name).astype(np.float32)

    def test_tiles_are_the_whole_photo_where_the_network_does_not_pool(self):
        write_png(self.folder / "p.png", drawing(1, 421, 550))
        base = ["segment", "p.png", "-m", "strides.yaml", "--save", "mask,probs"]
        for extra in ([], ["--flip", "--scales", "0.75,1"]):
            self.run_atrous(*base, *extra, "-o", "whole", "-q")
            done = self.run_atrous(*base, *extra, "-o", "tiles", "--tile", 256)
            self.assertNotIn("--tile", done.stderr.decode())
            whole, tiles = self.probs("whole/p.probs.npy"), self.probs("tiles/p.probs.npy")
            self.assertLess(np.abs(whole - tiles).max(), 1e-3)
            self.assertLess((whole.argmax(0) != tiles.argmax(0)).mean(), 1e-3)
            self.assertGreater(len(np.unique(whole.argmax(0))), 1)
        masks = [(self.folder / "tiles/p.png").read_bytes()]
        data = (self.folder / "p.png").read_bytes()
        self.run_atrous(*base[:-2], *extra, "-o", "labels", "--tile", 256, "--batch", 2, "--workers", 2, "-q")
        masks.append((self.folder / "labels/p.png").read_bytes())
        masks.append(self.run_atrous("segment", "-", *base[2:4], *extra, "--tile", 256, stdin=data).stdout)
        self.assertEqual(masks[1:], masks[:1] * 2)

    def test_what_differs_is_said(self):
        write_png(self.folder / "p.png", drawing(1, 300, 401))
        base = ["segment", "p.png", "-o", "out"]
        for words, note in ((["--tile", "256"], "pools over its whole input"),
                            (["-m", "strides.yaml", "--tile", "128:0"], "tiles overlap by 0 pixels, from 128 on"),
                            (["-m", "strides.yaml", "--tile", "128:64", "--crf"], "tiles overlap by 64 pixels")):
            notes = [line for line in self.run_atrous(*base, *words).stderr.decode().splitlines() if "--tile" in line]
            self.assertEqual(len(notes), 1)
            self.assertIn(note, notes[0])
            self.assertEqual(self.run_atrous(*base, *words, "-q").stderr, b"")

    def test_the_photo_keeps_its_own_size(self):
        write_png(self.folder / "p.png", drawing(4, 1100, 90))
        for name, extra in (("tall", []), ("tiles", ["--tile", "1120"])):
            self.run_atrous("segment", "p.png", "-o", name, "--save", "probs", "-q", *extra)
        # the model's long side is 512: without tiles the photo is scaled to that
        self.assertGreater(np.abs(self.probs("tall/p.probs.npy") - self.probs("tiles/p.probs.npy")).max(), 0.02)
        self.run_atrous("segment", "p.png", "-o", "half", "--save", "probs", "-q", "--tile", "1120", "--scales",
                        str(512 / 1100))
        self.assertLess(np.abs(self.probs("tall/p.probs.npy") - self.probs("half/p.probs.npy")).max(), 0.01)
        # tiles are part of what --resume compares
        self.run_atrous("segment", "p.png", "-o", "tiles", "--save", "probs", "-q", "--resume")
        np.testing.assert_array_equal(self.probs("tiles/p.probs.npy"), self.probs("tall/p.probs.npy"))

    def test_refusals(self):
        write_png(self.folder / "p.png", drawing(1))
        base = ["segment", "p.png", "-o", "out"]
        for tile in ("0", "-5", "x", "256:", ":3", "256:x", "256:-1", "256:3:4", "70000", "1e3"):
            self.assert_refused(*base, f"--tile={tile}", naming=f"--tile: '{tile}' is neither N nor N:OVERLAP")
        self.assert_refused(*base, "--tile", "256:250", naming="an overlap of 250 leaves nothing of tiles of 256 pixels")
        self.assert_refused(*base, "--tile", "32", naming="tiles of 32 pixels are too small")
        self.assert_refused(*base, "-m", "atr", "--tile", "512", naming="is a fully connected layer over the map")
        self.assertFalse((self.folder / "out").exists())

    def test_inspect_says_what_is_needed(self):
        text = self.run_atrous("inspect", "strides.yaml").stdout.decode()
        self.assertIn("sees         75x75 pixels, stride 8; tiles: equal the whole image from an overlap of 128 on", text)
        field = json.loads(self.run_atrous("inspect", "strides.yaml", "--json").stdout)["receptive_field"]
        self.assertEqual((field["rows"], field["row_stride"], field["global"], field["overlap"]), (75, 8, False, 128))
        text = self.run_atrous("inspect").stdout.decode()
        self.assertIn("all of the input, and closely", text)
        self.assertIn("node 'template_network.fc1' is a fully connected layer", self.run_atrous("inspect", "atr").stdout.decode())

    def test_memory_is_bounded(self):
        width, height = 9000, 5000
        write_png(self.folder / "p.png", np.tile(drawing(2, 100, 90), (height // 100, width // 90, 1)))
        self.run_atrous("segment", "p.png", "-m", "strides.yaml", "--tile", 512, "-o", "out", "-q")
        used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        pixels = width * height
        # the photo twice while it is decoded, the labels, and 200 MB for all else
        self.assertLess(used, pixels * 7 + 200e6, f"{used / 1e6:.0f} MB")
        with self.assertRaises(AssertionError):  # all at once takes more: the test sees what it is about
            self.run_atrous("segment", "p.png", "-m", "strides.yaml", "-o", "whole", "-q")
            used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
            self.assertLess(used, pixels * 7 + 200e6)


if __name__ == "__main__":
    unittest.main()
