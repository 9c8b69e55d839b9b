# SPDX-License-Identifier: Apache-2.0
"""Odd, broken and hostile files as a user meets them: odd ones work, the others give one line and the right exit
status, and no partial file is left. Needs NumPy.

Usage: hostile_test.py PATH_OF_ATROUS
"""
import json
import os
import shutil
import subprocess
import unittest

import numpy as np

import cli_test
from cli_test import SOURCE, drawing, read_mask, write_png

CORPUS = SOURCE / "tests/fuzz/corpus"
CONFIG = ("name: x\nlabels: {classes: [a, b]}\ninput: {policy: native, size: 33}\nweights: x.safetensors\n"
          "network:\n  - {name: a, op: conv2d, out: 2}\n")


def some(kind):
    """A few broken files of a kind; tests/fuzz reads them all, in one process."""
    return sorted((CORPUS / kind).iterdir())[::5]


def turned(jpeg, orientation):
    """The JPEG with an EXIF orientation tag."""
    tag = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0" + bytes([orientation]) + b"\0\0\0\0\0\0"
    return jpeg[:2] + b"\xff\xe1" + (len(tag) + 2).to_bytes(2, "big") + tag + jpeg[2:]


class Hostile(cli_test.Program):
    def left_behind(self):
        return [str(f.relative_to(self.folder)) for f in self.folder.rglob("*.part*")]

    def tearDown(self):
        self.assertEqual(self.left_behind(), [], "temporary files are left")

    def test_images_of_every_kind(self):
        photo = drawing(1)
        kinds = {"one": photo[:1, :1], "row": photo[:1], "column": photo[:, :1], "grey": photo[:, :, 0], "rgb": photo,
                 "deep": photo.astype(np.uint16) * 257, "deep grey": photo[:, :, 0].astype(np.uint16) * 257,
                 "alpha": np.dstack([photo, np.full(photo.shape[:2], 9, np.uint8)]),
                 "Größe und 写真": photo}
        for name, pixels in kinds.items():
            write_png(self.folder / f"photos/{name}.png", pixels)
        shutil.copy(SOURCE / "tests/image/data/cmyk.jpg", self.folder / "photos/cmyk.jpg")
        sample = (SOURCE / "tools/samples/grace_hopper.jpg").read_bytes()
        (self.folder / "photos/upright.jpg").write_bytes(sample)
        (self.folder / "photos/turned.jpg").write_bytes(turned(sample, 6))
        self.run_atrous("segment", "photos", "-o", "out put", "--crf", "--superpixels=20", "--quiet")
        masks = {f.stem: read_mask(f.read_bytes())[0] for f in (self.folder / "out put").glob("*.png")}
        self.assertEqual(set(masks), {*kinds, "cmyk", "upright", "turned"})
        for name, pixels in kinds.items():
            self.assertEqual(masks[name].shape, pixels.shape[:2], name)
        self.assertEqual(masks["turned"].shape, masks["upright"].shape[::-1])
        np.testing.assert_array_equal(masks["deep"], masks["rgb"])
        np.testing.assert_array_equal(masks["alpha"], masks["rgb"])
        np.testing.assert_array_equal(masks["Größe und 写真"], masks["rgb"])

    def test_hostile_images_fail_alone(self):
        shutil.copytree(CORPUS / "image", self.folder / "photos")
        for file in list((self.folder / "photos").iterdir()):
            if not file.suffix or file.suffix == ".gif":  # such are no inputs in a folder
                file.rename(file.with_suffix(".jpg"))
        broken = {f.name for f in (self.folder / "photos").iterdir()}
        (self.folder / "photos/link.png").symlink_to("nowhere")
        (self.folder / "photos/new\nline.png").write_bytes(b"")
        with open(self.folder / "photos/sparse.png", "wb") as sparse:
            sparse.truncate(1 << 40)
        write_png(self.folder / "photos/good.png", drawing(2))
        for extra in ([], ["--batch", 3, "--workers", 2]):
            done = self.run_atrous("segment", "photos", "-o", "out", "--quiet", "--save", "mask,probs,overlay,color",
                                   *extra, status=1)
            lines = done.stderr.decode().splitlines()
            self.assertEqual(len(lines), len(broken) + 3, lines)
            for name in broken | {"link.png", "sparse.png", "new line.png"}:
                self.assertEqual(sum(f"photos/{name}: " in line for line in lines), 1, (name, lines))
            self.assertEqual(sorted(self.read_folder("out")),
                             ["good.color.png", "good.overlay.jpg", "good.png", "good.probs.npy"])
            report = [json.loads(line) for line in (self.folder / "out/report.jsonl").read_text().splitlines()]
            self.assertEqual(sum(line["status"] == "failed" for line in report), len(lines))
        for name in sorted(broken)[::6]:
            done = self.run_atrous("segment", "-", stdin=(self.folder / "photos" / name).read_bytes(), status=2)
            self.assertEqual((done.stdout, len(done.stderr.splitlines())), (b"", 1), name)

    def test_hostile_configs_weights_and_scores(self):
        write_png(self.folder / "i.png", drawing(3, 8, 8))
        for kind in ("config", "network"):
            for file in some(kind):
                text = file.read_bytes()
                (self.folder / "x.yaml").write_bytes(text if kind == "config" else b"name: x\nnetwork:\n" + text)
                self.assert_refused("segment", "i.png", "-m", "x.yaml", "-o", "out", naming="")
        (self.folder / "x.yaml").write_text(CONFIG)
        for file in some("safetensors"):
            shutil.copy(file, self.folder / "x.safetensors")
            self.assert_refused("segment", "i.png", "-m", "x.yaml", "-o", "out", naming="x.safetensors")
        for file in some("npy"):
            self.assert_refused("refine", "i.png", file, "-o", "out/m.png", naming=file.name)
        for file in some("image"):
            np.save(self.folder / "s.npy", np.full((2, 8, 8), 0.5, np.float32))
            self.assert_refused("refine", file, "s.npy", "-o", "out/m.png", naming=file.name)
        self.assertFalse((self.folder / "out").exists())

    def test_hostile_label_maps(self):
        write_png(self.folder / "truth/a.png", np.zeros((8, 8), np.uint8))
        write_png(self.folder / "masks/a.png", np.zeros((8, 8), np.uint8))
        for file in some("mask"):
            shutil.copy(file, self.folder / "truth/b.png")
            write_png(self.folder / "masks/b.png", np.zeros((8, 8), np.uint8))
            done = self.run_atrous("eval", "masks", "truth", "--json", "-q", status=1)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(b"b.png: ", done.stderr)
            self.assertEqual(json.loads(done.stdout)["failed"], 1)
        for odd, said in ((np.zeros((9, 8), np.uint8), b"8x9"), (np.full((8, 8), 99, np.uint8), b"99")):
            write_png(self.folder / "truth/b.png", odd)
            done = self.run_atrous("eval", "masks", "truth", "-q", status=1)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(said, done.stderr)

    def test_outputs_that_cannot_be_written(self):
        folder = self.photos(2)
        (self.folder / "file").write_text("kept")
        for command in (["segment", "photos", "-o", "file"], ["segment", "photos", "-o", "file/out"],
                        ["segment", "photos", "-o", "/dev/null/out"], ["segment", "photos", "-o", "/proc/out"]):
            self.assert_refused(*command, naming=f"{command[-1]}/report.jsonl: cannot be written")
        self.assertEqual((self.folder / "file").read_text(), "kept")
        np.save(self.folder / "s.npy", np.full((2, 90, 70), 0.5, np.float32))
        self.assert_refused("refine", "photos/0.png", "s.npy", "--superpixels=20", "-o", "/dev/full",
                            naming="/dev/full: cannot be written: No space left on device")
        self.assert_refused("refine", "photos/0.png", "s.npy", "--superpixels=20", "-o", "photos",
                            naming="photos: cannot be written")
        self.assertFalse(os.path.isfile("/dev/full"))
        (self.folder / "out/1.png").mkdir(parents=True)
        done = self.run_atrous("segment", "photos", "-o", "out", "--quiet", status=1)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(b"photos/1.png: out/1.png: cannot be written: Is a directory", done.stderr)
        self.assertTrue((self.folder / "out/0.png").is_file())
        before = {f: f.read_bytes() for f in folder.iterdir()}
        for output in ("photos", "./out/../photos"):
            self.assert_refused("segment", "photos", "-o", output, naming="would be overwritten")
        self.assertEqual({f: f.read_bytes() for f in folder.iterdir()}, before)

    def test_an_output_folder_that_is_read_only(self):
        self.photos(2)
        (self.folder / "locked").mkdir(mode=0o500)
        someone = {}
        if os.geteuid() == 0:  # root may write anywhere
            self.folder.chmod(0o755)
            someone = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            try:
                subprocess.run([cli_test.PROGRAM, "--version"], check=True, capture_output=True, cwd="/", **someone)
            except (OSError, LookupError, subprocess.CalledProcessError) as error:
                self.skipTest(f"this is root, and nobody cannot run the program: {error}")
        done = subprocess.run([cli_test.PROGRAM, "segment", "photos", "-o", "locked"], cwd=self.folder,
                              capture_output=True, timeout=300, **someone)
        self.assertEqual((done.returncode, done.stdout), (2, b""), done.stderr)
        self.assertRegex(done.stderr.decode(), "^atrous: locked/report.jsonl: cannot be written: Permission denied\n$")

    def test_a_disk_that_fills_up(self):
        """No partial file, a line a failure, the right status; what there was room for is as it would be anywhere."""
        disk = self.folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "atrous-test", str(disk)], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("a small disk cannot be mounted here: " + mounted.stderr.decode().strip())
        self.addCleanup(subprocess.run, ["umount", str(disk)], check=True)
        self.photos(6)
        self.run_atrous("segment", "photos", "-o", "out", "--quiet", "--save", "mask,probs")
        done = self.run_atrous("segment", "photos", "-o", disk, "--quiet", "--save", "mask,probs", "--report",
                               disk / "r.html", status=1)
        lines = done.stderr.decode().splitlines()
        self.assertTrue(lines and all("cannot be written" in line or "No space left" in line for line in lines), lines)
        whole = self.read_folder("out")
        for name, content in self.read_folder("disk").items():
            if not name.endswith(".html"):
                self.assertEqual(content, whole[name], name)

    def test_files_that_change_after_they_were_listed(self):
        """The first photo is a pipe: when somebody reads it, all are listed, and none is read."""
        self.photos(4)
        photo = (self.folder / "photos/0.png").read_bytes()
        os.mkfifo(self.folder / "pipe.png")
        run = subprocess.Popen([cli_test.PROGRAM, "segment", "pipe.png", "photos", "-o", "out", "-q"], cwd=self.folder,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with open(self.folder / "pipe.png", "wb") as pipe:
            (self.folder / "photos/1.png").unlink()
            (self.folder / "photos/2.png").unlink()
            (self.folder / "photos/2.png").mkdir()
            (self.folder / "photos/3.png").write_bytes(photo[:len(photo) // 2])
            pipe.write(photo)
        _, said = run.communicate(timeout=300)
        self.assertEqual(run.returncode, 1, said)
        self.assertEqual([line.split(": ")[1:] for line in said.decode().splitlines()],
                         [["photos/1.png", "No such file or directory"], ["photos/2.png", "is a folder"],
                          ["photos/3.png", "is cut short"]])
        self.assertEqual(sorted(self.read_folder("out")), ["0.png", "pipe.png"])

    def test_links_that_lead_round(self):
        folder = self.photos(2)
        (folder / "self.png").symlink_to("self.png")
        (folder / "there.png").symlink_to("back.png")
        (folder / "back.png").symlink_to("there.png")
        (folder / "deep").mkdir()
        (folder / "deep/up").symlink_to("..")
        done = self.run_atrous("segment", "photos", "-r", "-o", "out", "--quiet", status=1)
        self.assertEqual([line.split(": ")[1:] for line in done.stderr.decode().splitlines()],
                         [[f"photos/{name}.png", "Too many levels of symbolic links"] for name in ("back", "self", "there")])
        self.assertEqual(sorted(self.read_folder("out")), ["0.png", "1.png"])

    def test_a_stdout_that_is_full_or_gone(self):
        self.photos(3)
        with open("/dev/full", "wb") as full:
            for command, status in ((["models"], 1), (["--version"], 1), (["inspect", "clothing-lite0"], 1),
                                    (["segment", "photos/0.png", "--json", "-o", "out"], 1)):
                done = self.run_atrous(*command, status=status, stdout=full)
                self.assertIn(b"stdout: cannot be written", done.stderr)
            done = self.run_atrous("segment", "-", status=1, stdout=full,
                                   stdin=(self.folder / "photos/0.png").read_bytes())
            self.assertEqual(done.stderr.decode().splitlines(), ["atrous: stdout: cannot be written"])
        run = subprocess.Popen([cli_test.PROGRAM, "segment", "photos", "-o", "gone", "--json", "-q"], cwd=self.folder,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        run.stdout.close()
        with run.stderr:
            self.assertEqual(run.stderr.read().decode().splitlines(), ["atrous: stdout: cannot be written"])
        self.assertEqual(run.wait(timeout=120), 1)
        self.assertEqual(sorted(self.read_folder("gone")), ["0.png", "1.png", "2.png"])

    def test_same_stems(self):
        for i, name in enumerate(("one/a.png", "two/a.png", "two/b.png")):
            write_png(self.folder / name, drawing(i, 20 + i, 30))
        sample = (SOURCE / "tests/image/data/cmyk.jpg").read_bytes()
        (self.folder / "two/a.jpg").write_bytes(sample)
        self.run_atrous("segment", "one", "two", "-o", "flat", "--quiet", "--save", "mask,color")
        names = ["a", "a.jpg", "a.png", "b"]
        self.assertEqual(sorted(self.read_folder("flat")), sorted(f"{n}{e}" for n in names for e in (".png", ".color.png")))
        self.run_atrous("segment", ".", "-r", "-o", "deep", "--quiet")
        self.assertEqual(sorted(self.read_folder("deep/one") | self.read_folder("deep/two")),
                         ["a.png", "a.png.png", "b.png"])

    def test_unknown_options(self):
        write_png(self.folder / "a.png", drawing(1))
        for command in (["segment", "a.png"], ["refine", "a.png", "s.npy", "-o", "m.png"], ["eval", "a.png", "a.png"],
                        ["inspect"], ["bench"], ["models"]):
            self.assert_refused(*command, "--frobnicate", naming="--frobnicate")
        for size in ("0x5", "5x", "-1x5", "1000000x1000000", "x"):
            self.assert_refused("inspect", "clothing-lite0", f"--size={size}", naming="size")
        for case in ("foo", "conv2d:n0h1w1c1:oc1k1", "conv2d:n1h1w1c1:oc1k99999999", "crf:0x0x0", "slic:5"):
            self.assert_refused("bench", "--case", case, naming="")
        self.assertEqual(os.listdir(self.folder), ["a.png"])


if __name__ == "__main__":
    unittest.main()
