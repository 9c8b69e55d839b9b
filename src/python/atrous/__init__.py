# SPDX-License-Identifier: Apache-2.0
"""Label maps of photos by DeepLab and human-parsing networks.

    import atrous

    model = atrous.Model()                          # the embedded one; or a name or a path
    result = model.segment("photo.jpg", crf=True)   # or an array [height, width, 3]
    result.labels                                   # uint8 [height, width], indices into model.labels

A call that fails raises ValueError, FileNotFoundError, OSError, MemoryError or, where Python has no word for it,
atrous.Error, each with one line that says why.
"""
from ._core import Error
from ._core import version as _version
from ._model import Model
from ._result import Result

Error.__module__ = "atrous"
Error.__doc__ = "A broken file or config, what this build or device cannot do, or a defect of atrous."
__version__: str = _version()
__all__ = ["Error", "Model", "Result", "__version__"]
