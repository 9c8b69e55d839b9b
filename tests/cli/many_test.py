# SPDX-License-Identifier: Apache-2.0
"""Folders of many images as a user meets them: memory, and how many may fail. Needs NumPy.

Usage: many_test.py PATH_OF_ATROUS
"""
import os
import subprocess
import unittest

import batch_test
from cli_test import PROGRAM


class Many(batch_test.Batch):
    def peak(self, *words):
        """Peak of the memory of a run, in MB."""
        run = subprocess.Popen([PROGRAM, "segment", "-m", "tiny.yaml", "-q", *words], cwd=self.folder)
        _, status, usage = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(run.returncode, 0)
        return usage.ru_maxrss / 1024

    def link(self, folder, count):
        (self.folder / folder).mkdir()
        for i in range(count):
            os.link(self.folder / f"photos/{i % 8:03}.png", self.folder / folder / f"a_name_as_long_as_names_are_{i:06}.png")

    def test_memory_does_not_grow_with_images(self):
        self.model()
        self.noise(8)
        self.link("some", 100)
        self.link("many", 800)
        some = self.peak("some", "-o", "a", "--report", "a.html")
        many = self.peak("many", "-o", "b", "--report", "b.html")
        self.assertLess(many - some, 6)

    def test_names_are_small(self):
        self.model()
        self.noise(8)
        self.link("names", 20000)
        one = self.peak("photos", "-o", "a", "--shard", "1/8")
        all_names = self.peak("names", "-o", "b", "--shard", "1/20000")
        self.assertLess(all_names - one, 8)

    def test_a_budget_of_failures(self):
        self.model()
        self.noise(9)
        for i in (1, 2, 4, 6):
            (self.folder / f"photos/00{i}.png").write_text("no image")
        for words, failed in ((["--max-failures", 9], 4), (["--max-failures", 4], 4)):
            self.segment("out", "-q", *words, status=1)
            self.assertEqual([self.read_json("out/run.json")[k] for k in ("done", "failed")], [5, failed])
        for words, least in ((["--max-failures", 2], 3), (["--max-failures", 0], 1), (["--fail-fast"], 1)):
            self.segment("out", "-q", *words, status=1)
            run = self.read_json("out/run.json")
            self.assertGreaterEqual(run["failed"], least)
        self.assert_refused("segment", "photos", "--max-failures=-1", naming="--max-failures")
        self.assert_refused("segment", "photos", "--max-failures", 1, "--fail-fast", naming="--fail-fast")


if __name__ == "__main__":
    unittest.main()
