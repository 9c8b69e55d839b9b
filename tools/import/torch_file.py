# SPDX-License-Identifier: Apache-2.0
"""Reads the tensors of a file that torch.save or TorchScript wrote, without PyTorch and without running what it holds.

A pickle may name any function to call. Here every name but a few is a stand-in that only remembers what it was given.
"""
import io
import pickle
import struct
import zipfile
import zlib
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from refusal import Refusal

TYPES = {"FloatStorage": "<f4", "HalfStorage": "<f2", "DoubleStorage": "<f8", "BFloat16Storage": "bf16", "LongStorage": "<i8",
         "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?"}
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
MOST_BYTES = 8 << 30


@dataclass
class Storage:
    type: str
    key: str
    count: int
    data: bytes = b""

    def array(self):
        width = 2 if self.type == "bf16" else np.dtype(self.type).itemsize
        if len(self.data) < width * self.count:
            raise Refusal(f"storage '{self.key}' holds {len(self.data)} bytes where {width * self.count} are announced")
        if self.type == "bf16":  # the upper half of a float32
            return (np.frombuffer(self.data, "<u2", self.count).astype(np.uint32) << 16).view(np.float32)
        return np.frombuffer(self.data, self.type, self.count)


@dataclass
class Tensor:
    """A view of a storage; array() checks that it lies inside."""
    storage: Storage
    offset: int
    size: tuple
    stride: tuple

    def array(self):
        base = self.storage.array()
        whole = all(isinstance(number, int) and number >= 0 for number in (self.offset, *self.size, *self.stride))
        if not whole or len(self.size) != len(self.stride):
            raise Refusal(f"a tensor of storage '{self.storage.key}' has the extent {self.size} and the strides {self.stride}")
        last = self.offset + sum((n - 1) * s for n, s in zip(self.size, self.stride))
        if 0 not in self.size and last >= len(base):
            raise Refusal(f"a tensor of storage '{self.storage.key}' reaches element {last} of {len(base)}")
        if 0 in self.size:
            return np.zeros(self.size, base.dtype)
        strides = [step * base.itemsize for step in self.stride]
        return np.ascontiguousarray(np.lib.stride_tricks.as_strided(base[self.offset:], self.size, strides))


class StandIn:
    """Whatever a pickle wants made that is no tensor: its attributes stay readable, nothing is run."""

    def __new__(cls, *_, **__):
        made = object.__new__(cls)
        made.attributes = {}
        return made

    def __init__(self, *_, **__):
        pass

    def __setstate__(self, state):
        if isinstance(state, dict):
            self.attributes.update(state)

    def __setitem__(self, key, value):
        self.attributes[key] = value

    def append(self, value):
        pass

    def extend(self, values):
        pass


def rebuild(storage, offset, size, stride, *_):
    if not isinstance(storage, Storage):
        raise Refusal("a tensor without a storage")
    return Tensor(storage, offset, tuple(size), tuple(stride))


class Unpickler(pickle.Unpickler):
    def __init__(self, file):
        super().__init__(file)
        self.storages = {}

    def find_class(self, module, name):
        if module == "collections" and name == "OrderedDict":
            return OrderedDict
        if module == "torch" and name in TYPES:
            return TYPES[name]
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return rebuild
        if module == "torch._utils" and name in ("_rebuild_parameter", "_rebuild_parameter_with_state"):
            return lambda tensor, *_: tensor
        return StandIn

    def persistent_load(self, pid):
        if not (isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage" and isinstance(pid[1], str)
                and isinstance(pid[4], int) and 0 <= pid[4] <= MOST_BYTES):
            raise Refusal("holds storages of a kind that is not understood")
        key = str(pid[2])
        return self.storages.setdefault(key, Storage(pid[1], key, pid[4]))


def load(unpickler):
    try:
        return unpickler.load()
    except Refusal:
        raise
    except Exception as error:  # a broken pickle can fail in any way
        raise Refusal(f"is no file that torch.save wrote ({type(error).__name__})") from error


def read_zip(path):
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        pickles = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise Refusal("is a zip file without a data.pkl, not one that torch.save or TorchScript wrote")
        if sum(info.file_size for info in archive.infolist()) > MOST_BYTES:
            raise Refusal(f"unpacks to more than {MOST_BYTES >> 30} GiB")
        unpickler = Unpickler(io.BytesIO(archive.read(pickles[0])))
        document = load(unpickler)
        folder = pickles[0][:-len("data.pkl")]
        for storage in unpickler.storages.values():
            if folder + "data/" + storage.key not in names:
                raise Refusal(f"storage '{storage.key}' is missing")
            storage.data = archive.read(folder + "data/" + storage.key)
    return document


def read_legacy(file):
    """Before PyTorch 1.6: pickles of a magic number, a protocol, the machine, the object and the storages' keys; then the storages."""
    if load(Unpickler(file)) != LEGACY_MAGIC:
        raise Refusal("is no file that torch.save wrote")
    load(Unpickler(file)), load(Unpickler(file))
    unpickler = Unpickler(file)
    document = load(unpickler)
    for key in load(Unpickler(file)):
        storage = unpickler.storages.get(str(key))
        header = file.read(8)
        if storage is None or len(header) < 8:
            raise Refusal("ends before its storages, or holds some that no tensor has")
        (count,) = struct.unpack("<q", header)
        width = 2 if storage.type == "bf16" else np.dtype(storage.type).itemsize
        if not 0 <= count <= MOST_BYTES // width:
            raise Refusal(f"storage '{storage.key}' claims {count} elements")
        storage.data = file.read(count * width)
    return document


def collect(value, prefix, found, depth=0):
    """Tensors by their dotted path, through dictionaries and the attributes of modules."""
    if depth > 64:
        raise Refusal("is nested too deeply")
    if isinstance(value, Tensor):
        found[prefix] = value
    children = value.attributes if isinstance(value, StandIn) else value
    if isinstance(children, dict):
        for key, child in children.items():
            if isinstance(key, str):
                collect(child, f"{prefix}.{key}" if prefix else key, found, depth + 1)


def read_tensors(path):
    """{name: Tensor} of a state dict, a checkpoint that holds one, or a TorchScript archive."""
    with open(path, "rb") as file:
        try:
            document = read_zip(path) if zipfile.is_zipfile(path) else read_legacy(file)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
            raise Refusal(f"is a broken zip file ({error})") from error
    for key in ("state_dict", "model_state", "model_state_dict", "model", "net"):
        if isinstance(document, dict) and isinstance(document.get(key), (dict, StandIn)):
            document = document[key]
    found = {}
    collect(document, "", found)
    if not found:
        raise Refusal("holds no tensors")
    return found
