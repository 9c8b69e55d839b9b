# SPDX-License-Identifier: Apache-2.0
"""The one exception of the importers that a user is meant to read."""


class Refusal(ValueError):
    """Why a model cannot be imported: one line. `place`: the file, or FILE:LINE, where it is not the model itself."""

    def __init__(self, reason, place=None):
        super().__init__(reason)
        self.place = place
