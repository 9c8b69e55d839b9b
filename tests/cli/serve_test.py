# SPDX-License-Identifier: Apache-2.0
"""The server as clients meet it, kind ones and others: the bytes of `segment`, batches, limits, metrics, its end.
Needs NumPy.

Usage: serve_test.py PATH_OF_ATROUS
"""
import concurrent.futures
import gzip
import http.client
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import time
import unittest

import batch_test
import numpy as np
from cli_test import PHOTO, PROGRAM, SOURCE, drawing, write_png

SANITIZED = any(name in pathlib.Path(PROGRAM).read_bytes() for name in (b"__asan_init", b"__tsan_init"))
KINDS = {"mask": ".png", "overlay": ".overlay.jpg", "color": ".color.png", "probs": ".probs.npy", "rle": ".rle.json",
         "polygons": ".geojson"}


def form(content, name="image", file_name="photo.jpg", boundary="xx--yy"):
    """Body and headers of a form with a part before the image."""
    part = '--{}\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n'
    body = (part.format(boundary, "note", "").encode() + b"a note\r\n"
            + part.format(boundary, name, f'; filename="{file_name}"').encode() + content + f"\r\n--{boundary}--\r\n".encode())
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def post(body, path="/v1/segment", headers=""):
    """A request as its bytes."""
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


class Server(batch_test.Batch):
    """Servers of a network of one convolution, unless a test says otherwise."""
    last_status = 0

    def serve(self, *words, model="tiny.yaml"):
        if model == "tiny.yaml":
            self.model()
        sanitizer = f"exitcode=99:log_path={self.folder}/sanitizer-report"
        log = self.folder / "log"
        with open(log, "wb") as stderr:
            self.server = subprocess.Popen([PROGRAM, "serve", "--port", "0", "-m", model, *map(str, words)],
                                           cwd=self.folder, stderr=stderr,
                                           env={**os.environ, "ASAN_OPTIONS": sanitizer, "UBSAN_OPTIONS": sanitizer})
        self.addCleanup(self.end)
        while not log.read_text().endswith("\n"):
            self.assertIsNone(self.server.poll(), log.read_text())
            time.sleep(0.01)
        self.port = int(re.search(r"http://127\.0\.0\.1:(\d+)$", log.read_text().strip())[1])

    def end(self):
        """Asks it to end; it must, with nothing to say, where it has not already."""
        self.server.send_signal(signal.SIGTERM)
        status = self.server.wait(timeout=120)
        reports = "".join(f.read_text() for f in self.folder.glob("sanitizer-report*"))
        self.assertEqual((status, reports), (self.last_status, ""))
        self.assertEqual(len((self.folder / "log").read_text().splitlines()), 1)

    def ask(self, path, body=None, headers={}, method=None):
        """Status, headers and content."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def connect(self, data=b""):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=120)
        self.addCleanup(connection.close)
        connection.sendall(data)
        return connection

    def read(self, connection):
        """What comes until the server closes."""
        data = b""
        try:
            while more := connection.recv(65536):
                data += more
        except ConnectionError:
            pass
        return data

    def send(self, data):
        """All that is answered to these bytes."""
        connection = self.connect()
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:  # closed before all was sent
            pass
        return self.read(connection)

    def assert_status(self, answer, status, naming=""):
        self.assertEqual(answer[:13], f"HTTP/1.1 {status} ".encode(), answer[:200])
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertIn(naming, json.loads(body)["error"])
        self.assertIn(b"application/json", head)
        self.assertEqual(body.count(b"\n"), 1)

    def assert_alive(self):
        self.assertEqual(self.ask("/healthz")[0], 200)

    def metrics(self):
        """{name{labels}: value}; the format is checked."""
        status, headers, text = self.ask("/metrics")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        values, types = {}, {}
        for line in text.decode().splitlines():
            if line.startswith("# TYPE"):
                types[line.split()[2]] = line.split()[3]
            elif not line.startswith("# HELP"):
                name, labels, value = re.fullmatch(r'(\w+)(\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? (\S+)', line).groups()
                self.assertTrue(name in types or types[re.sub("_(bucket|sum|count)$", "", name)] == "histogram", line)
                self.assertNotIn(name + (labels or ""), values)
                values[name + (labels or "")] = float(value)
        return values

    def wait_for(self, metric, value):
        """A request is counted after its answer is sent."""
        while (values := self.metrics()).get(metric, 0) != value:
            time.sleep(0.01)
        return values


class Answers(Server):
    def test_the_bytes_that_segment_writes(self):
        self.run_atrous("segment", PHOTO, "-o", "out", "--save", ",".join(KINDS), "-q")
        self.run_atrous("segment", PHOTO, "-o", "mask", "-q")
        photo, name = PHOTO.read_bytes(), PHOTO.stem
        self.serve(model="clothing-lite0")
        status, headers, mask = self.ask("/v1/segment", photo)
        self.assertEqual((status, headers["Content-Type"]), (200, "image/png"))
        self.assertEqual(mask, (self.folder / f"mask/{name}.png").read_bytes())
        self.assertEqual((headers["Atrous-Width"], headers["Atrous-Height"], headers["Atrous-Model"]),
                         (*(str(int.from_bytes(mask[at:at + 4], "big")) for at in (16, 20)), "clothing-lite0"))
        self.assertRegex(headers["Server-Timing"], r"^queue;dur=[\d.]+, decode;dur=[\d.]+, .*network;dur=.*encode;dur=[\d.]+$")
        for kind, ending in KINDS.items():
            status, _, content = self.ask(f"/v1/segment?output={kind}", *form(photo, file_name=PHOTO.name))
            self.assertEqual(status, 200, content)
            self.assertEqual(content, (self.folder / f"out/{name}{ending}").read_bytes(), kind)

    def test_refined(self):
        self.model()
        self.noise(2)
        self.segment("out", "--crf=iterations=2", "--superpixels=30", "--flip", "-q")
        self.serve("--crf=iterations=2", "--superpixels=30", "--flip")
        for i in range(2):
            photo = (self.folder / f"photos/{i:03}.png").read_bytes()
            for type_of_body in ("image/png", "application/octet-stream"):
                status, headers, mask = self.ask("/v1/segment", photo, {"Content-Type": type_of_body})
                self.assertEqual((status, mask), (200, (self.folder / f"out/{i:03}.png").read_bytes()))
                self.assertIn("crf;dur=", headers["Server-Timing"])

    def test_many_at_once_of_mixed_sizes(self):
        self.model()
        for i in range(32):
            write_png(self.folder / f"photos/{i:02}.png", drawing(i, 72 + 8 * (i % 3), 60))
        self.segment("out", "-q", "--save", "mask,polygons")
        self.serve("--batch", 4, "--workers", 2, "--batch-wait", 30)
        photos = sorted((self.folder / "photos").iterdir())

        def segment(i):
            photo = photos[i].read_bytes()
            if i % 8 == 7:  # a neighbour that is broken
                self.assertEqual(self.ask("/v1/segment", photo[:-40])[0], 400)
            kind, ending = (("mask", ".png"), ("polygons", ".geojson"))[i % 2]
            status, _, content = self.ask(f"/v1/segment?output={kind}", *form(photo, file_name=photos[i].name))
            self.assertEqual((status, content), (200, (self.folder / f"out/{i:02}{ending}").read_bytes()))

        with concurrent.futures.ThreadPoolExecutor(32) as clients:
            list(clients.map(segment, range(32)))
        done = 'atrous_requests_total{path="/v1/segment",status="200"}'
        values = self.wait_for(done, 32)
        self.assertEqual(values["atrous_images_total"], 32)
        self.assertEqual(values["atrous_batch_size_sum"], 32)
        self.assertEqual(values['atrous_batch_size_bucket{le="4"}'], values["atrous_batch_size_count"])
        self.assertEqual(values['atrous_requests_total{path="/v1/segment",status="400"}'], 4)
        self.assertEqual(values['atrous_request_seconds_count{path="/v1/segment"}'], 36)
        for stage in ("queue", "decode", "network", "encode"):
            self.assertEqual(values[f'atrous_stage_seconds_count{{stage="{stage}"}}'], 32)
            self.assertEqual(values[f'atrous_stage_seconds_bucket{{stage="{stage}",le="+Inf"}}'], 32)
        self.assertGreater(values["atrous_received_bytes_total"], sum(f.stat().st_size for f in photos))
        self.assertGreater(values["atrous_sent_bytes_total"], 0)
        self.assertEqual((values["atrous_in_flight"], values["atrous_queue_length"]), (0, 0))

    def test_images_of_one_size_share_a_batch(self):
        self.serve("--batch", 4, "--batch-wait", 10000)
        write_png(self.folder / "a.png", drawing(1))
        photo = (self.folder / "a.png").read_bytes()
        with concurrent.futures.ThreadPoolExecutor(4) as clients:
            self.assertEqual({a[0] for a in clients.map(lambda _: self.ask("/v1/segment", photo), range(4))}, {200})
        values = self.metrics()
        self.assertEqual((values["atrous_batch_size_count"], values["atrous_batch_size_sum"]), (1, 4))

    def test_what_else_there_is(self):
        self.serve()
        self.assertIn(b"POST /v1/segment", self.ask("/")[2])
        self.assertEqual([self.ask(path)[2] for path in ("/healthz", "/readyz")], [b"ok\n", b"ready\n"])
        model = json.loads(self.ask("/v1/model")[2])
        self.assertEqual((model["name"], model["labels"][1], model["palette"][1], model["input"]["policy"]),
                         ("tiny", "hat", [128, 0, 0], "native"))
        status, headers, content = self.ask("/healthz", method="HEAD")
        self.assertEqual((status, headers["Content-Length"], content), (200, "3", b""))

    def test_an_address_that_is_taken(self):
        self.serve()
        self.assert_refused("serve", "--port", self.port, naming=f"127.0.0.1:{self.port}: cannot listen there: Address already")
        self.assert_refused("serve", "--host", "256.0.0.1", "--port", 0, naming="256.0.0.1:0: cannot listen there")
        self.assert_refused("serve", "--crf=nonsense", naming="nonsense")
        self.assert_refused("serve", "--batch", 500, "--workers", 2, naming="--queue, --batch and --workers: 1032 images")


class Hostile(Server):
    def test_requests_that_make_no_sense(self):
        self.serve("--max-body", 0.5, "--max-pixels", 100_000)
        write_png(self.folder / "a.png", drawing(1))
        photo = (self.folder / "a.png").read_bytes()
        jpeg = PHOTO.read_bytes()
        for body, naming in ((jpeg[:len(jpeg) // 3], "cut short"), (b"", "is empty"), (b"no image", "is no JPEG"),
                             (photo[:60] + b"x" * 40 + photo[100:], "broken PNG")):
            self.assert_status(self.send(post(body)), 400, naming)
        wide = photo[:16] + (100_000).to_bytes(4, "big") + photo[20:]
        self.assert_status(self.send(post(wide)), 413, "100000x90 pixels")
        self.assert_status(self.send(post(b"x" * 600_000)), 413, "bytes")
        declared = "POST /v1/segment HTTP/1.1\r\nContent-Length: {}\r\n\r\nxyz"
        self.assert_status(self.send(declared.format(10 ** 17).encode()), 413, "bytes")
        for length in ("abc", "-1", "10" * 30, "0x10", "5, 5"):
            self.assert_status(self.send(declared.format(length).encode()), 400, "Content-Length")
        self.assert_status(self.send(declared.format(10).encode()), 400, "cut short")
        self.assert_status(self.send(b"POST /v1/segment HTTP/1.1\r\n\r\n"), 411, "Content-Length")
        chunked = b"POST /v1/segment HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        for garbage in (b"zz\r\n", b"5\r\nabc", b"fffffffffffffffff\r\nabc\r\n", b"-5\r\nabc\r\n", b"5\r\nabcdefgh\r\n0\r\n\r\n"):
            self.assert_status(self.send(chunked + garbage), 400)
        self.assert_status(self.send(chunked + b"8000\r\n" + (b"x" * 32768 + b"\r\n8000\r\n") * 40), 413, "bytes")
        pieces = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (photo[:1000], photo[1000:]))
        self.assertEqual(self.send(chunked + pieces + b"0\r\n\r\n")[:12], b"HTTP/1.1 200")
        bomb = gzip.compress(b"\0" * 50_000_000)
        self.assertIn(self.send(post(bomb, headers="Content-Encoding: gzip\r\n"))[:12], (b"HTTP/1.1 413", b"HTTP/1.1 400"))
        self.assertEqual(self.ask("/v1/segment", photo)[0], 200)

    def test_forms_that_make_no_sense(self):
        self.serve("--max-body", 0.5)
        photo = PHOTO.read_bytes()
        body, headers = form(photo)
        for content, kind, naming in ((body, "multipart/form-data", ""), (body, "multipart/form-data; boundary=", ""),
                                      (body, "multipart/form-data; boundary=other", ""),
                                      (body[:-30], headers["Content-Type"], ""),
                                      (form(photo, name="picture")[0], headers["Content-Type"], "no part named image"),
                                      (b"--xx--yy\r\n" + b"\r\n" * 9, headers["Content-Type"], ""),
                                      (b"", headers["Content-Type"], "")):
            self.assert_status(self.send(post(content, headers=f"Content-Type: {kind}\r\n")), 400, naming)
        odd = body.replace(b"form-data", b"form-data; " + b"x" * 8000)
        self.assertIn(self.send(post(odd, headers=f"Content-Type: {headers['Content-Type']}\r\n"))[:12],
                      (b"HTTP/1.1 400", b"HTTP/1.1 200"))
        large = form(b"x" * 540_000)[0]
        self.assert_status(self.send(post(large, headers=f"Content-Type: {headers['Content-Type']}\r\n")), 413, "bytes")
        self.assert_alive()

    def test_addresses_methods_and_headers(self):
        self.serve()
        for path in ("/nothing", "/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/v1/segment/../model", "//healthz",
                     "/v1", "/healthz%00", "/" + "a" * 5000):
            self.assert_status(self.send(f"GET {path} HTTP/1.1\r\n\r\n".encode()), 404)
            self.assert_status(self.send(post(b"x", path=path)), 404)
        self.assert_status(self.send(f"GET /{'a' * 9000} HTTP/1.1\r\n\r\n".encode()), 414)
        for method, path, allowed in (("GET", "/v1/segment", b"POST"), ("PUT", "/v1/segment", b"POST"),
                                      ("DELETE", "/healthz", b"GET, HEAD"), ("POST", "/metrics", b"GET, HEAD"),
                                      ("OPTIONS", "/v1/model", b"GET, HEAD")):
            answer = self.send(f"{method} {path} HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc".encode())
            self.assert_status(answer, 405, f"takes no {method}")
            self.assertIn(b"Allow: " + allowed + b"\r\n", answer)
        for query in ("crf=1", "output=", "output=templates", "output=mask&output=rle", "output=mask&x", "output=%00"):
            self.assert_status(self.send(post(b"x", path="/v1/segment?" + query)), 400, "output")
        ranges = "bytes=" + ",".join(["0-"] * 2000)
        for value in (ranges, "bytes=" + "0" * 8000 + "-", "bytes=-99999999999999999999", "bytes=0-1", "bytes=0-1,-900,900-,5-2",
                      "bytes=0-1,5-"):
            answer = self.send(f"GET / HTTP/1.1\r\nRange: {value}\r\n\r\n".encode())
            if answer[:12] != b"HTTP/1.1 200":
                self.assert_status(answer, 416, "Range")
            self.assertLess(len(answer), 2000)
        for flood in (b"x: y\r\n" * 200_000, b"x: " + b"y" * 2_000_000 + b"\r\n", b"y" * 2_000_000, b": \r\n" * 99_999):
            self.assertIn(self.send(b"GET /healthz HTTP/1.1\r\n" + flood)[:12], (b"", b"HTTP/1.1 400"))
        for line in (b"", b"\r\n", b"GET\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"\0" * 99, b"GET /\r\n\r\n", b"G" * 100_000):
            self.assertIn(self.send(line)[:12], (b"", b"HTTP/1.1 400"))
        two = self.send(b"GET /healthz HTTP/1.1\r\n\r\nGET /readyz HTTP/1.1\r\n\r\n")
        self.assertEqual((two.count(b"HTTP/1.1"), two[-3:]), (1, b"ok\n"))  # says that it closes
        self.assertIn(b"Connection: close\r\n", two)
        self.assert_alive()

    def test_files_that_are_no_images(self):
        self.serve()
        for file in sorted((SOURCE / "tests/fuzz/corpus/image").iterdir()):
            self.assertIn(self.send(post(file.read_bytes()))[:12], (b"HTTP/1.1 400", b"HTTP/1.1 413"), file.name)
        self.assert_alive()

    def test_random_bytes(self):
        self.serve("--max-body", 0.1)
        write_png(self.folder / "a.png", drawing(1, 20, 20))
        body, headers = form((self.folder / "a.png").read_bytes())
        request = post(body, headers=f"Content-Type: {headers['Content-Type']}\r\n")
        for seed in range(100):
            source = random.Random(seed)
            data = bytearray(request)
            for _ in range(source.randint(1, 9)):
                at = source.randrange(len(data))
                data[at:at + source.choice((0, 1, 1, 40))] = source.randbytes(source.choice((0, 1, 1, 9)))
            self.send(bytes(data) if seed % 4 else source.randbytes(source.randint(1, 3000)))
        self.assertEqual(self.send(request)[:12], b"HTTP/1.1 200")

    def test_clients_that_are_slow(self):
        self.serve("--timeout", 1, "--queue", 3)
        silent = [self.connect() for _ in range(8)]
        heads = [self.connect(b"POST /v1/segment HTTP/1.1\r\nContent-Le") for _ in range(4)]
        bodies = [self.connect(b"POST /v1/segment HTTP/1.1\r\nContent-Length: 1000\r\n\r\nabc") for _ in range(4)]
        for connection in heads + bodies:
            connection.sendall(b"x")
        self.assertEqual([self.read(c) for c in silent], [b""] * 8)
        for connection in heads:
            self.assertEqual(self.read(connection)[:12], b"HTTP/1.1 400")
        for connection in bodies:
            self.assert_status(self.read(connection), 408, "in time")
        self.assert_alive()


class Limits(Server):
    def half(self, photo):
        """A connection that has sent half of a request, after the server took it on, and the other half."""
        before = self.metrics()["atrous_in_flight"]
        request = post(photo)
        connection = self.connect(request[:len(request) // 2])
        while self.metrics()["atrous_in_flight"] != before + 1:
            time.sleep(0.01)
        return connection, request[len(request) // 2:]

    def photo(self, height=90, width=70):
        write_png(self.folder / "a.png", drawing(1, height, width))
        return (self.folder / "a.png").read_bytes()

    def test_more_than_it_takes(self):
        self.serve("--queue", 1, "--batch", 1)
        photo = self.photo()
        held = [self.half(photo) for _ in range(2)]
        for headers in ({}, {"Expect": "100-continue"}):
            status, headers, content = self.ask("/v1/segment", photo, headers)
            self.assertEqual((status, headers["Retry-After"]), (503, "1"))
            self.assertIn("waiting", json.loads(content)["error"])
        self.assert_alive()
        for connection, rest in held:
            connection.sendall(rest)
            self.assertEqual(self.read(connection)[:12], b"HTTP/1.1 200")
        self.wait_for("atrous_in_flight", 0)
        self.assertEqual(self.ask("/v1/segment", photo)[0], 200)

    def test_more_time_than_it_takes(self):
        self.serve("--timeout", 1, "--crf=iterations=1000")
        write_png(self.folder / "large.png", np.zeros((1500, 1500, 3), np.uint8))
        status, _, content = self.ask("/v1/segment", (self.folder / "large.png").read_bytes())
        self.assertEqual(status, 504, content)
        self.assertIn("in time", json.loads(content)["error"])
        small = self.photo(8, 8)
        self.assertTrue(any(self.ask("/v1/segment", small)[0] == 200 for _ in range(20)), "the other one's work goes on")

    def test_its_end_while_it_is_busy(self):
        self.serve()
        connection, rest = self.half(self.photo())
        idle = self.connect()
        self.server.send_signal(signal.SIGTERM)
        self.assertEqual(self.read(idle), b"")
        while True:
            try:
                self.connect().close()
            except ConnectionError:
                break
        self.assertIsNone(self.server.poll())
        connection.sendall(rest)
        self.assertEqual(self.read(connection)[:12], b"HTTP/1.1 200")
        self.assertEqual(self.server.wait(timeout=120), 0)

    def test_a_second_signal_ends_it_at_once(self):
        """Also one of another kind, and while a client keeps it."""
        self.serve()
        connection, _ = self.half(self.photo())
        idle = self.connect()
        self.server.send_signal(signal.SIGTERM)
        self.assertEqual(self.read(idle), b"")  # it has seen the first
        self.server.send_signal(signal.SIGINT)
        self.last_status = -signal.SIGINT
        self.assertEqual(self.server.wait(timeout=120), self.last_status)

    @unittest.skipIf(SANITIZED, "sanitizers keep memory that was freed")
    def test_memory_does_not_grow(self):
        self.serve("--batch-wait", 0)
        photos = [self.photo(150 + 30 * i, 200) for i in range(4)]

        def resident():
            return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.server.pid}/status").read_text())[1])

        def load(count):
            with concurrent.futures.ThreadPoolExecutor(8) as clients:
                asked = clients.map(lambda i: self.ask(f"/v1/segment?output={list(KINDS)[i % 6]}", photos[i % 4])[0],
                                    range(count))
                self.assertEqual(set(asked), {200})
            for _ in range(20):
                self.send(post(photos[0][:-9]))

        load(60)
        before = resident()
        load(120)
        self.assertLess(resident() - before, 6_000, "KiB more")


if __name__ == "__main__":
    unittest.main()
