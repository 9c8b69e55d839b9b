# SPDX-License-Identifier: Apache-2.0
"""tools/bench/gpu_report.py on made-up lines."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).parents[2] / "tools/bench/gpu_report.py"


def case(group, name, implementation, us, **more):
    return {"kind": "case", "group": group, "name": name, "dtype": "f16", "implementation": implementation, "median_us": us,
            "low_us": us * 0.9, "high_us": us * 1.1, "rounds": 5, "flops": 2e6, "bytes": 1e6, **more}


DEVICE = {"kind": "device", "name": "Made-Up GPU (80GB)", "backend": "Made-Up, cuDNN 9.0.0", "multiprocessors": 3,
          "memory": 2**34}
LINES = [
    DEVICE,
    case("ceiling", "copy 1 GiB", "copy", 100),
    case("ceiling", "copy 1 GiB", "torch copy", 50),
    case("ceiling", "matmul 8192", "cudnn", 10),
    case("conv", "c1", "implicit_gemm", 40),
    case("conv", "c1", "direct", 400),
    case("conv", "c1", "cudnn", 60),
    case("conv", "c1", "torch eager", 100),
    case("conv", "c2", "implicit_gemm", 80),
    case("conv", "c2", "torch cudnn fused", 40),
    {"kind": "network", "group": "network", "name": "net", "input": [1, 5, 5, 3], "dtype": "f16", "implementation": "atrous",
     "median_us": 500, "low_us": 500, "high_us": 500, "rounds": 5, "flops": 1e6},
    {"kind": "error", "group": "conv", "name": "c3", "reason": "the time was up"},
    {"kind": "test", "tool": "tests", "suite": "Conv", "status": "passed", "seconds": 1},
    {"kind": "test", "tool": "tests", "suite": "Pool", "status": "failed", "seconds": 1},
]


class ReportTest(unittest.TestCase):
    def report(self, *files):
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for i, content in enumerate(files):
                paths.append(pathlib.Path(folder) / f"{i}.jsonl")
                paths[-1].write_text(content)
            done = subprocess.run([sys.executable, SCRIPT, folder, *paths, "--command", "the command"],
                                  capture_output=True, text=True)
            if done.returncode != 0:
                return done, None, None
            to = pathlib.Path(folder) / "made-up-gpu-80gb"
            return done, json.loads(to.with_suffix(".json").read_text()), to.with_suffix(".md").read_text()

    def test_ratios_shares_and_winners(self):
        text = "\n".join(map(json.dumps, LINES))
        _, document, markdown = self.report(text + "\n")
        rows = {row["name"]: row for row in document["rows"]}
        self.assertAlmostEqual(document["ceilings"]["copy"] / 2e10, 1)
        self.assertAlmostEqual(document["ceilings"]["matmul"] / 2e11, 1)
        self.assertAlmostEqual(rows["c1"]["ratio"], 1.5)  # cuDNN is the faster peer
        self.assertAlmostEqual(rows["c2"]["ratio"], 0.5)
        self.assertEqual(rows["c1"]["winner"], "implicit_gemm")
        self.assertEqual(rows["c2"]["winner"], "torch cudnn fused")
        self.assertAlmostEqual(rows["c1"]["share_of_matmul"], 0.25)
        self.assertAlmostEqual(rows["c1"]["share_of_copy"], 50 / 40)
        self.assertNotIn("ratio", rows["net [1, 5, 5, 3]"])
        self.assertNotIn("copy 1 GiB", rows)
        self.assertIn("Geometric mean of the ratios: 0.87", markdown)
        self.assertIn("| c1 | f16 | 40.0 ±10 % | implicit_gemm | 60.0 ±10 % | 100.0 ±10 % | 1.50 |", markdown)
        self.assertIn("PyTorch was not measured", markdown)
        self.assertIn("- tests: 1 suites passed, 1 suites failed", markdown)
        self.assertIn("  - Pool: failed", markdown)
        self.assertIn("- c3 (atrous): the time was up", markdown)
        self.assertIn("`the command`", markdown)

    def test_lines_of_several_files_one_of_them_cut_off(self):
        torch = {"kind": "torch", "torch": "2.0", "cuda": "13.0", "cudnn": 91900}
        _, document, markdown = self.report(json.dumps(DEVICE) + "\n" + json.dumps(LINES[4]) + '\n{"kind": "ca',
                                            json.dumps(torch) + "\n" + json.dumps(LINES[7]))
        self.assertAlmostEqual(document["rows"][0]["ratio"], 2.5)
        self.assertIn("PyTorch 2.0", markdown)

    def test_no_device(self):
        done, _, _ = self.report(json.dumps(LINES[4]))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no line names the device", done.stderr)


if __name__ == "__main__":
    unittest.main()
