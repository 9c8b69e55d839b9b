# SPDX-License-Identifier: Apache-2.0
"""What a user writes; mypy --strict must see the types that are promised. Never run."""
from typing import Optional

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_type

import atrous

model = atrous.Model("atr", device="cpu", precision="fp32", threads=1)
assert_type(model.labels, list[str])
assert_type(model.palette, npt.NDArray[np.uint8])
result = model.segment(np.zeros((3, 4, 3), np.uint8), crf=True, superpixels=400, boxes=[(0, 0, 2, 2)])
assert_type(result, atrous.Result)
assert_type(result.labels, npt.NDArray[np.uint8])
assert_type(result.probabilities, Optional[npt.NDArray[np.float16]])
assert_type(atrous.__version__, str)
model.segment("photo.jpg", superpixels="many")  # type: ignore[arg-type]
model.segment()  # type: ignore[call-arg]
