"""What the tests of killed and rival writers run in processes of their own: `python -m tests.store.killed`."""

from __future__ import annotations

import sys
from pathlib import Path

from agent.errors import StoreError
from agent.ingest import index
from agent.ingest.index import ingest
from agent.store.base import TimeLimit
from agent.store.hybrid import Store, rebuild_store
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


def add(source: Path, folder: Path, url: str | None = None) -> None:
    """Take the sources in, some at a time, with a line for every step."""
    index._BATCH = 50
    with Store.open(folder, EMBEDDER, chroma_url=url, write=True, create=True) as store:
        store._dense = Told(store._dense)
        ingest([source], store, listener=lambda step: say(step.documents))
    say("done")


def hold(source: Path, folder: Path, url: str | None = None) -> None:
    """Take the sources in, then keep the store open to write until a line comes in."""
    with Store.open(folder, EMBEDDER, chroma_url=url, write=True, create=True) as store:
        ingest([source], store, listener=lambda step: None)
        say("open")
        sys.stdin.readline()


def read(_: Path, folder: Path, url: str | None = None) -> None:
    """Keep the store open to read, and answer each line that comes in with the passage nearest in meaning."""
    with Store.open(folder, EMBEDDER, chroma_url=url) as store:
        say("open")
        for line in sys.stdin:
            say(*(passage.text for passage in store.search_dense(line.strip(), limit=1, when=TimeLimit())))


def rebuild(_: Path, folder: Path, url: str | None = None) -> None:
    """Make the indexes anew."""
    say(rebuild_store(folder, EMBEDDER, chroma_url=url))


if __name__ == "__main__":
    try:
        work = {"add": add, "hold": hold, "read": read, "rebuild": rebuild}[sys.argv[1]]
        work(Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
    except StoreError as error:
        sys.exit(f"factdesk: {error}")
