# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import functools
import os
from typing import Optional, Union

import numpy as np
import numpy.typing as npt

from . import _core


class Result:
    """Label map and probabilities of one image."""

    def __init__(self, core: _core.Result, classes: int) -> None:
        self._core = core
        self._classes = classes

    @functools.cached_property
    def labels(self) -> npt.NDArray[np.uint8]:
        """Class ids [height, width], 255 = ignore. Read-only: the memory is the library's own, not a copy."""
        return np.asarray(self._core.labels)

    @functools.cached_property
    def probabilities(self) -> Optional[npt.NDArray[np.float16]]:
        """[classes, height, width], sums to 1 over classes; None where segment() was not asked for them."""
        if self._classes == 0:
            return None
        values = np.empty((self._classes, self._core.height, self._core.width), np.float16)
        self._core.copy_probabilities(values.view(np.uint16))
        return values

    def save(self, file: Union[str, os.PathLike[str]]) -> None:
        """Writes the label map as an 8-bit indexed PNG with the model's palette, all of it or nothing."""
        self._core.write_mask(os.fsencode(file))
