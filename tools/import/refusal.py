# SPDX-License-Identifier: Apache-2.0
"""The one exception of the importers that a user is meant to read."""


class Refusal(ValueError):
    """Why a model cannot be imported: one line, which names the place."""
