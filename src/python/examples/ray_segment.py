# SPDX-License-Identifier: Apache-2.0
"""Masks of all photos of a folder or an object store (s3://BUCKET/KEY, gs://...), spread over a Ray cluster by Ray Data.

    pip install "ray[data]"                            # on every node, and atrous
    python3 ray_segment.py PHOTOS OUT [--actors N]     # on a cluster: through `ray job submit`

Each of N actors holds a model; Ray deals out the files. Sub-folders are kept: PHOTOS/a/b.jpg becomes OUT/a/b.png. A photo
that fails is named, with the reason, and the exit status is then 1.
"""
import argparse
import os
import posixpath
import sys
import tempfile
from typing import Any, Dict, Tuple

import numpy as np
import ray
from pyarrow.fs import FileSystem

import atrous


def place(address: str) -> Tuple[FileSystem, str]:
    return FileSystem.from_uri(address if "://" in address else os.path.abspath(address))


class Segmenter:
    """What an actor runs: its model is loaded once. The masks go straight to `out`; Ray gets a word on each photo."""

    def __init__(self, photos: str, out: str, model: str, threads: int) -> None:
        self._photos = place(photos)[1]
        self._files, self._out = place(out)
        self._model = atrous.Model(model, threads=threads)

    def __call__(self, batch: Dict[str, Any]) -> Dict[str, Any]:
        batch["error"] = np.array([self._segment(*photo) for photo in zip(batch["path"], batch.pop("bytes"))], object)
        return batch

    def _segment(self, path: str, content: bytes) -> str:
        """What went wrong; "" if nothing."""
        with tempfile.NamedTemporaryFile() as photo, tempfile.NamedTemporaryFile(suffix=".png") as mask:
            photo.write(content)
            photo.flush()
            try:
                self._model.segment(photo.name).save(mask.name)
            except (atrous.Error, ValueError, OSError) as error:
                return str(error).replace(photo.name, path)
            name = posixpath.join(self._out, posixpath.splitext(posixpath.relpath(path, self._photos))[0] + ".png")
            self._files.create_dir(posixpath.dirname(name))
            with open(mask.name, "rb") as written, self._files.open_output_stream(name) as stream:
                stream.write(written.read())
        return ""


def segment(photos: str, out: str, *, model: str = "", actors: int = 1, threads: int = 1, gpus: float = 0) -> Dict[str, str]:
    """Returns what failed: paths and reasons."""
    files, folder = place(photos)
    found = ray.data.read_binary_files(folder, filesystem=files, include_paths=True,
                                       file_extensions=["jpg", "jpeg", "png", "webp", "tif", "tiff", "bmp"],
                                       ray_remote_args={"num_cpus": 0})  # the actors may have them all
    done = found.map_batches(Segmenter, fn_constructor_args=(photos, out, model, threads), batch_size=8,
                             compute=ray.data.ActorPoolStrategy(size=actors), num_cpus=threads, num_gpus=gpus)
    return {photo["path"]: photo["error"] for photo in done.iter_rows() if photo["error"]}


def main() -> int:
    parser = argparse.ArgumentParser(description="masks of photos, by Ray Data")
    parser.add_argument("photos", help="a folder that every node sees, or an object store's address")
    parser.add_argument("out", help="the same for the masks")
    parser.add_argument("--model", default="", help="a model's name or path; default: the embedded one")
    parser.add_argument("--actors", type=int, default=1, help="models that work at the same time")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each")
    parser.add_argument("--gpus", type=float, default=0, help="GPUs of each, fractions allowed")
    failed = segment(**vars(parser.parse_args()))
    for path, reason in failed.items():
        print(f"{path}: {reason}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
