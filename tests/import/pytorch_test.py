# SPDX-License-Identifier: Apache-2.0
"""The importer of PyTorch checkpoints: files built here, and torchvision's networks where it is installed."""
import os
import pathlib
import pickle
import subprocess
import sys
import tempfile
import unittest
import zipfile

import numpy as np

import harness
import torch_pickle
from torch_pickle import View

sys.path.append(str(harness.SOURCE / "tools/import"))
from pytorch_names import renamed  # noqa: E402
from refusal import Refusal  # noqa: E402
from torch_file import read_tensors  # noqa: E402

try:
    import torch
    import torchvision
except ImportError:
    torchvision = None


def run(*words):
    return subprocess.run([sys.executable, harness.SOURCE / "tools/import/pytorch.py", *map(str, words)], capture_output=True,
                          text=True, timeout=300)


class Folder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        self.file = self.folder / "m.pth"


class TorchFile(Folder):
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)

    def read(self):
        return {name: tensor.array() for name, tensor in read_tensors(self.file).items()}

    def test_reads_views_types_and_wrappers(self):
        document = {"epoch": 3, "model_state": {"a": View(self.values), "t": View(self.values, (4, 3), (1, 4), 12),
                                                "h": View(self.values.astype(np.float16)), "n": View(np.array([7])),
                                                "b": View((np.array([1.5, -2.0], np.float32).view(np.uint32) >> 16).astype(np.uint16))}}
        for save in (torch_pickle.save, torch_pickle.save_legacy):
            save(document, self.file)
            got = self.read()
            np.testing.assert_array_equal(got["a"], self.values)
            np.testing.assert_array_equal(got["t"], self.values[1].T)
            np.testing.assert_array_equal(got["h"], self.values.astype(np.float16))
            np.testing.assert_array_equal(got["b"], [1.5, -2.0])
            self.assertEqual(got["n"], [7])

    def test_refuses_tensors_outside_their_storage(self):
        for view in (View(self.values, (2, 13), (12, 1)), View(self.values, (2,), (1,), 23), View(self.values, (-1,), (1,)),
                     View(self.values, (2,), (-1,), 4), View(self.values, (2, 2), (1,)), View(self.values, (1 << 62, 4), (1 << 62, 1))):
            torch_pickle.save({"a": view}, self.file)
            with self.assertRaises(Refusal):
                self.read()

    def test_runs_nothing(self):
        class Harmful:
            def __reduce__(self):
                return os.system, (f"touch {outer.folder}/ran",)

        outer = self
        with zipfile.ZipFile(self.file, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps({"a": Harmful()}, 2))
        with self.assertRaises(Refusal):
            self.read()
        self.assertFalse((self.folder / "ran").exists())

    def test_refuses_broken_files_in_one_line(self):
        torch_pickle.save({"a": View(self.values)}, self.file)
        whole = self.file.read_bytes()
        rng = np.random.default_rng(5)
        torch_pickle.save_legacy({"a": View(self.values)}, self.file)
        legacy = self.file.read_bytes()
        for content in [b"", b"PK", *(data[:cut] for data in (whole, legacy) for cut in range(0, len(data), 37)),
                        *(self.mutated(data, rng) for data in (whole, legacy) for _ in range(150))]:
            self.file.write_bytes(content)
            try:
                self.read()
            except Refusal:
                pass
        self.file.write_bytes(b"not a checkpoint")
        done = run(self.file, "-c", "fcn_resnet50", "-o", self.folder / "out")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(str(self.file), done.stderr)
        self.assertFalse((self.folder / "out").exists())

    @staticmethod
    def mutated(data, rng):
        changed = bytearray(data)
        for at in rng.integers(len(changed), size=3):
            changed[at] = rng.integers(256)
        return bytes(changed)


class Names(unittest.TestCase):
    def test_known_families(self):
        kazuto = renamed({"base.layer1.conv1.conv.weight": 1, "base.layer1.conv1.bn.bias": 2, "base.layer4.block23.conv3x3.bn.weight": 3,
                          "base.aspp.c3.bias": 4, "base.layer2.block1.reduce.bn.num_batches_tracked": 5}, "deeplabv2_resnet101_msc")
        self.assertEqual(kazuto, {"backbone.conv1.weight": 1, "backbone.bn1.bias": 2, "backbone.layer4.22.conv3x3.bn.weight": 3,
                                  "aspp.c3.bias": 4})
        plain = renamed({"module.backbone.conv1.weight": 1, "aux_classifier.0.weight": 2}, "deeplabv3_resnet50")
        self.assertEqual(plain, {"backbone.conv1.weight": 1})
        with self.assertRaises(Refusal):
            renamed({"module.a": 1, "a": 2}, "deeplabv3_resnet50")


@unittest.skipUnless(torchvision, "torchvision is not installed")
class Torchvision(Folder):
    def test_scores_agree(self):
        torch.manual_seed(1)
        rng = np.random.default_rng(1)
        pixels = rng.integers(0, 256, (520, 520, 3), dtype=np.uint8)
        image = (torch.from_numpy(pixels / 255.0).float() - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
        for name in ("lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large", "fcn_resnet50", "deeplabv3_resnet50"):
            with self.subTest(name):
                network = getattr(torchvision.models.segmentation, name)(weights=None, weights_backbone=None, num_classes=21).eval()
                for module in network.modules():
                    if isinstance(module, torch.nn.BatchNorm2d):
                        module.running_mean.uniform_(-0.1, 0.1), module.running_var.uniform_(0.5, 1.5)
                        module.weight.data.uniform_(0.5, 1.5), module.bias.data.uniform_(-0.1, 0.1)
                torch.save(network.state_dict(), self.file)
                done = run(self.file, "-c", name, "-o", self.folder)
                self.assertEqual(done.returncode, 0, done.stderr)
                with torch.no_grad():
                    wanted = network(image.permute(2, 0, 1)[None])["out"][0].permute(1, 2, 0).numpy()
                got = harness.network_scores(sys.argv[1], done.stdout.strip(), pixels, self.folder)
                error = np.abs(got - wanted).max() / np.abs(wanted).max()
                print(f"{name}: largest error {error:.1e} of the largest score")
                self.assertLess(error, 1e-4)


if __name__ == "__main__":
    harness.main()
