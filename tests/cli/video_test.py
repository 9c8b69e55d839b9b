# SPDX-License-Identifier: Apache-2.0
"""Videos as a user meets them: frames' masks, the overlay video, broken files, --resume, and that keeping what did not
change gives the same bytes. Needs NumPy; skips where OpenCV cannot read an uncompressed AVI or write an MP4.

Usage: video_test.py PATH_OF_ATROUS
"""
import json
import signal
import struct
import subprocess
import unittest

import numpy as np

import cli_test
from cli_test import PROGRAM, read_mask, write_png
from strided_network import write_network


def chunk(kind, content):
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def write_avi(path, frames, rate=10):
    """Uncompressed RGB frames [height, width, 3]."""
    height, width = frames[0].shape[:2]
    row = (width * 3 + 3) // 4 * 4
    pictures = []
    for frame in frames:
        lines = np.zeros((height, row), np.uint8)
        lines[:, :width * 3] = frame[::-1, :, ::-1].reshape(height, width * 3)
        pictures.append(lines.tobytes())
    size = height * row
    header = struct.pack("<14I", 1000000 // rate, size * rate, 0, 0x10, len(frames), 0, 1, size, width, height, 0, 0, 0, 0)
    stream = struct.pack("<4s4sIHHIIIIIIII4H", b"vids", b"DIB ", 0, 0, 0, 0, 1, rate, 0, len(frames), size, 0xffffffff, 0,
                         0, 0, width, height)
    bitmap = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, size, 0, 0, 0, 0)
    index = b"".join(struct.pack("<4sIII", b"00db", 0x10, 4 + i * (8 + size), size) for i in range(len(frames)))
    streams = chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", bitmap))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(chunk(b"RIFF", b"AVI " + chunk(b"LIST", b"hdrl" + chunk(b"avih", header) + streams)
                           + chunk(b"LIST", b"movi" + b"".join(chunk(b"00db", p) for p in pictures))
                           + chunk(b"idx1", index)))


def scene(seed=1, height=120, width=152):
    """A still background."""
    random = np.random.default_rng(seed)
    slope = np.add.outer(np.arange(height) * random.uniform(0.2, 1), np.arange(width) * random.uniform(0.2, 1))
    return (slope[:, :, None] + random.integers(0, 40, (height, width, 3))).astype(np.uint8)


def moving(count=6):
    """A small object moves before the background."""
    frames = []
    for i in range(count):
        frame = scene().copy()
        frame[20:30, 10 + 3 * i:20 + 3 * i] = (250, 10, 10)
        frames.append(frame)
    return frames


class Video(cli_test.Program):
    def setUp(self):
        super().setUp()
        write_network(self.folder, "input: {policy: native, size: 64, mean: 0.5}", rate=2)
        write_avi(self.folder / "probe.avi", [scene(2, 8, 8)])
        if b"no decoder" in self.segment("probe.avi", "-o", "probe", status=None).stderr:
            self.skipTest("this OpenCV cannot read an uncompressed AVI")

    def segment(self, *words, status=0):
        return self.run_atrous("segment", *words, "-m", "strides.yaml", status=status)

    def report(self, out="out"):
        return [json.loads(line) for line in (self.folder / out / "report.jsonl").read_text().splitlines()]

    def outputs(self, out):
        return {name: data for name, data in self.read_folder(out).items() if not name.endswith(".mp4")}

    def test_frames_are_what_photos_would_be(self):
        frames = moving()
        write_avi(self.folder / "in/clip.avi", frames)
        for i, frame in enumerate(frames):
            write_png(self.folder / f"photos/{i:06}.png", frame)
        done = self.segment("in/clip.avi", "-o", "out", "--save", "mask,color")
        self.segment("photos", "-o", "out/photos", "--save", "mask,color", "-q")
        masks = self.outputs("out")
        self.assertEqual(len(masks), 24)
        for i in range(6):
            for ending in (".png", ".color.png"):
                self.assertEqual(masks[f"clip/{i:06}{ending}"], masks[f"photos/{i:06}{ending}"], i)
        *lines, video = self.report()
        self.assertEqual([(line["name"], line["frame"]) for line in lines], [(f"clip/{i:06}", i) for i in range(6)])
        self.assertEqual((video["name"], video["status"], video["frames"], video["width"]), ("clip", "ok", 6, 152))
        self.assertIn("in/clip.avi: 6 frames, ", done.stderr.decode())
        self.assertIn("frames/s, 0 % of tiles reused", done.stderr.decode())
        self.segment("photos/%06d.png", "-o", "pattern", "-q")
        pattern = self.outputs("pattern")
        self.assertEqual(sorted(pattern), [f"photos/{i:06}.png" for i in range(6)])
        self.assertTrue(all(pattern[name] == masks[name] for name in pattern))

    def test_every_and_frames(self):
        write_avi(self.folder / "clip.avi", moving(9))
        self.segment("clip.avi", "-o", "out", "--every", "3", "--frames", "2", "-q")
        self.assertEqual(sorted(self.outputs("out")), ["clip/000000.png", "clip/000003.png"])
        self.segment("clip.avi", "-o", "all", "-q")
        self.assertEqual(self.outputs("out")["clip/000003.png"], self.outputs("all")["clip/000003.png"])

    def test_reuse_gives_the_same_bytes(self):
        still, shifted = [scene()] * 4, [np.roll(scene(), 8 * i, 1) for i in range(4)]
        clips = {"moving": moving(), "still": still, "shifted": shifted, "new": [scene(i) for i in range(4)]}
        for name, frames in clips.items():
            write_avi(self.folder / f"{name}.avi", frames)
        clips = sorted(clips)
        for words in (["--tile", "64"], [], ["--tile", "64:16", "--superpixels=100", "--workers", "2"]):
            words += ["-q", *(f"{name}.avi" for name in clips)]
            self.segment(*words, "-o", "reused")
            self.segment(*words, "-o", "computed", "--no-reuse", "--batch", "2")
            self.assertEqual(self.read_folder("reused"), self.read_folder("computed"), words)
            videos = [line for line in self.report("reused") if "frames" in line]
            reused = {line["name"]: line["tiles_reused"] / line["tiles"] for line in videos}
            self.assertEqual({line["tiles_reused"] for line in self.report("computed") if "frames" in line}, {0})
            if "--workers" not in words:
                self.assertEqual([reused[name] for name in ("still", "new", "shifted")], [3 / 4, 0, 0], words)
                self.assertEqual(0.3 < reused["moving"] < 0.8, "--tile" in words, words)
        masks = self.outputs("computed")
        self.assertEqual(len({masks[name] for name in masks if name.startswith("moving/")}), 6, "the object is seen")

    def test_the_overlay_is_a_video(self):
        write_avi(self.folder / "clip.avi", moving())
        done = self.segment("clip.avi", "-o", "out", "--save", "overlay", "-q", status=None)
        if b"no encoder for MP4" in done.stderr:
            self.skipTest("this OpenCV cannot write MP4")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(self.read_folder("out")), ["clip.overlay.mp4"])
        self.segment("out/clip.overlay.mp4", "-o", "again", "-q")
        masks = self.outputs("again")
        self.assertEqual(len(masks), 6)
        self.assertEqual(read_mask(masks["clip.overlay/000000.png"])[0].shape, (120, 152))
        self.assert_refused("segment", "clip.avi", "out/clip.overlay.mp4", "-o", "out", "--save", "overlay",
                            "-m", "strides.yaml", naming="out/clip.overlay.mp4: is an input")

    def test_broken_videos_fail_alone(self):
        write_avi(self.folder / "in/good.avi", moving())
        data = (self.folder / "in/good.avi").read_bytes()
        broken = {"empty.mp4": b"", "words.mkv": b"words" * 9, "list.mp4": b"#EXTM3U\n/etc/passwd\n",
                  "header.avi": data[:200], "magic.mp4": b"\0\0\0\x18ftypmp42" + b"\xff" * 400,
                  "magic.webm": b"\x1a\x45\xdf\xa3" + b"\xff" * 400}
        for name, content in broken.items():
            (self.folder / "in" / name).write_bytes(content)
        done = self.segment("in/*", "-o", "out", "-q", "--save", "mask,overlay", status=1)
        said = done.stderr.decode().splitlines()
        self.assertEqual(len(said), len(broken), said)
        for name, line in zip(sorted(broken), said):
            self.assertIn(f"in/{name}: ", line)
        self.assertEqual({line["name"]: line["status"] for line in self.report() if "frame" not in line},
                         {**{name.split(".")[0]: "failed" for name in sorted(broken)}, "magic.webm": "failed", "good": "ok"})
        self.assertTrue(all(name.startswith("good") for name in self.read_folder("out")))
        self.assert_refused("segment", "camera:999", "-m", "strides.yaml", "-q", naming="camera:999", status=1)
        self.assert_refused("segment", "none.mp4", "-m", "strides.yaml", naming="none.mp4")

    def test_a_video_that_ends_early_says_so(self):
        write_avi(self.folder / "clip.avi", moving())
        data = (self.folder / "clip.avi").read_bytes()
        (self.folder / "cut.avi").write_bytes(data[:len(data) * 2 // 3])
        done = self.segment("cut.avi", "-o", "out", "-q")
        self.assertRegex(done.stderr.decode(), r"cut\.avi: [34] frames can be read of the 6 that it claims to have\n")

    def test_a_half_done_video_is_done_again(self):
        write_avi(self.folder / "a.avi", moving()), write_avi(self.folder / "b.avi", moving())
        words = ["a.avi", "b.avi", "-q", "--save", "mask,color"]
        self.segment(*words, "-o", "whole")
        self.segment(*words, "-o", "out")
        report = self.folder / "out/report.jsonl"
        lines = report.read_text().splitlines(keepends=True)
        report.write_text("".join(lines[:10]))  # a and three frames of b
        (self.folder / "out/b/000003.png.part7-7").write_text("of the run that was killed")
        (self.folder / "out/b/000002.png").write_text("")

        def resumed():
            before = {f: f.stat().st_mtime_ns for f in (self.folder / "out").rglob("*.png")}
            self.segment(*words, "-o", "out", "--resume")
            self.assertEqual(self.read_folder("out"), self.read_folder("whole"))
            names = [line["name"] for line in self.report()]
            self.assertEqual(sorted(names), sorted(json.loads(line)["name"] for line in lines))
            return {f.parent.name for f in before if f.stat().st_mtime_ns != before[f]}
        self.assertEqual(resumed(), {"b"})
        self.assertEqual(resumed(), set())
        (self.folder / "out/a/000005.png").unlink()
        self.assertEqual(resumed(), {"a"})

    def test_interrupted(self):
        write_avi(self.folder / "clip.avi", [scene(i, 64, 80) for i in range(300)])
        program = subprocess.Popen([PROGRAM, "segment", "clip.avi", "-m", "strides.yaml", "-o", "out", "--json",
                                    "--crf=iterations=5", "--save", "mask,overlay"], cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertIn(b"clip/000000", program.stdout.readline())
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=120)
        self.assertEqual(program.returncode, 130)
        report = self.report()
        self.assertTrue(0 < len(report) < 300)
        self.assertTrue(all("frame" in line for line in report))
        self.assertEqual(sorted(self.read_folder("out")), [f"{line['name']}.png" for line in report])

    def test_photos_beside_videos_keep_their_files(self):
        write_avi(self.folder / "clip.avi", moving(2))
        write_png(self.folder / "photos/clip/000000.png", scene(3))
        write_png(self.folder / "clip.png", scene(4))
        self.segment("clip.avi", "photos", "clip.png", "-r", "-o", "out", "-q")
        self.assertEqual(sorted(self.outputs("out")),
                         ["clip.avi/000000.png", "clip.avi/000001.png", "clip.png", "clip/000000.png"])
        self.assert_refused("segment", "photos/clip/%06d.png", "-o", "photos", "-m", "strides.yaml", naming="photos/clip")


if __name__ == "__main__":
    unittest.main()
