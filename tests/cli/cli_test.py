# SPDX-License-Identifier: Apache-2.0
"""The program as a user meets it: exit statuses, one line a failure, outputs that are whole. Needs NumPy.

Usage: cli_test.py PATH_OF_ATROUS
"""
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

import numpy as np

PROGRAM = os.path.abspath(sys.argv.pop(1))
SOURCE = pathlib.Path(__file__).resolve().parents[2]
PHOTO = SOURCE / "tools/samples/photographer.jpg"


def png_chunks(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at = 8
    while at < len(data):
        size, = struct.unpack(">I", data[at:at + 4])
        yield data[at + 4:at + 8], data[at + 8:at + 8 + size]
        at += 12 + size


def read_mask(data):
    """The ids of an 8-bit indexed PNG, and its palette."""
    header, palette, packed = None, None, b""
    for kind, content in png_chunks(data):
        header = struct.unpack(">IIBBBBB", content) if kind == b"IHDR" else header
        palette = np.frombuffer(content, np.uint8).reshape(-1, 3) if kind == b"PLTE" else palette
        packed += content if kind == b"IDAT" else b""
    width, height, depth, color = header[:4]
    assert (depth, color) == (8, 3), "must be an 8-bit indexed PNG"
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, width + 1)
    ids = np.zeros((height, width), np.uint8)
    for y in range(height):  # filters: none, sub, up, average, paeth
        line, kind = rows[y, 1:].astype(int), rows[y, 0]
        above = ids[y - 1].astype(int) if y else np.zeros(width, int)
        for x in range(width):
            a, b, c = (ids[y, x - 1] if x else 0), above[x], (above[x - 1] if x else 0)
            p = int(a) + int(b) - int(c)
            nearest = min((abs(p - int(a)), 0, a), (abs(p - int(b)), 1, b), (abs(p - int(c)), 2, c))[2]
            ids[y, x] = (line[x] + (0, a, b, (int(a) + int(b)) // 2, nearest)[kind]) % 256
    return ids, palette


def write_png(path, pixels):
    """[height, width] grey, or with 3 (RGB) or 4 (RGBA) channels; of 8 or 16 bits."""
    height, width = pixels.shape[:2]
    color = {1: 0, 3: 2, 4: 6}[pixels.shape[2] if pixels.ndim == 3 else 1]
    depth = 8 * pixels.itemsize
    raw = b"".join(b"\0" + row.astype(f">u{pixels.itemsize}").tobytes() for row in pixels)

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


def write_safetensors(path, tensors):
    """Arrays of 32-bit floating point or 64-bit whole numbers by name."""
    header, data = {}, b""
    for name, value in tensors.items():
        header[name] = {"dtype": {"f": "F32", "i": "I64"}[value.dtype.kind], "shape": value.shape,
                        "data_offsets": [len(data), len(data) + value.nbytes]}
        data += value.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def drawing(seed, height=90, width=70):
    random = np.random.default_rng(seed)
    image = np.full((height, width, 3), random.integers(0, 255, 3), np.uint8)
    image[20:70, 20:50] = random.integers(0, 255, 3)
    return (image + random.integers(0, 9, image.shape)).astype(np.uint8)


class Program(unittest.TestCase):
    """Runs the program in a folder of the test's own."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="atrous-test-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def run_atrous(self, *words, status=0, stdin=None, stdout=subprocess.PIPE):
        sanitizer = f"exitcode=99:log_path={self.folder}/sanitizer-report"  # the program keeps stderr to itself
        environment = {**os.environ, "NO_COLOR": "1", "ASAN_OPTIONS": sanitizer, "UBSAN_OPTIONS": sanitizer}
        done = subprocess.run([PROGRAM, *map(str, words)], cwd=self.folder, stdout=stdout, stderr=subprocess.PIPE,
                              input=stdin, env=environment, timeout=300)
        reports = "".join(f.read_text() for f in self.folder.glob("sanitizer-report*"))
        if status is not None:  # which the caller looks at
            self.assertEqual(done.returncode, status, done.stderr.decode() + reports)
        self.assertEqual(reports, "", words)
        return done

    def assert_refused(self, *words, naming, status=2):
        done = self.run_atrous(*words, status=status)
        lines = done.stderr.decode().splitlines()
        self.assertEqual(done.stdout, b"", words)
        self.assertEqual(len(lines), 1, (words, lines))
        self.assertIn(naming, lines[0])
        self.assertTrue(lines[0].startswith("atrous: "), lines)

    def photos(self, count=4):
        for i in range(count):
            write_png(self.folder / f"photos/{i}.png", drawing(i))
        return self.folder / "photos"

    def read_folder(self, name):
        skipped = ("run.json", "report.jsonl")
        return {str(f.relative_to(self.folder / name)): f.read_bytes()
                for f in (self.folder / name).rglob("*") if f.is_file() and f.name not in skipped}


class Cli(Program):
    def test_help_and_version(self):
        self.assertIn(b"segment", self.run_atrous("--help").stdout)
        self.assertIn(b"backends: cpu", self.run_atrous("--version").stdout)
        self.assertIn(b"clothing-lite0", self.run_atrous("models").stdout)

    def test_a_real_photo(self):
        done = self.run_atrous("segment", PHOTO, "-o", "out", "--save", "mask,overlay,color,probs", "--crf",
                               "--superpixels", "--json")
        line = json.loads(done.stdout)
        ids, palette = read_mask((self.folder / "out/photographer.png").read_bytes())
        self.assertEqual(ids.shape, (line["height"], line["width"]))
        self.assertEqual(sum(line["pixels"].values()), ids.size)
        self.assertEqual(tuple(palette[255]), (224, 224, 192))
        person = (ids > 0).mean()
        self.assertTrue(0.05 < person < 0.9, f"{person:.0%} of the photo is a person")
        probs = np.load(self.folder / "out/photographer.probs.npy")
        self.assertEqual(probs.dtype, np.float16)
        self.assertEqual(probs.shape[1:], ids.shape)
        self.assertLess(np.abs(probs.astype(np.float32).sum(0) - 1).max(), 0.01)
        agree = (probs.argmax(0) == ids).mean()
        self.assertGreater(agree, 0.999)
        names = sorted(f.name for f in (self.folder / "out").iterdir())
        self.assertEqual(names, ["photographer.color.png", "photographer.overlay.jpg", "photographer.png",
                                 "photographer.probs.npy", "report.jsonl", "run.json"])

    def test_active_template_regression_shows_its_templates(self):
        self.run_atrous("segment", PHOTO, "-m", "atr", "-o", "out", "--save", "mask,templates,probs")
        ids, _ = read_mask((self.folder / "out/photographer.png").read_bytes())
        probs = np.load(self.folder / "out/photographer.probs.npy").astype(np.float32)
        self.assertEqual(probs.shape, (14, *ids.shape))
        np.testing.assert_allclose(probs.sum(0), 1, atol=5e-3)
        self.assertGreater((ids > 0).mean(), 0.02)
        self.assertEqual((self.folder / "out/photographer.templates.jpg").read_bytes()[:2], b"\xff\xd8")

    def test_import(self):
        model = SOURCE / "tests/import/data/toy.onnx"
        done = self.run_atrous("import", model, "-o", "models", "--name", "mine", "--mean", "0.4,0.5,0.6", "--std", "0.2")
        self.assertEqual(done.stdout.decode(), "models/mine.yaml\n")
        self.assertEqual(sorted(self.read_folder("models")), ["mine.safetensors", "mine.yaml"])
        self.assertIn("mean: [0.4, 0.5, 0.6], std: [0.2, 0.2, 0.2]", (self.folder / "models/mine.yaml").read_text())
        self.run_atrous("import", model, "-o", "models")
        self.run_atrous("segment", PHOTO, "-m", "models/toy.yaml", "-o", "imported")
        self.run_atrous("segment", PHOTO, "-m", model, "-o", "direct")
        self.assertEqual(self.read_folder("imported"), self.read_folder("direct"))
        self.assert_refused("import", PHOTO, "-o", "none", naming="photographer.jpg")
        self.assert_refused("import", model, "-o", "none", "--labels", "voc", naming="label set 'voc'")
        self.assert_refused("import", model, "-o", "none", "--size", "0x4", naming="--size")
        self.assertFalse((self.folder / "none").exists())

    def test_stdin_gives_the_same_mask(self):
        self.photos(1)
        self.run_atrous("segment", "photos/0.png", "-o", "out", "--quiet")
        data = (self.folder / "photos/0.png").read_bytes()
        done = self.run_atrous("segment", "-", stdin=data)
        self.assertEqual(done.stdout, (self.folder / "out/0.png").read_bytes())
        self.run_atrous("segment", "-", "-o", "other", stdin=data)
        self.assertEqual(done.stdout, (self.folder / "other/stdin.png").read_bytes())
        self.assert_refused("segment", "-", "--save", "overlay", naming="need -o")
        self.assert_refused("segment", "-", "--json", naming="need -o")
        broken = self.run_atrous("segment", "-", stdin=data[:200], status=2)
        self.assertEqual(broken.stdout, b"")
        self.assertIn(b"stdin: ", broken.stderr)

    def test_a_broken_image_fails_alone(self):
        folder = self.photos(3)
        (folder / "bad.jpg").write_bytes(PHOTO.read_bytes()[:4000])
        (folder / "empty.png").write_bytes(b"")
        (folder / "words.webp").write_text("words")
        done = self.run_atrous("segment", "photos", "-o", "out", "--quiet", status=1)
        self.assertEqual(len(done.stderr.decode().splitlines()), 3, done.stderr)
        self.assertEqual(sorted(self.read_folder("out")), ["0.png", "1.png", "2.png"])
        report = [json.loads(line) for line in (self.folder / "out/report.jsonl").read_text().splitlines()]
        self.assertEqual([line["status"] for line in report], ["ok"] * 3 + ["failed"] * 3)
        self.assertIn("bad.jpg", report[3]["error"])

    def test_same_bytes_however_the_work_is_spread(self):
        self.photos(5)
        write_png(self.folder / "photos/deep/0.png", drawing(9, 40, 130))
        base = ["segment", "photos", "-r", "--save", "mask,probs", "--superpixels=50", "--quiet"]
        self.run_atrous(*base, "-o", "a")
        first = self.read_folder("a")
        self.assertIn("deep/0.png", first)
        for i, extra in enumerate((["--batch", 3], ["--workers", 2], ["--threads", 1], ["--workers", 3, "--batch", 2])):
            self.run_atrous(*base, "-o", f"b{i}", *extra)
            self.assertEqual(self.read_folder(f"b{i}"), first, extra)

    def test_a_photo_alone_gives_what_it_gives_among_others(self):
        """Whatever extents the network has seen before."""
        for i, extent in enumerate(((90, 70), (40, 30), (90, 71), (40, 130))):
            write_png(self.folder / f"photos/{i}.png", drawing(i, *extent))
        self.run_atrous("segment", "photos", "-o", "together", "-q")
        for i in range(4):
            self.run_atrous("segment", f"photos/{i}.png", "-o", "alone", "-q")
        self.assertEqual(self.read_folder("together"), self.read_folder("alone"))

    def test_refusals_are_one_line(self):
        self.photos(1)
        self.assert_refused(naming="--help")
        self.assert_refused("segment", naming="input")
        self.assert_refused("segment", "photos", "--frobnicate", naming="--frobnicate")
        self.assert_refused("frobnicate", naming="frobnicate")
        self.assert_refused("segment", "-photo.jpg", naming="-photo.jpg")
        self.assert_refused("segment", "missing.jpg", naming="missing.jpg")
        self.assert_refused("segment", "photos", "-m", "nope", naming="nope")
        self.assert_refused("segment", "photos", "--device", "tpu", naming="tpu")
        self.assert_refused("segment", "photos", "--device", "cuda:99", naming="cuda:99")
        self.assert_refused("segment", "photos", "--precision", "fp8", naming="fp8")
        self.assert_refused("segment", "photos", "--crf=nope", naming="nope")
        self.assert_refused("segment", "photos", "--crf=iterations=-1", naming="iterations")
        self.assert_refused("segment", "photos", "--superpixels=0.5", naming="0.5")
        self.assert_refused("segment", "photos", "--superpixels", "300", naming="--superpixels=300")
        self.assert_refused("segment", "photos", "--crf", "deeplab-v2-resnet", naming="--crf=deeplab-v2-resnet")
        self.assert_refused("segment", "photos", "--max-failures", "-1", naming="range 0 to 1000000000")
        self.assert_refused("segment", "photos", "--scales", "1,x", naming="'x'")
        self.assert_refused("segment", "photos", "--scales", "0", naming="scales")
        self.assert_refused("segment", "photos", "--save", "templates", naming="template_morph")
        self.assert_refused("segment", "photos", "--save", "mask,gif", naming="gif")
        self.assert_refused("segment", "photos", "--batch", "0", naming="--batch")
        (self.folder / "none").mkdir()
        self.assert_refused("segment", "none", naming="none: there are no images")
        (self.folder / "none/clip.mp4").write_text("")
        self.assert_refused("segment", "none", naming="a video is taken where it is named itself")
        (self.folder / "file").write_text("")
        self.assert_refused("segment", "photos", "-o", "file/out", naming="file/out")

    def test_broken_models_are_refused(self):
        self.photos(1)
        network = "network:\n  - {name: logits, op: conv2d, out: 2, bias: true}\n"
        head = "name: x\nlabels: {classes: [a, b]}\ninput: {policy: native, size: 33}\n"
        good = {"logits.weight": np.zeros((2, 3, 1, 1), np.float32), "logits.bias": np.zeros(2, np.float32)}

        def model(yaml, tensors=None, raw=None):
            (self.folder / "m").mkdir(exist_ok=True)
            (self.folder / "m/x.yaml").write_text(yaml)
            if tensors is not None:
                write_safetensors(self.folder / "m/x.safetensors", tensors)
            if raw is not None:
                (self.folder / "m/x.safetensors").write_bytes(raw)
            return ["segment", "photos", "-m", "m/x.yaml", "-o", "out"]
        whole = head + "weights: x.safetensors\n" + network
        self.run_atrous(*model(whole, good))
        shutil.rmtree(self.folder / "out")
        wrong = {**good, "logits.weight": np.zeros((2, 4, 1, 1), np.float32)}
        self.assert_refused(*model(whole, wrong), naming="logits")
        self.assert_refused(*model(whole, {"logits.weight": good["logits.weight"]}), naming="logits.bias")
        self.assert_refused(*model(whole, {**good, "logits.bias": np.zeros(2, np.int64)}), naming="logits.bias")
        self.assert_refused(*model(whole, raw=b"\xff" * 64), naming="x.safetensors")
        self.assert_refused(*model(whole, raw=b""), naming="x.safetensors")
        text = json.dumps({"logits.weight": {"dtype": "F32", "shape": [2, 3, 1, 1], "data_offsets": [0, 2**63]}}).encode()
        self.assert_refused(*model(whole, raw=struct.pack("<Q", len(text)) + text), naming="x.safetensors")
        (self.folder / "m/x.safetensors").unlink()
        self.assert_refused(*model(whole), naming="x.safetensors")
        self.assert_refused(*model(whole + "colour: red\n"), naming="x.yaml:7")
        self.assert_refused(*model(head + "network:\n  - {name: a, block: nope}\n"), naming="nope")
        cycle = "network:\n  - {name: a, block: p}\nblocks:\n  p:\n    nodes:\n      - {name: q, block: p}\n"
        self.assert_refused(*model(head + cycle), naming="p")
        bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9))
        self.assert_refused(*model(bomb), naming="x.yaml")
        self.assertFalse((self.folder / "out").exists())

    def test_nan_weights_are_named(self):
        self.photos(1)
        (self.folder / "x.yaml").write_text("name: x\nlabels: {classes: [a, b]}\ninput: {policy: native, size: 33}\n"
                                            "weights: x.safetensors\nnetwork:\n"
                                            "  - {name: logits, op: conv2d, out: 2}\n")
        write_safetensors(self.folder / "x.safetensors", {"logits.weight": np.full((2, 3, 1, 1), np.nan, np.float32)})
        self.assert_refused("segment", "photos", "-m", "x.yaml", "-o", "out", naming="NaN")
        self.assertFalse((self.folder / "out").exists())

    def test_output_stride(self):
        """Of a network without rates of its own, coarser scores are the denser ones at every second point."""
        random, tensors, channels = np.random.default_rng(6), {}, 3
        nodes = []
        for i, out in enumerate((4, 5, 6, 7, 8)):
            tensors[f"backbone.c{i}.weight"] = random.normal(0, 0.4, (out, channels, 3, 3)).astype(np.float32)
            nodes += [f"{{name: c{i}, op: conv2d, out: {out}, kernel: 3, stride: 2}}", f"{{name: r{i}, op: relu}}"]
            channels = out
        tensors["logits.weight"] = random.normal(0, 1, (3, channels, 1, 1)).astype(np.float32)
        write_safetensors(self.folder / "x.safetensors", tensors)
        (self.folder / "x.yaml").write_text(
            "labels: 3\ninput: {size: 97, multiple: 32, offset: 1}\noutput_stride: 16\nweights: x.safetensors\n"
            f"blocks: {{strided: {{nodes: [{', '.join(nodes)}]}}}}\n"
            "network: [{name: backbone, block: strided}, {name: logits, op: conv2d, out: 3}]\n")
        scores, masks = {}, {}
        self.photos(1)
        for stride in ("", "8", "16", "32"):
            option = ["--output-stride", stride] if stride else []
            self.run_atrous("bench", "x.yaml", "--iterations", "1", "--output", "scores.npy", *option)
            scores[stride] = np.load(self.folder / "scores.npy")
            self.run_atrous("segment", "photos/0.png", "-m", "x.yaml", "-o", f"out{stride}", "-q", *option)
            masks[stride] = (self.folder / f"out{stride}/0.png").read_bytes()
        self.assertEqual([scores[s].shape for s in ("8", "16", "32")], [(3, 13, 13), (3, 7, 7), (3, 4, 4)])
        self.assertGreater(np.ptp(scores["32"]), 0.1)
        for dense, coarse in (("8", "16"), ("16", "32"), ("16", "")):
            step = 1 if coarse == "" else 2
            np.testing.assert_allclose(scores[dense][:, ::step, ::step], scores[coarse], rtol=0, atol=1e-5)
        self.assertEqual(masks[""], masks["16"])
        self.assertNotEqual(masks["8"], masks["32"])
        for stride, side in (("8", 65), ("16", 33), ("32", 17)):
            done = self.run_atrous("inspect", "deeplabv3_mobilenet_v2", "--output-stride", stride, "--json")
            self.assertEqual(json.loads(done.stdout)["output"], f"[1,{side},{side},21]")
        self.assert_refused("inspect", "deeplabv3_mobilenet_v2", "--output-stride", "5", naming="--output-stride")
        self.assert_refused("segment", "photos", "--output-stride", "8", naming="no 'output_stride' that could be changed")

    def test_refine(self):
        image = drawing(3)
        write_png(self.folder / "i.png", image)
        inside = np.zeros(image.shape[:2])
        inside[20:70, 20:50] = 1
        random = np.random.default_rng(1)
        noisy = np.clip(0.5 + 0.25 * (2 * inside - 1) + random.normal(0, 0.2, inside.shape), 0.02, 0.98)
        np.save(self.folder / "p.npy", np.stack([1 - noisy, noisy]).astype(np.float32))
        np.save(self.folder / "u.npy", -np.log(np.stack([1 - noisy, noisy])).astype(np.float32))
        np.save(self.folder / "l.npy", np.log(np.stack([1 - noisy, noisy])).astype(np.float16))
        self.run_atrous("refine", "i.png", "p.npy", "-o", "p.png", "--crf", "--save", "mask,probs")
        ids, _ = read_mask((self.folder / "p.png").read_bytes())
        self.assertGreater((ids == inside).mean(), 0.99)
        self.assertLess((np.where(noisy > 0.5, 1, 0) == inside).mean(), 0.95)
        self.assertEqual(np.load(self.folder / "p.probs.npy").shape, (2, 90, 70))
        for kind in ("unary", "logits"):
            self.run_atrous("refine", "i.png", f"{kind[0]}.npy", "-o", f"{kind}.png", "--scores", kind, "--crf")
            other, _ = read_mask((self.folder / f"{kind}.png").read_bytes())
            self.assertGreater((other == ids).mean(), 0.999, kind)
        self.run_atrous("refine", "i.png", "p.npy", "-o", "s.png", "--crf-on", "superpixels", "--save", "mask,probs")
        on_superpixels, _ = read_mask((self.folder / "s.png").read_bytes())
        self.assertGreater((on_superpixels == inside).mean(), 0.98)
        self.assertFalse((np.load(self.folder / "s.probs.npy") == np.load(self.folder / "p.probs.npy")).all())
        self.assert_refused("refine", "i.png", "p.npy", "-o", "x.png", "--crf=off", "--crf-on", "superpixels",
                            naming="the CRF is off")
        self.assert_refused("refine", "i.png", "l.npy", "-o", "x.png", naming="l.npy")
        np.save(self.folder / "small.npy", np.full((2, 5, 5), 0.5, np.float32))
        self.assert_refused("refine", "i.png", "small.npy", "-o", "x.png", naming="small.npy")
        np.save(self.folder / "nan.npy", np.full((2, 90, 70), np.nan, np.float32))
        self.assert_refused("refine", "i.png", "nan.npy", "-o", "x.png", naming="NaN")
        self.assert_refused("refine", "i.png", "missing.npy", "-o", "x.png", naming="missing.npy")
        self.assertFalse((self.folder / "x.png").exists())
        photo, scores = (self.folder / "i.png").read_bytes(), (self.folder / "p.probs.npy").read_bytes()
        self.assert_refused("refine", "i.png", "p.npy", "-o", "./i.png", naming="i.png: is an input")
        self.assert_refused("refine", "i.png", "p.probs.npy", "-o", "p.png", "--save", "mask,probs",
                            naming="p.probs.npy: is an input")
        self.assertEqual((self.folder / "i.png").read_bytes(), photo)
        self.assertEqual((self.folder / "p.probs.npy").read_bytes(), scores)

    def test_eval(self):
        self.photos(3)
        self.run_atrous("segment", "photos", "-o", "masks", "--quiet")
        (self.folder / "masks/run.json").unlink()
        scores = json.loads(self.run_atrous("eval", "masks", "masks", "--json", "-q").stdout)
        self.assertEqual(scores["images"], 3)
        self.assertEqual(next(iter(scores["variants"].values()))["pixel_accuracy"], 1.0)
        both = json.loads(self.run_atrous("eval", "photos", "masks", "-m", "clothing-lite0", "--json", "-q").stdout)
        self.assertEqual(next(iter(both["variants"].values()))["pixel_accuracy"], 1.0)
        write_png(self.folder / "other/0.png", np.zeros((4, 4), np.uint8))
        done = self.run_atrous("eval", "masks", "other", "-q", status=1)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(b"4x4", done.stderr)
        write_png(self.folder / "other/0.png", np.full((90, 70), 19, np.uint8))
        self.assert_refused("eval", "masks", "other", "-q", status=1, naming="other/0.png: id 19 is none of label set")
        self.assert_refused("eval", "masks", "missing", naming="missing")

    def test_inspect_and_bench(self):
        plan = self.run_atrous("inspect", "deeplabv3_resnet50", "--plan", "--size", "65").stdout.decode()
        self.assertIn("layer4", plan)
        self.assertIn("39.6", self.run_atrous("inspect", "deeplabv3_resnet50").stdout.decode())
        json.loads(self.run_atrous("inspect", "clothing-lite0", "--json").stdout)
        self.assertIn(b"digraph", self.run_atrous("inspect", "clothing-lite0", "--dot").stdout)
        mobile = json.loads(self.run_atrous("inspect", "deeplabv3_mobilenet_v2", "--json").stdout)
        self.assertAlmostEqual(mobile["macs"] / 1e9, 2.75, delta=0.02)  # the published figure
        timed = json.loads(self.run_atrous("bench", "clothing-lite0", "--size", "65x81", "--iterations", "2", "--json",
                                           "--output", "scores.npy").stdout)
        self.assertGreater(timed["peak_rss_bytes"], 1 << 20)
        self.assertGreater(timed["first_ms"], timed["min_ms"])  # a run and more
        once = json.loads(self.run_atrous("bench", "clothing-lite0", "--size", "33", "--seconds", "0", "--json",
                                          "--nodes").stdout)
        self.assertEqual(once["runs"], 1)
        self.assertIn("classifier", [node["node"] for node in once["nodes"]])
        scores = np.load(self.folder / "scores.npy")
        self.assertEqual((scores.dtype, scores.shape), (np.float32, (14, 17, 21)))
        self.assertTrue(np.isfinite(scores).all() and scores.std() > 0)
        self.assert_refused("bench", "clothing-lite0", "--seconds", "nan", naming="--seconds")
        self.assert_refused("inspect", "clothing-lite0", "--dot", "--json", naming="--json")
        self.assert_refused("bench", "clothing-lite0", "--size", "33x33", "--iterations", "1", "--batch", "2",
                            "--output", "scores.npy", naming="--output")

    def test_interrupt_writes_the_report(self):
        for i in range(40):
            write_png(self.folder / f"photos/{i:02}.png", drawing(i, 250, 200))
        for number in signal.SIGINT, signal.SIGTERM:
            out = number.name
            run = subprocess.Popen([PROGRAM, "segment", "photos", "-o", out, "--crf"], cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            run.stdout.readline()  # the first image is done
            run.send_signal(number)
            run.stdout.read()
            self.assertEqual(run.wait(timeout=120), 130)
            run.stdout.close()
            report = [json.loads(line) for line in (self.folder / out / "report.jsonl").read_text().splitlines()]
            self.assertTrue(0 < len(report) < 40)
            self.assertEqual(len(self.read_folder(out)), len(report))


if __name__ == "__main__":
    unittest.main()
