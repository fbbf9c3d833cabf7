"""A file that is there while a store is being written to, so that the next writer knows of one that was killed."""

from __future__ import annotations

from pathlib import Path


class Mark:
    """Made on opening, taken away on closing once the store is settled."""

    def __init__(self, path: Path, *, is_made: bool) -> None:
        self._path = path
        self._is_made = is_made
        self.was_there = is_made and path.exists()
        self.is_settled = False
        if is_made:
            path.touch()

    def close(self) -> None:
        """Take the file away, unless what was torn has not been mended."""
        if self._is_made and self.is_settled:
            self._path.unlink(missing_ok=True)
