# SPDX-License-Identifier: Apache-2.0
"""Folders as a user meets them: the outputs of --save, run.json, --resume, --shard and --report. Needs NumPy.

Usage: batch_test.py PATH_OF_ATROUS
"""
import base64
import html.parser
import json
import os
import shutil
import signal
import subprocess
import time
import unittest

import numpy as np

import cli_test
from cli_test import PROGRAM, read_mask, write_png, write_safetensors

try:
    from pycocotools import mask as coco_mask
    from pycocotools.coco import COCO
except ImportError:
    COCO = None
try:
    import shapely
    from shapely.geometry import shape
except ImportError:
    shapely = None
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def decode_rle(segmentation):
    """[height, width] of 0 and 1, from COCO's compressed run lengths."""
    counts, value, shift = [], 0, 0
    for c in segmentation["counts"].encode():
        group = c - 48
        value |= (group & 31) << shift
        shift += 5
        if not group & 32:
            value -= (1 << shift) if group & 16 else 0
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    height, width = segmentation["size"]
    return np.repeat(np.arange(len(counts)) % 2, counts).reshape(width, height).T


def fill(polygons, height, width):
    """How many rings, even-odd, are around each pixel of a MultiPolygon."""
    inside = np.zeros((height, width), int)
    for ring in (ring for polygon in polygons for ring in polygon):
        for (x, y), (_, to_y) in zip(ring, ring[1:]):
            inside[min(y, to_y):max(y, to_y), x:] ^= 1
    return inside


class Batch(cli_test.Program):
    """A network of one 1x1 convolution: labels as noisy as the photo, and quick."""

    def model(self, seed=1, name="tiny"):
        weights = np.random.default_rng(seed).normal(0, 1, (4, 3, 1, 1)).astype(np.float32)
        write_safetensors(self.folder / f"{name}.safetensors", {"logits.weight": weights})
        (self.folder / f"{name}.yaml").write_text(
            f"name: {name}\nlabels: {{classes: [nothing, hat, shoe, 'a \"bag\"']}}\n"
            f"input: {{policy: native, size: 33, mean: 0.5}}\nweights: {name}.safetensors\n"
            "network: [{name: logits, op: conv2d, out: 4}]\n")
        return f"{name}.yaml"

    def noise(self, count, height=40, width=60):
        for i in range(count):
            random = np.random.default_rng(i)
            blocks = random.integers(0, 255, (height // 4 + 1, width // 4 + 1, 3)).repeat(4, 0).repeat(4, 1)
            image = blocks[:height, :width] + random.integers(0, 60, (height, width, 3))
            write_png(self.folder / f"photos/{i:03}.png", np.clip(image, 0, 255).astype(np.uint8))

    def segment(self, out, *words, inputs="photos", status=0):
        return self.run_atrous("segment", inputs, "-m", "tiny.yaml", "-o", out, *words, status=status)

    def read_json(self, name):
        return json.loads((self.folder / name).read_text())

    def report(self, name):
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]

    def read_outputs(self, name):
        return {key: value for key, value in self.read_folder(name).items()
                if not key.startswith(("report.", "run."))}


class Outputs(Batch):
    def setUp(self):
        super().setUp()
        self.model()
        self.noise(3)
        self.segment("out", "--save", "mask,rle,polygons", "-q")
        self.masks = {f.stem: read_mask(f.read_bytes())[0] for f in (self.folder / "out").glob("*.png")}
        self.assertEqual(len(self.masks), 3)

    def test_run_lengths_and_polygons_give_the_mask_back(self):
        for name, ids in self.masks.items():
            data = self.read_json(f"out/{name}.rle.json")
            self.assertEqual(data["images"], [{"id": 1, "file_name": name + ".png", "width": 60, "height": 40}])
            self.assertEqual([c["name"] for c in data["categories"]], ["nothing", "hat", "shoe", 'a "bag"'])
            back = np.full(ids.shape, 255)
            for annotation in data["annotations"]:
                inside = decode_rle(annotation["segmentation"]).astype(bool)
                self.assertEqual(annotation["area"], inside.sum())
                rows, columns = np.nonzero(inside)
                self.assertEqual(annotation["bbox"], [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1])
                back[inside] = annotation["category_id"]
            np.testing.assert_array_equal(back, ids)
            features = self.read_json(f"out/{name}.geojson")["features"]
            back = np.full(ids.shape, 255)
            for feature in features:
                inside = fill(feature["geometry"]["coordinates"], *ids.shape)
                self.assertEqual(feature["properties"]["area"], inside.sum())
                back[inside == 1] = feature["properties"]["category_id"]
            np.testing.assert_array_equal(back, ids)
            self.assertEqual([f["properties"]["category_name"] for f in features],
                             [a["category_name"] for a in data["annotations"]])

    def test_refine_has_no_such_outputs(self):
        self.assert_refused("refine", "photos/000.png", "x.npy", "-o", "x.png", "--save", "mask,rle", naming="rle")

    @unittest.skipIf(COCO is None, "this Python has no pycocotools")
    def test_pycocotools_reads_the_run_lengths(self):
        for name, ids in self.masks.items():
            coco = COCO(str(self.folder / f"out/{name}.rle.json"))
            for annotation in coco.loadAnns(coco.getAnnIds()):
                inside = ids == annotation["category_id"]
                np.testing.assert_array_equal(coco.annToMask(annotation), inside)
                again = coco_mask.encode(np.asfortranarray(inside, np.uint8))["counts"].decode()
                self.assertEqual(annotation["segmentation"]["counts"], again)

    @unittest.skipIf(shapely is None, "this Python has no shapely")
    def test_shapely_calls_the_polygons_valid(self):
        for name, ids in self.masks.items():
            for feature in self.read_json(f"out/{name}.geojson")["features"]:
                polygons = shape(feature["geometry"])
                self.assertTrue(polygons.is_valid)
                self.assertEqual(polygons.area, (ids == feature["properties"]["category_id"]).sum())
                for polygon in polygons.geoms:
                    self.assertTrue(polygon.exterior.is_ccw)
                    self.assertFalse(any(hole.is_ccw for hole in polygon.interiors))


class Run(Batch):
    def test_what_a_run_says_of_itself(self):
        self.model()
        self.noise(3)
        (self.folder / "photos/bad.png").write_text("no image")
        done = self.segment("out", "--save", "mask,rle", status=1)
        run = self.read_json("out/run.json")
        self.assertEqual(run["command"], [PROGRAM, "segment", "photos", "-m", "tiny.yaml", "-o", "out", "--save", "mask,rle"])
        self.assertEqual({key: run[key] for key in ("model", "device", "shard", "images", "skipped", "done", "failed",
                                                    "interrupted")},
                         {"model": "tiny", "device": "cpu", "shard": "1/1", "images": 4, "skipped": 0, "done": 3, "failed": 1,
                          "interrupted": False})
        self.assertIn(run["version"].encode(), self.run_atrous("--version").stdout)
        self.assertRegex(run["model_digest"], "^[0-9a-f]{16}$")
        log = done.stderr.decode()
        self.assertTrue(set(log).isdisjoint("\r\x1b"), log)  # not a terminal: plain lines
        self.assertRegex(log, r"(?m)^4/4  [0-9.]+ images/s  [0-9.]+ s$")
        self.model(seed=2)
        self.segment("out", status=1)
        self.assertNotEqual(self.read_json("out/run.json")["model_digest"], run["model_digest"])


class Resume(Batch):
    save = ("--save", "mask,overlay,polygons")

    def setUp(self):
        super().setUp()
        self.model()

    def resume(self, out, *words, status=0):
        """Names of the images that --resume does, and run.json."""
        before = {f: f.stat().st_mtime_ns for f in (self.folder / out).rglob("*.png")}
        self.segment(out, "--resume", *words, status=status)
        after = {f: f.stat().st_mtime_ns for f in (self.folder / out).rglob("*.png")}
        return sorted(f.stem for f in after if after[f] != before.get(f)), self.read_json(f"{out}/run.json")

    def test_a_killed_run_is_completed(self):
        """Killed at five moments on the way; what had a line stays as it was, the rest is done, nothing is left over."""
        count = 60
        self.noise(count, 240, 200)
        self.segment("whole", *self.save, "-q")
        command = [PROGRAM, "segment", "photos", "-m", "tiny.yaml", "-o", "out", *self.save, "--resume", "-q",
                   "--workers", "2"]
        report = self.folder / "out/report.jsonl"
        for goal in (1, 8, 17, 30, 44):
            run = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while run.poll() is None and (not report.exists() or report.read_bytes().count(b"\n") < goal):
                time.sleep(0.002)
            run.send_signal(signal.SIGKILL)
            run.wait(timeout=60)
            done = self.read_outputs("out")
            for name, content in done.items():
                if ".part" not in name:
                    self.assertEqual(content, self.read_outputs("whole")[name], "a partial file")
        lines = report.read_bytes()
        report.write_bytes(lines + lines[:100])  # a line cut short
        lines = lines.splitlines()
        self.assertTrue(44 <= len(lines) < count)
        (self.folder / "out/059.png.part77-3").write_text("of the run that was killed")
        (self.folder / "out/059.png.partial").write_text("of somebody else")
        done, run = self.resume("out", *self.save)
        self.assertEqual(done, [f"{i:03}" for i in range(len(lines), count)])
        self.assertEqual((run["skipped"], run["done"], run["images"]), (len(lines), count - len(lines), count))
        self.assertEqual(report.read_bytes().splitlines()[:len(lines)], lines)
        self.assertEqual([line["name"] for line in self.report("out/report.jsonl")], [f"{i:03}" for i in range(count)])
        self.assertEqual((self.folder / "out/059.png.partial").read_text(), "of somebody else")
        (self.folder / "out/059.png.partial").unlink()
        self.assertEqual(self.read_outputs("out"), self.read_outputs("whole"))

    def test_only_what_is_as_it_was_is_done(self):
        self.noise(6)
        (self.folder / "photos/bad.png").write_text("no image")
        done, run = self.resume("out", *self.save, status=1)
        self.assertEqual(done, [f"00{i}" for i in range(6)])
        self.assertEqual((run["skipped"], run["done"], run["failed"]), (0, 6, 1))
        self.assertEqual(self.resume("out", *self.save, status=1)[0], [], "only the failed image")
        self.assertEqual(self.read_json("out/run.json")["failed"], 1)

        os.utime(self.folder / "photos/000.png", (1, 1))
        (self.folder / "photos/001.png").write_bytes((self.folder / "photos/002.png").read_bytes())
        (self.folder / "out/003.geojson").unlink()
        (self.folder / "out/004.overlay.jpg").write_bytes(b"somebody else's")
        (self.folder / "photos/bad.png").write_bytes((self.folder / "photos/005.png").read_bytes())
        done, run = self.resume("out", *self.save)
        self.assertEqual(done, ["000", "001", "003", "004", "bad"])
        self.assertEqual((run["skipped"], run["done"], run["failed"]), (2, 5, 0))
        said = self.run_atrous("segment", "photos", "-m", "tiny.yaml", "-o", "out", *self.save, "--resume", "--json")
        self.assertEqual(said.stdout, b"")
        self.assertIn(b"7 of 7 images were done before, 0 to do\n", said.stderr)
        self.assertEqual(sorted(line["name"] for line in self.report("out/report.jsonl")),
                         ["000", "001", "002", "003", "004", "005", "bad"])

        for words in (["--flip", *self.save], ["--scales", "0.5", *self.save], ["--superpixels=20", *self.save],
                      ["--box", "1,1,20,20", *self.save], ["--save", "mask"]):
            said = self.segment("out", "--resume", *words)
            self.assertIn(b"0 of 7 images were done before, 7 to do (7 again", said.stderr, words)
        self.segment("out", "--resume", "-q", *self.save)
        self.model(seed=2)
        self.assertEqual(len(self.resume("out", *self.save)[0]), 7, "the weights are others")
        self.segment("fresh", *self.save, "-q")
        self.assertEqual(self.read_outputs("out"), self.read_outputs("fresh"))

    def test_neither_workers_nor_where_it_runs_matter(self):
        self.noise(4)
        self.segment("out", *self.save, "-q")
        photos = self.folder / "photos"
        self.assertEqual(self.resume("out", *self.save, "--workers", "2", "--batch", "3", "--threads", "1")[0], [])
        done = self.run_atrous("segment", photos, "-m", self.folder / "tiny.yaml", "-o", self.folder / "out", *self.save,
                               "--resume")
        self.assertIn(b"4 of 4 images were done before", done.stderr)

    def test_another_folder_into_the_same_output(self):
        self.noise(2)
        write_png(self.folder / "more/x.png", np.zeros((9, 9, 3), np.uint8))
        self.segment("out", "-q")
        self.segment("out", "-q", "--resume", inputs="more")
        self.assertEqual([line["name"] for line in self.report("out/report.jsonl")], ["000", "001", "x"])
        self.assertEqual(self.resume("out")[0], [])

    def test_hostile_reports(self):
        self.noise(2)
        self.segment("out", "-q")
        good = (self.folder / "out/report.jsonl").read_bytes()
        strange = b'\n{}\n[]\n7\n{"name":7}\n{"name":"000","source":5,"outputs":[]}\n' + b"[" * 5000 + b"\n\xff\xfe\n\0\n"
        (self.folder / "out/report.jsonl").write_bytes(strange + good + good[:-30])
        self.assertEqual(self.resume("out")[0], [])
        (self.folder / "out/report.9-of-9.jsonl").write_bytes(strange)
        (self.folder / "out/report.jsonl").write_bytes(b"")
        self.assertEqual(self.resume("out")[0], ["000", "001"])

    def test_names_that_are_no_text(self):
        self.noise(1)
        for name in (b"\xff.png", b"\xfe.png", "\u00e4 \"'<&.png".encode()):
            with open(os.path.join(os.fsencode(self.folder), b"photos", name), "wb") as file:
                file.write((self.folder / "photos/000.png").read_bytes())
        self.segment("out", "-q")
        self.assertEqual(self.read_json("out/run.json")["done"], 4)
        self.assertEqual(self.resume("out")[0], [])
        self.assertEqual(self.read_json("out/run.json")["skipped"], 4)

    def test_images_from_stdin_cannot_be_resumed(self):
        self.assert_refused("segment", "-", "--resume", naming="--resume")


class Shard(Batch):
    def setUp(self):
        super().setUp()
        self.model()
        self.noise(8)
        write_png(self.folder / "photos/deep/000.png", np.zeros((5, 7, 3), np.uint8))
        write_png(self.folder / "photos/001.jpg.png", np.zeros((5, 7, 3), np.uint8))
        (self.folder / "photos/001.bmp").write_bytes((self.folder / "photos/001.png").read_bytes())

    def test_all_shards_make_the_whole(self):
        words = ["-r", "--save", "mask,rle"]
        self.segment("whole", *words, "-q")
        whole = self.read_outputs("whole")
        self.assertEqual(len(whole), 22, "three files are called 001")
        runs = [subprocess.Popen([PROGRAM, "segment", "photos", "-m", "tiny.yaml", "-o", "out", *words, "-q", "--shard",
                                  f"{i}/3"], cwd=self.folder, stderr=subprocess.PIPE) for i in (1, 2, 3)]
        for run in runs:
            self.assertEqual((run.communicate(timeout=120)[1], run.returncode), (b"", 0))
        self.assertEqual(self.read_outputs("out"), whole)
        names = [[line["name"] for line in self.report(f"out/report.{i}-of-3.jsonl")] for i in (1, 2, 3)]
        self.assertEqual([len(part) for part in names], [4, 4, 3])
        self.assertEqual(len(set(sum(names, []))), 11)
        self.assertEqual(self.read_json("out/run.2-of-3.json")["shard"], "2/3")

        self.segment("out", *words, "-q", "--shard", "2/3", "--resume")
        self.assertEqual(self.read_json("out/run.2-of-3.json")["skipped"], 4)
        (self.folder / "out/deep/000.png").unlink()
        self.segment("out", *words, "-q", "--resume")  # in one piece: takes over what the shards did
        self.assertEqual({k: self.read_json("out/run.json")[k] for k in ("skipped", "done")}, {"skipped": 10, "done": 1})
        self.assertEqual(len(self.report("out/report.jsonl")), 11)
        self.assertEqual(self.read_outputs("out"), whole)

    def test_a_report_is_not_believed_when_others_wrote_since(self):
        self.segment("out", "-q", "--shard", "1/2")
        self.segment("out", "-q", "--flip", "--scales", "0.5")
        self.segment("out", "-q", "--shard", "1/2", "--resume")
        self.assertEqual(self.read_json("out/run.1-of-2.json")["skipped"], 0)

    def auto(self, **variables):
        done = subprocess.run([PROGRAM, "segment", "photos", "-m", "tiny.yaml", "-o", "out", "-q", "--shard", "auto"],
                              cwd=self.folder, env={**os.environ, **{k: str(v) for k, v in variables.items()}},
                              capture_output=True, timeout=120)
        return done.returncode, done.stderr.decode()

    def test_auto(self):
        self.assertEqual(self.auto(SLURM_ARRAY_TASK_ID=7, SLURM_ARRAY_TASK_COUNT=4, SLURM_ARRAY_TASK_MIN=5), (0, ""))
        self.assertTrue((self.folder / "out/report.3-of-4.jsonl").exists())
        self.assertEqual(self.auto(JOB_COMPLETION_INDEX=0, JOB_COMPLETIONS=2), (0, ""))
        self.assertTrue((self.folder / "out/report.1-of-2.jsonl").exists())
        for naming, variables in (("SLURM_ARRAY_TASK_ID", {}), ("JOB_COMPLETIONS", {"JOB_COMPLETION_INDEX": 0}),
                                  ("SLURM_ARRAY_TASK_MIN", {"SLURM_ARRAY_TASK_ID": 1})):
            status, said = self.auto(**variables)
            self.assertEqual((status, said.count("\n")), (2, 1), said)
            self.assertIn(naming, said)

    def test_refusals(self):
        for text in ("0/3", "4/3", "1", "1/", "/3", "1/0", "a/b", "-1/3", "1/3/2", "1/99999999999999999999"):
            self.assert_refused("segment", "photos", f"--shard={text}", naming=text)
        self.assert_refused("segment", "-", "--shard", "1/2", naming="--shard")

    def test_more_shards_than_images(self):
        self.segment("out", "-q", "--shard", "40/40")
        self.assertEqual(self.read_json("out/run.40-of-40.json")["images"], 0)
        self.assertEqual(self.read_outputs("out"), {})


class Page(html.parser.HTMLParser):
    """The articles of a page, as text; and every tag with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.articles, self.hidden, self.tags, self.inside = [], [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "article":
            self.inside = True
            self.articles.append("")
            self.hidden.append("hidden" in dict(attributes))

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "article"

    def handle_data(self, data):
        if self.inside:
            self.articles[-1] += data + "\n"


class Report(Batch):
    names = ["<script>document.title='x'<!--", "\"><img src=x onerror=alert(1)> '&amp;", "plain", "x]]><b>"]

    def setUp(self):
        super().setUp()
        self.model()
        for i, name in enumerate(self.names):
            write_png(self.folder / f"photos/{name}.png", cli_test.drawing(i, 300, 500))
        (self.folder / "photos/cut <i>.jpg").write_bytes(cli_test.PHOTO.read_bytes()[:4000])
        self.segment("out", "--report", "pages/r.html", "-q", status=1)
        self.text = (self.folder / "pages/r.html").read_text()

    def test_one_page_that_needs_nothing_else(self):
        self.assertEqual([f.name for f in (self.folder / "pages").iterdir()], ["r.html"])
        page = Page(self.text)
        self.assertEqual(len(page.articles), 5)
        for name in self.names:
            self.assertEqual(sum(name + "\n" in article for article in page.articles), 1, name)
        failed = [article for article in page.articles if "cut <i>\n" in article]
        self.assertIn("failed: photos/cut <i>.jpg: ", failed[0])
        images = [attributes for tag, attributes in page.tags if tag == "img"]
        self.assertEqual(len(images), 4)
        for attributes in images:
            kind, _, data = attributes["src"].partition(",")
            self.assertEqual(kind, "data:image/jpeg;base64")
            self.assertEqual(base64.b64decode(data, validate=True)[:2], b"\xff\xd8")
            self.assertEqual((attributes["width"], attributes["height"]), ("192", "115"))
        self.assertEqual([tag for tag, _ in page.tags].count("script"), 1)
        for tag, attributes in page.tags:
            self.assertNotIn(tag, ("link", "iframe", "object", "embed", "a"))
            self.assertTrue(set(attributes).isdisjoint({"href", "onerror", "onload", "srcset"}), attributes)
        for line in self.report("out/report.jsonl"):
            total = sum(line["pixels"].values())
            for name, pixels in line["pixels"].items():
                self.assertTrue(any(f"{name} {100 * pixels / total:.1f}%" in article for article in page.articles))

    def test_a_resumed_run_has_all_images(self):
        self.segment("out", "--report", "r.html", "-q", "--resume", status=1)
        page = Page((self.folder / "r.html").read_text())
        self.assertEqual(len(page.articles), 5)
        self.assertIn("5 images, 1 failed", (self.folder / "r.html").read_text())

    def test_refusals(self):
        self.assert_refused("segment", "photos", "--report", "photos/plain.png", naming="photos/plain.png")
        self.assert_refused("segment", "photos", "-m", "tiny.yaml", "-q", "--report", "/dev/null/r.html",
                            naming="/dev/null/r.html")
        self.assert_refused("segment", "-", "--report", "r.html", naming="--report")

    @unittest.skipIf(CHROMIUM is None, "there is no Chromium here")
    def test_a_browser_shows_and_searches_it(self):
        def show(words, failures):
            script = f"<script>words.value = {json.dumps(words)}; failures.checked = {json.dumps(failures)};" \
                     "words.dispatchEvent(new Event('input'));</script></body>"
            (self.folder / "s.html").write_text(self.text.replace("</body>", script))
            done = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
                                   f"--user-data-dir={self.folder}/profile", f"file://{self.folder}/s.html"],
                                  capture_output=True, timeout=120)
            text = done.stdout.decode()
            self.assertIn("<title>atrous report</title>", text)
            page = Page(text)
            shown = [article for article, hidden in zip(page.articles, page.hidden) if not hidden]
            self.assertIn(f"{len(shown)} of 5 images", text)
            return shown
        self.assertEqual(len(show("", False)), 5)
        self.assertEqual(len(show("", True)), 1)
        self.assertIn("plain", "".join(show("PLAIN png", False)))
        self.assertEqual(show("plain failed", False), [])


if __name__ == "__main__":
    unittest.main()
