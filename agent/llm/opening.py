"""What every call of the embedded model begins with: read once, kept as a file, and back at once at the next start.

A small model reads some 50 tokens a second on two cores, so the worked examples of a prompt cost a quarter of a minute
after each start. llama.cpp can write what it has made of a prompt to a file and take it up again (`/slots`, actions
`save` and `restore`). Only our own prompt is ever in that file, no word of an article.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

_SECONDS = 300
_ANY_WORD = "-"
"""In the place of an article."""

Turns = tuple[tuple[str, str], ...]
"""Role and text of each turn of a conversation."""


def opening_path(folder: Path, fingerprint: str, engine: str, turns: Turns) -> Path:
    """The file of an opening: another model, engine or prompt has another one."""
    mark = hashlib.sha256(json.dumps([fingerprint, engine, turns]).encode()).hexdigest()
    return folder / f"opening-{mark[:16]}.kv"


def take_up(address: str, api_key: str, path: Path, turns: Turns) -> None:
    """Have the engine take up an opening from its file; if it cannot, have it read the opening, and keep that.

    What goes wrong costs time and nothing else: the first call then reads the opening itself.

    Args:
        address: of the engine.
        api_key: that it wants.
        path: of the file, in the folder where the engine keeps its slots.
        turns: the opening.
    """
    with suppress(OSError, HTTPException):
        engine = _Engine(address, api_key)
        if not (path.exists() and engine.does("/slots/0?action=restore", {"filename": path.name})):
            _read(engine, path, turns)


def _read(engine: _Engine, path: Path, turns: Turns) -> None:
    """Read the opening, write its file in one step, and remove those of other prompts and versions."""
    messages = [{"role": role, "content": text} for role, text in (*turns, ("user", _ANY_WORD))]
    fresh = path.with_suffix(".new")
    if not engine.does("/v1/chat/completions", {"messages": messages, "max_tokens": 1, "id_slot": 0}):
        return
    if engine.does("/slots/0?action=save", {"filename": fresh.name}):
        fresh.chmod(0o600)
        fresh.replace(path)
    for other in path.parent.glob("opening-*"):
        if other != path:
            other.unlink(missing_ok=True)


class _Engine:
    """The engine's HTTP interface."""

    def __init__(self, address: str, api_key: str) -> None:
        self._at = urlsplit(address)
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}

    def does(self, path: str, body: dict[str, object]) -> bool:
        """Whether it did what was asked for."""
        connection = HTTPConnection(self._at.hostname or "", self._at.port, timeout=_SECONDS)
        try:
            connection.request("POST", path, body=json.dumps(body), headers=self._headers)
            return connection.getresponse().status == 200
        finally:
            connection.close()
