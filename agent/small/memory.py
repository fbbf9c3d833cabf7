"""Memory that opening a model has freed goes back to the system: half a gigabyte for the stronger cross-encoder."""

from __future__ import annotations

import ctypes


def give_back_memory() -> None:
    """Tell glibc to let go of what is free; other C libraries do so by themselves or not at all."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # another C library; Windows has no such handle
        return
