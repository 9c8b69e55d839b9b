# SPDX-License-Identifier: Apache-2.0
"""Writes a model's config (YAML) and its weights (safetensors), both whole or not at all."""
import json
import os
import re
import struct
import tempfile
import textwrap
from contextlib import ExitStack

import numpy as np

from network import arrange

PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_$./ -]*(?<! )")
WORDS = ("true", "false", "yes", "no", "on", "off", "null", "y", "n")
NUMBER = re.compile(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?(/[0-9.]+)?", re.IGNORECASE)
TYPES = {"float32": "F32", "float16": "F16"}


def scalar(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format(value, ".9g")
    text = str(value)
    plain = not isinstance(value, str) or NUMBER.fullmatch(text) or PLAIN.fullmatch(text)
    return text if plain and text.lower() not in WORDS else json.dumps(text, ensure_ascii=False)


def flow(value):
    """A value on one line: {a: 1, b: [2, 3]}."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return scalar(value)


def wrapped(text, indent):
    """Broken at spaces, but for those behind a key; inside brackets and quotes YAML reads a line's end as a space."""
    lines = textwrap.fill(text.replace(": ", ":\0"), 120, initial_indent=" " * indent,
                          subsequent_indent=" " * (indent + 3), break_long_words=False, break_on_hyphens=False)
    return lines.replace("\0", " ")


def fields(values, indent):
    return [wrapped(f"{key}: {flow(value)}", indent) for key, value in values.items() if value is not None]


def items(values, indent):
    return [wrapped(f"- {flow(value)}", indent) for value in values]


def config_text(head, entries, blocks):
    """The YAML: a line a key of `head` (None is left out), a line a node."""
    lines = fields(head, 0) + ["network:"] + items(entries, 2)
    for position, (name, block) in enumerate(blocks.items()):
        lines += ["blocks:"] if position == 0 else []
        lines.append(f"  {name}:")
        lines += fields({key: value for key, value in block.items() if key != "nodes"}, 4)
        lines += ["    nodes:"] + items(block["nodes"], 6)
    return "\n".join(lines) + "\n"


def safetensors_bytes(tensors):
    """The file's content in pieces: the header, then the tensors in the order of their names."""
    header, at, arrays = {}, 0, []
    for name, array in sorted(tensors.items()):
        array = np.ascontiguousarray(array)
        header[name] = {"dtype": TYPES[array.dtype.name], "shape": list(array.shape),
                        "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
        arrays.append(array)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    yield struct.pack("<Q", len(text)) + text
    for array in arrays:
        yield array.tobytes()


def write_files(contents):
    """Path: pieces of bytes. All are written under temporary names before the first is renamed."""
    with ExitStack() as cleanup:
        written = []
        for path, pieces in contents.items():
            folder = os.path.dirname(path)
            os.makedirs(folder, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=folder)
            cleanup.callback(lambda name=temporary: os.path.exists(name) and os.unlink(name))
            with os.fdopen(handle, "wb") as file:
                for piece in pieces:
                    file.write(piece)
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)
            written.append((temporary, path))
        for temporary, path in written:
            os.replace(temporary, path)


def write_model(folder, head, nodes, files=None):
    """Writes FOLDER/NAME.yaml, FOLDER/NAME.safetensors and `files` (relative path: bytes), NAME being head's `name`.

    `head` holds the config's keys above `network` in their order (`weights` is added); `nodes` are network.Node in an
    order that respects inputs, the last making the logits. Returns the config's path.
    """
    entries, blocks, tensors = arrange(nodes)
    name = head["name"]
    config = os.path.join(folder, name + ".yaml")
    head = {**head, "weights": name + ".safetensors"}
    contents = {os.path.join(folder, path): [content] for path, content in (files or {}).items()}
    contents[os.path.join(folder, name + ".safetensors")] = safetensors_bytes(tensors)
    contents[config] = [config_text(head, entries, blocks).encode()]
    write_files(contents)
    return config
