"""The shared folder beside the checkout: not ours to ship, so what needs it is skipped where it is not.

With FACTDESK_NEED_SHARED=1 such a test fails instead.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "shared"
_IS_NEEDED = os.environ.get("FACTDESK_NEED_SHARED") == "1"  # read at once: tests see no FACTDESK_ variable


def needs(name):
    """A mark for tests that read this file."""
    missing = not (FOLDER / name).exists() and not _IS_NEEDED
    return pytest.mark.skipif(missing, reason=f"shared/{name} is not beside this checkout")


def require(name):
    """The path of this file; a skip, or a failure, where it is not."""
    path = FOLDER / name
    if not path.exists():
        (pytest.fail if _IS_NEEDED else pytest.skip)(f"shared/{name} is not beside this checkout")
    return path
