"""What the tests of killed and rival writers run in processes of their own: `python -m tests.store.killed`."""

from __future__ import annotations

import sys
from pathlib import Path

from agent.errors import StoreError
from agent.ingest.index import ingest
from agent.store.hybrid import Store
from agent.store.memory import HashEmbedder

EMBEDDER = HashEmbedder(dimension=64)


def say(what: object) -> None:
    """One line to whoever started this process."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


class Told:
    """A dense index that says when vectors are about to go in: the moment at which a kill hurts most."""

    def __init__(self, index):
        self._index = index

    def __getattr__(self, name):
        return getattr(self._index, name)

    def add(self, ids, vectors):
        if ids:
            say("index")
        self._index.add(ids, vectors)


def add(source: Path, folder: Path) -> None:
    """Take the sources in, with a line for every step."""
    with Store.open(folder, EMBEDDER, write=True, create=True) as store:
        store._dense = Told(store._dense)
        ingest([source], store, listener=lambda step: say(step.documents))
    say("done")


def hold(source: Path, folder: Path) -> None:
    """Take the sources in, then keep the store open to write until a line comes in."""
    with Store.open(folder, EMBEDDER, write=True, create=True) as store:
        ingest([source], store, listener=lambda step: None)
        say("open")
        sys.stdin.readline()


if __name__ == "__main__":
    try:
        {"add": add, "hold": hold}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
    except StoreError as error:
        sys.exit(f"factdesk: {error}")
