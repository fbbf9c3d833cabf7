"""The search by words looks at the best matches only, and finds what looking at all of them would."""

from __future__ import annotations

import random
from datetime import date

import numpy as np
import pytest

from agent.domain import Document, text_sha256
from agent.ingest.chunk import cut_passages
from agent.store import record
from agent.store.base import TimeLimit
from agent.store.record import Entry, RecordStore

LIMITS = (
    TimeLimit(undated="keep"), TimeLimit(as_of=date(2015, 6, 1), undated="drop"),
    TimeLimit(as_of=date(2011, 6, 1), undated="keep"),
)  # fmt: skip


def documents(count):
    dice = random.Random(4)
    for number in range(count):
        words = dice.choices(
            ["mill", "flour", "river", "town", "bridge", "fire", "quay", "toll"], k=dice.choice((2, 3, 9))
        )
        text = " ".join(words)
        day = f"{dice.randint(2010, 2020)}-03-01" if number % 5 else None
        yield Document(id=f"d{number}", text=text, published=day, sha256=text_sha256(text))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    made = RecordStore(tmp_path_factory.mktemp("words") / "record.sqlite", write=True, made_with=("e:2", 2))
    entries = []
    for document in documents(600):
        passages = tuple(cut_passages(document))
        entries.append(Entry(document, passages, np.ones((len(passages), 2), dtype=np.float32)))
    made.put(entries)
    yield made
    made.close()


@pytest.mark.parametrize("limit", [1, 7, 40, 1000])
@pytest.mark.parametrize("when", LIMITS)
@pytest.mark.parametrize("text", ["mill", "the flour of the mill", "a fire at the quay by the river", "nothing of it"])
def test_a_few_looked_at_give_what_all_would(store, monkeypatch, text, when, limit):
    """Whatever is asked for, however many have equal scores and however few may be seen."""
    everything = store.search(text, limit=limit, when=when)
    monkeypatch.setattr(record, "_LOOKED_AT", 3)
    monkeypatch.setattr(record, "_WIDER", 2)
    assert store.search(text, limit=limit, when=when) == everything
    allowed = [one for one in documents(600) if when.allows(one) and set(one.text.split()) & set(text.split())]
    assert len(everything) == min(limit, len(allowed))
