#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Leaves out each barrier of a block, wait at a transfer barrier and fence before copies of the kernels, one at a time: a test that passes with it must then fail.

Usage: dropped_barriers_test.py SOURCE CUDA_OPS_TEST CUDA_CONV_TEST CUDA_WINDOWS_TEST
"""
import os
import pathlib
import re
import subprocess
import sys
import unittest

SOURCE, OPS, CONV, WINDOWS = (os.path.abspath(argument) for argument in sys.argv[1:5])
del sys.argv[1:5]
KERNELS = pathlib.Path(SOURCE) / "kernels"
# the program and the tests that are to notice it
WATCHERS = {
    "implicit_gemm_tile.h": (CONV, "ImplicitGemm.TheTile*:ImplicitGemm.SmallIntegers*:Pyramid.ThePooled*"
                                   ":Pyramid.SplitSums*:Pyramid.BranchesWrite*"),
    "normalise.cu": (WINDOWS, "CudaNormalise*"),
    "photo.cu": (WINDOWS, "CudaUpsample*"),
    "pool2d.cu": (OPS, "Pool2d.*"),
    "separable_tile.h": (CONV, "FusedSeparable.Neither*"),
    "template_morph.cu": (OPS, "TemplateMorph.*"),
    "warpgroup_tile.h": (CONV, "ImplicitGemm.SmallIntegers*:Pyramid.BranchesWrite*"),
}


def barriers():
    """(file, line) of every one but those of the execution layers."""
    for path in sorted(KERNELS.glob("*.*")):
        if not path.name.startswith("device"):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if re.search(r"^[^/]*\b((sync_block|fence_async)\(\)|mbarrier_wait\()", line):
                    yield path.name, number


def passes(watcher, **environment):
    program, tests = watcher
    command = [program, f"--gtest_filter={tests}", "--gtest_fail_fast", "--gtest_brief=1"]
    done = subprocess.run(command, env=dict(os.environ, **environment), capture_output=True, text=True)
    return done.returncode == 0 and " 0 tests" not in done.stdout


class DroppedBarriers(unittest.TestCase):
    def test_each_is_noticed(self):
        found = list(barriers())
        self.assertGreater(len(found), 10)
        self.assertEqual({name for name, _ in found}, set(WATCHERS))
        for watcher in WATCHERS.values():
            self.assertTrue(passes(watcher), watcher)
        for name, line in found:
            with self.subTest(f"kernels/{name}:{line}"):
                self.assertTrue(any(not passes(WATCHERS[name], ATROUS_EMULATION_DROP=f"kernels/{name}:{line}",
                                               ATROUS_EMULATION_ORDER=order)
                                    for order in ("ascending", "descending", "1", "20220")))


if __name__ == "__main__":
    unittest.main()
