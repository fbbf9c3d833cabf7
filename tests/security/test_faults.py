"""Faults that no other test brings about: vectors that are none (F12), the wall clock (F19), a kill in mid-write (F20)."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import numpy as np
import pytest

from agent.errors import InputError, StoreError
from agent.store.base import TimeLimit
from agent.store.hybrid import Store
from agent.store.memory import HashEmbedder
from tests.store.sources import ITEMS

WRITER = """
import sys
from pathlib import Path
from agent.cli.options import write_whole
print("ready", flush=True)
while True:
    for letter in "AB":
        write_whole(Path(sys.argv[1]), letter * 3_000_000)
"""
BREAKS = {
    "one too few": lambda vectors: vectors[:-1],
    "one for all": lambda vectors: vectors[:1],
    "another length": lambda vectors: vectors[:, :-1],
    "no numbers": lambda vectors: vectors * np.float32("nan"),
    "endless": lambda vectors: vectors + np.float32("inf"),
}


class BrokenEmbedder(HashEmbedder):
    """Gives something else than one vector of the right length for each text."""

    spoil = staticmethod(lambda vectors: vectors)

    def embed(self, texts):
        return self.spoil(super().embed(texts))


@pytest.mark.parametrize("name", BREAKS)
def test_vectors_that_are_none_do_not_reach_the_store(tmp_path, name):
    """Adding and searching are refused, and the store is as it was."""
    embedder = BrokenEmbedder(dimension=64)
    with Store.open(tmp_path, embedder, write=True, create=True) as store:
        store.add(ITEMS[:1])
        before = store.snapshot()
        embedder.spoil = BREAKS[name]
        with pytest.raises(StoreError, match="gave vectors"):
            store.add(ITEMS[1:])
        assert store.snapshot() == before
        if name != "one for all":
            with pytest.raises(StoreError, match="gave vectors"):
                store.search_dense("mill", limit=3, when=TimeLimit())
        embedder.spoil = BrokenEmbedder.spoil
        assert store.search_dense("mill", limit=3, when=TimeLimit())


def test_a_file_is_whole_whenever_its_writer_is_killed(tmp_path):
    """Three kills at chance moments: under its name there is the old content or the new, to the last letter."""
    path, chance = tmp_path / "report.html", random.Random(7)
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout.readline() == b"ready\n"
            while not path.exists():
                time.sleep(0.01)
            time.sleep(chance.uniform(0.05, 0.3))
            writer.kill()
        text = path.read_text(encoding="utf-8")
        assert (len(text), len(set(text))) == (3_000_000, 1)


def test_a_text_that_cannot_be_written_leaves_the_old_file(tmp_path):
    """And no part of it beside."""
    from agent.cli.options import write_whole

    path = tmp_path / "report.html"
    write_whole(path, "old")
    with pytest.raises((UnicodeError, InputError)):
        write_whole(path, "new \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
