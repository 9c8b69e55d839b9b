# SPDX-License-Identifier: Apache-2.0
"""`atrous models`: what is here, what is not, and that the printed imports make what the configs look for. Needs NumPy.

Usage: models_test.py PATH_OF_ATROUS
"""
import importlib
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import unittest
from unittest import mock

import numpy as np

import cli_test
from cli_test import SOURCE

sys.path += [str(SOURCE / "tests/import"), str(SOURCE / "tools/import")]
import torch_pickle  # noqa: E402

CONFIGS = sorted(file.stem for folder in ("deeplab", "parsing") for file in (SOURCE / "configs" / folder).glob("*.yaml"))
TINY = """name: tiny
task: test
labels: {classes: [a, b]}
weights: tiny.safetensors
weights_from:
  file: some checkpoint.pth
  publisher: the test
  import: python3 tools/import/pytorch.py 'some checkpoint.pth' -c tiny -o models
input: {policy: native, size: 33}
network:
  - {name: logits, op: conv2d, out: 2, bias: true}
"""


class Models(cli_test.Program):
    def models(self):
        listed = json.loads(self.run_atrous("models", "--json").stdout)
        self.assertEqual(json.loads(self.run_atrous("models", "--available", "--json").stdout), listed)
        return {model["name"]: model for model in listed}

    def available(self):
        """(the lines below each model's first, the lines at the end)"""
        models, end = {}, []
        for line in self.run_atrous("models", "--available").stdout.decode().splitlines():
            if line.startswith("    "):
                what, text = line[4:].split(maxsplit=1)
                models[name].append((what, text))
            elif line.startswith("Imports run in "):
                end.append(line)
            else:
                name, state = line.split(": weights ")
                models[name] = [("state", state)]
        return models, end

    def test_every_config_is_listed(self):
        with mock.patch.dict(os.environ):
            os.environ.pop("ATROUS_MODEL_PATH", None)
            models, (texts, end) = self.models(), self.available()
        self.assertEqual(sorted(models), CONFIGS)
        self.assertEqual(sorted(texts), CONFIGS)
        self.assertEqual(end, [f"Imports run in {SOURCE}/, where the file to get lies too."])
        table = self.run_atrous("models").stdout.decode().splitlines()
        columns = {line.index(models[line.split()[0]]["task"]) for line in table}
        self.assertEqual((len(table), len(columns)), (len(CONFIGS), 1))
        self.assertTrue(models["clothing-lite0"]["available"] and models["atr"]["available"])
        for name, model in models.items():
            origin, text = model["weights_from"], texts[name]
            if model["available"]:
                self.assertTrue(all(pathlib.Path(file).is_file() for file in model["weights"]), model)
                self.assertEqual(text, [("state", "here"), *(("file", file) for file in model["weights"])])
            elif "none" in origin:
                self.assertEqual(text, [("state", "not here"), ("none", origin["none"])])
            else:
                at = [("at", origin["url"])] if origin["url"] else []
                self.assertEqual(text, [("state", "not here"), ("get", origin["file"]), ("of", origin["publisher"]), *at,
                                        ("import", origin["import"])])

    def test_shipped_imports_are_commands_that_fit_their_configs(self):
        """Each names a program of tools/import, which takes the words as they are, reads the file to get and writes the weights
        that the config names into the models folder of the source tree."""
        checked = 0
        for name, model in self.models().items():
            origin = model["weights_from"]
            if not origin or "none" in origin:
                continue
            python, script, *words = shlex.split(origin["import"])
            self.assertEqual((python, str(pathlib.PurePath(script).parent)), ("python3", "tools/import"), name)
            program = importlib.import_module(pathlib.PurePath(script).stem)
            options = program.make_program().parse_args(words)
            self.assertEqual(os.path.basename(options.model), origin["file"], name)
            self.assertEqual(options.output, "models", name)
            self.assertTrue((SOURCE / f"configs/deeplab/{options.config}.yaml").is_file(), name)
            self.assertEqual(pathlib.PurePath(model["weights"][0]).name, f"{options.name or options.config}.safetensors", name)
            checked += 1
        self.assertGreaterEqual(checked, 13)

    def test_an_import_as_printed_makes_the_model_work(self):
        root = self.folder / "root"
        shutil.copytree(SOURCE / "tools/import", root / "tools/import", ignore=shutil.ignore_patterns("__pycache__"))
        (root / "configs/deeplab").mkdir(parents=True)
        (root / "configs/deeplab/tiny.yaml").write_text(TINY)
        self.photos(1)
        with mock.patch.dict(os.environ, ATROUS_MODEL_PATH=str(root)):
            texts, end = self.available()
            what = dict(texts["tiny"])
            self.assertEqual((what["state"], what["get"]), ("not here", "some checkpoint.pth"))
            self.assertNotIn("at", what)
            self.assertIn(f"Imports run in {root}/, where the file to get lies too.", end)
            self.assert_refused("segment", "photos", "-m", "tiny", "-o", "out", naming="tiny.safetensors")
            torch_pickle.save({"logits.weight": torch_pickle.View(np.ones((2, 3, 1, 1), np.float32)),
                               "logits.bias": torch_pickle.View(np.array([0, 9], np.float32))}, root / what["get"])
            command = what["import"].replace("python3", shlex.quote(sys.executable), 1)
            subprocess.run(command, shell=True, cwd=root, check=True, stdout=subprocess.DEVNULL)
            self.assertEqual(self.available()[0]["tiny"], [("state", "here"), ("file", f"{root}/models/tiny.safetensors")])
            self.run_atrous("segment", "photos", "-m", "tiny", "-o", "out", "-q")
            self.assertTrue((cli_test.read_mask((self.folder / "out/0.png").read_bytes())[0] == 1).all())

    def test_a_broken_config_is_named_and_the_others_are_listed(self):
        (self.folder / "configs/deeplab").mkdir(parents=True)
        (self.folder / "configs/deeplab/tiny.yaml").write_text(TINY.replace("  publisher: the test\n", ""))
        (self.folder / "configs/deeplab/bare.yaml").write_text(TINY[:TINY.index("weights_from")].replace("tiny", "bare")
                                                               + TINY[TINY.index("input:"):])
        with mock.patch.dict(os.environ, ATROUS_MODEL_PATH=str(self.folder)):
            done = self.run_atrous("models", "--available", status=1)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(b"tiny.yaml:6: weights_from: must have 'file', 'publisher' and 'import'", done.stderr)
        self.assertIn("bare: weights not here\n    none    its config does not say where to get them\n", done.stdout.decode())
        self.assertNotIn(b"tiny:", done.stdout)


if __name__ == "__main__":
    unittest.main()
