# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import threading
from typing import Any, List, Optional, Sequence, Tuple, Union

import numpy as np
import numpy.typing as npt

from . import _core
from ._result import Result

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]


class Model:
    """A network with its weights. Threads may share it; their calls run side by side, without the GIL."""

    def __init__(self, name: Path = "", *, device: str = "auto", precision: str = "auto", threads: int = 0) -> None:
        """`name`: of a model on the model path, or the path of a YAML config or an ONNX file; "": the embedded
        model. `device`: auto, cpu, cuda or cuda:N. `precision`: auto, fp32, fp16, bf16 or int8. `threads`: CPU
        threads of one call; 0: all."""
        self._core = _core.Model(os.fsencode(name), device, precision)
        self._threads = threads
        self._sessions = _Sessions(self._core)
        #: The classes' names; a label map has indices into this.
        self.labels: List[str] = [self._core.class_name(i) for i in range(self._core.classes)]
        #: Their colours, uint8 [classes, 3], red, green and blue.
        self.palette: npt.NDArray[np.uint8] = np.array(
            [self._core.class_color(i) for i in range(self._core.classes)], np.uint8)

    @property
    def name(self) -> str:
        return self._core.name

    def __repr__(self) -> str:
        return f"<atrous.Model {self.name!r}, {len(self.labels)} classes>"

    def segment(self, image: Union[Path, npt.ArrayLike, Any], *, crf: Union[None, bool, str] = None,
                superpixels: Union[None, bool, int] = None, scales: Sequence[float] = (1.0,), flip: bool = False,
                probabilities: bool = False, boxes: Sequence[Sequence[float]] = (), enlarge: float = 1.0,
                color: str = "rgb") -> Result:
        """Segments an image: the path of a JPEG, PNG, WebP, TIFF or BMP file, or uint8 [height, width] (grey) or
        [height, width, 3 or 4], not copied where its rows follow each other, of the channel order `color` ("rgb"
        or "bgr", as OpenCV reads); anything that NumPy takes for such an array will do, a PIL image too.

        `crf`, `superpixels`: None: as the model's config says; False: off; True: on; else a CRF preset or
        "key=value,...", a number of superpixels. `scales`, `flip`: multi-scale and mirrored inference.
        `probabilities`: keep them. `boxes`: only these, each x, y, width and height in pixels, scaled by
        `enlarge`; the rest is class 0."""
        if color not in ("rgb", "bgr"):
            raise ValueError(f"color: '{color}' is neither rgb nor bgr")
        options = (self._threads, flip, probabilities, _superpixels(superpixels), _crf(crf), tuple(scales))
        classes = len(self.labels) if probabilities else 0
        session = self._sessions.take(options)
        if isinstance(image, (str, bytes, os.PathLike)):
            if len(boxes) > 0:
                raise ValueError("boxes: with these the image must be an array")
            result = session.segment_file(os.fsencode(image))
        else:
            result = session.segment(_pixels(image), color == "bgr", _boxes(boxes), enlarge)
        self._sessions.give_back(options, session)
        return Result(result, classes)


_Options = Tuple[int, bool, bool, int, Optional[str], Tuple[float, ...]]


class _Sessions:
    """Sessions that no call uses, kept for the next of the same options; as many as calls ran side by side."""

    MOST = 32

    def __init__(self, model: _core.Model) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._free: List[Tuple[_Options, _core.Session]] = []  # the latest last

    def take(self, options: _Options) -> _core.Session:
        with self._lock:
            for i in reversed(range(len(self._free))):
                if self._free[i][0] == options:
                    return self._free.pop(i)[1]
        return _core.Session(self._model, *options)

    def give_back(self, options: _Options, session: _core.Session) -> None:
        with self._lock:
            self._free.append((options, session))
            del self._free[:-self.MOST]


def _superpixels(given: Union[None, bool, int]) -> int:
    """As atrous_session_options has it."""
    if given is None:
        return 0
    if given is True:
        return -2
    if given < 0:
        raise ValueError(f"superpixels: {given} is below 0")
    return given if given else -1


def _crf(given: Union[None, bool, str]) -> Optional[str]:
    """As atrous_session_options has it."""
    if given is None or isinstance(given, str):
        return given
    return "" if given else "off"


def _boxes(given: Sequence[Sequence[float]]) -> List[List[float]]:
    boxes = np.asarray(given, np.float64)
    if boxes.size == 0:
        return []
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes: their shape is {list(boxes.shape)}, it must be [boxes, 4]")
    return [[float(value) for value in box] for box in boxes]


def _pixels(image: Any) -> npt.NDArray[np.uint8]:
    """[height, width, channels] without gaps; the image's own memory where it is that."""
    if getattr(image, "mode", "RGB") not in ("L", "RGB", "RGBA"):  # one of PIL's with a palette, say
        image = image.convert("RGB")
    array = np.asarray(image)
    if array.dtype != np.uint8:
        raise TypeError(f"image: its type is {array.dtype}, it must be uint8 (or the path of a file)")
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or array.size == 0:
        raise ValueError(f"image: its shape is {list(np.shape(image))}, it must be [height, width] or "
                         "[height, width, 3 or 4]")
    return np.ascontiguousarray(array)
