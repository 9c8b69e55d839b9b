# SPDX-License-Identifier: Apache-2.0
"""Writes files as torch.save does, without PyTorch."""
import io
import pickle
import struct
import sys
import types
import zipfile

STORAGES = {"float32": "FloatStorage", "float16": "HalfStorage", "int64": "LongStorage", "uint16": "BFloat16Storage"}


class View:
    """A tensor in the making: elements of `base` (uint16 stands for bfloat16) from `offset` on."""

    def __init__(self, base, size=None, stride=None, offset=0):
        self.base, self.offset = base, offset
        self.size = tuple(base.shape if size is None else size)
        self.stride = tuple(step // base.itemsize for step in base.strides) if stride is None else stride


def _torch():
    """Modules that make pickle write torch's names."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2(*_):
        raise AssertionError("only its name is pickled")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    return torch, utils


class _Storage:
    def __init__(self, base):
        self.base = base


class _Pickler(pickle.Pickler):
    def __init__(self, file, torch, utils, storages, extra):
        super().__init__(file, 2)
        self.torch, self.utils, self.storages, self.extra = torch, utils, storages, extra

    def persistent_id(self, value):
        if not isinstance(value, _Storage):
            return None
        key = str(len(self.storages))
        self.storages[key] = value.base
        return ("storage", getattr(self.torch, STORAGES[value.base.dtype.name]), key, "cpu", value.base.size) + self.extra

    def reducer_override(self, value):
        if isinstance(value, View):
            return self.utils._rebuild_tensor_v2, (_Storage(value.base), value.offset, value.size, value.stride, False, {})
        return NotImplemented


def _pickled(document, extra):
    """The pickle of a document and its storages by key."""
    torch, utils = _torch()
    hidden = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules.update({"torch": torch, "torch._utils": utils})
    try:
        file, storages = io.BytesIO(), {}
        _Pickler(file, torch, utils, storages, extra).dump(document)
        return file.getvalue(), storages
    finally:
        for name, module in hidden.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def save(document, path):
    content, storages = _pickled(document, ())
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        for key, base in storages.items():
            archive.writestr(f"archive/data/{key}", base.tobytes())


def save_legacy(document, path):
    content, storages = _pickled(document, (None,))
    with open(path, "wb") as file:
        for head in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
            pickle.dump(head, file, 2)
        file.write(content)
        pickle.dump(list(storages), file, 2)
        for base in storages.values():
            file.write(struct.pack("<q", base.size) + base.tobytes())
