# SPDX-License-Identifier: Apache-2.0
"""Runs an importer and the engine as programs, for the tests of the importers."""
import json
import pathlib
import subprocess
import sys
import unittest

import numpy as np

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77    # the exit status that ctest shows as "Skipped"


def run_importer(script, *words):
    return subprocess.run([sys.executable, SOURCE / "tools/import" / script, *map(str, words)], capture_output=True,
                          text=True, timeout=120)


def import_model(script, *words):
    """The config's path."""
    done = run_importer(script, *words)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return pathlib.Path(done.stdout.strip())


def run_tflite(*words):
    return run_importer("tflite.py", *words)


def import_tflite(model, folder, *words):
    """The config's path."""
    return import_model("tflite.py", model, "-o", folder, *words)


def read_safetensors(path):
    """Arrays by name, of a file in 32-bit floating point."""
    data = path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    header, content = json.loads(data[8:begin]), data[begin:]
    arrays = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32", entry
        first, last = entry["data_offsets"]
        arrays[name] = np.frombuffer(content[first:last], "<f4").reshape(entry["shape"])
    return arrays


def network_scores(program, config, pixels, folder):
    """The logits [h, w, classes] that the engine makes of u8 pixels [h, w, 3]."""
    pixels.tofile(folder / "pixels")
    done = subprocess.run([program, config, *map(str, pixels.shape[:2]), folder / "pixels", folder / "scores"],
                          capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return np.fromfile(folder / "scores", np.float32).reshape(*pixels.shape[:2], -1)


def main():
    """unittest.main on the words behind the first; a run in which every test was skipped exits with SKIPPED."""
    result = unittest.main(argv=sys.argv[:1] + sys.argv[2:], verbosity=2, exit=False).result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.testsRun == len(result.skipped) else 0)
