# SPDX-License-Identifier: Apache-2.0
"""src/python/examples/ray_segment.py on a local Ray cluster: the masks of Model.segment, and a broken photo costs no other."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import atrous

SOURCE = pathlib.Path(__file__).resolve().parents[2]


class RayTest(unittest.TestCase):
    def test_writes_what_one_model_writes(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            for sub in "", "more", "more/deep":
                shutil.copytree(SOURCE / "tools/samples", folder / "photos" / sub, dirs_exist_ok=True)
            broken = folder / "photos/more/broken.JPG"
            broken.write_bytes(b"\xff\xd8 no photo")
            done = subprocess.run([sys.executable, SOURCE / "src/python/examples/ray_segment.py", "photos", "out", "--actors=2"],
                                  cwd=folder, capture_output=True, text=True, timeout=240)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertRegex(done.stderr, rf"(?m)^{broken}: .*JPEG")
            photos = sorted((folder / "photos").rglob("*.jpg"))
            masks = sorted(file for file in (folder / "out").rglob("*") if file.is_file())
            self.assertEqual([mask.relative_to(folder / "out") for mask in masks],
                             [photo.relative_to(folder / "photos").with_suffix(".png") for photo in photos])
            self.assertEqual(len(masks), 9)
            model = atrous.Model(threads=1)
            for photo, mask in zip(photos, masks):
                model.segment(photo).save(folder / "mask.png")
                self.assertEqual(mask.read_bytes(), (folder / "mask.png").read_bytes(), photo)


if __name__ == "__main__":
    unittest.main()
