"""Taking in: documents and passages go into the store in batches, and everybody hears how far it is."""

from __future__ import annotations

import json

import pytest

from agent.domain import Data
from agent.errors import InputError
from agent.ingest.index import IngestProgress, ingest, ingest_documents
from tests.build import document


class Counts(Data):
    added: int = 0
    unchanged: int = 0
    replaced: int = 0


class ListStore:
    """A store that keeps what it is given and tells its progress passage by passage."""

    def __init__(self, held=()):
        self.batches = []
        self._held = dict(held)

    def add(self, items, *, progress):
        self.batches.append(tuple(items))
        counts = {"added": 0, "unchanged": 0, "replaced": 0}
        for source, passages in items:
            before = self._held.get(source.id)
            counts["added" if before is None else "unchanged" if before == source.text else "replaced"] += 1
            self._held[source.id] = source.text
            for _ in passages:
                progress(1)
            progress(0)
        return Counts(**counts)


def listed(tmp_path, *texts):
    path = tmp_path / "sources.jsonl"
    path.write_text(
        "\n".join(json.dumps({"id": f"d{n}", "text": text}) for n, text in enumerate(texts)), encoding="utf-8"
    )
    return path


def test_report_and_progress(tmp_path):
    """Counts are added up over batches of so many passages; progress only grows and ends with everything."""
    heard = []
    store = ListStore()
    report = ingest([listed(tmp_path, *(f"Rain on day {n}." for n in range(2100)))], store, listener=heard.append)
    assert (report.added, report.unchanged, report.replaced, report.passages) == (2100, 0, 0, 2100)
    assert [len(batch) for batch in store.batches] == [1000, 1000, 100]
    assert heard[-1] == IngestProgress(documents=2100, passages=2100)
    assert heard == sorted(heard, key=lambda step: (step.documents, step.passages))


def test_passages_go_with_their_document(tmp_path):
    """The store gets every document with its own passages."""
    store = ListStore()
    ingest([listed(tmp_path, "It rained.", "It snowed.")], store, listener=lambda _: None)
    assert [(source.text, [passage.text for passage in passages]) for source, passages in store.batches[0]] == [
        ("It rained.", ["It rained."]),
        ("It snowed.", ["It snowed."]),
    ]


def test_again(tmp_path):
    """What is there already counts as unchanged or replaced, and is no error."""
    store = ListStore({"d0": "It rained.", "d1": "Sun."})
    report = ingest([listed(tmp_path, "It rained.", "It snowed.", "Hail.")], store, listener=lambda _: None)
    assert (report.added, report.unchanged, report.replaced) == (1, 1, 1)


def test_rejected_are_listed(tmp_path):
    """What cannot be used is in the report, the rest goes in."""
    path = listed(tmp_path, "It rained.", "")
    report = ingest([path, tmp_path / "gone.txt"], ListStore(), listener=lambda _: None)
    assert report.added == 1
    assert [(item.path.name, item.line) for item in report.rejected] == [("sources.jsonl", 2), ("gone.txt", None)]
    assert json.loads(report.model_dump_json())["rejected"][0]["line"] == 2


def test_nothing_to_take_in(tmp_path):
    """When nothing at all can be used that is an error, which tells the first reason."""
    with pytest.raises(InputError, match=r"nothing to take in from '.*gone\.txt': .* does not exist"):
        ingest([tmp_path / "gone.txt"], ListStore(), listener=lambda _: None)
    with pytest.raises(InputError, match="no file was found"):
        ingest([tmp_path], ListStore(), listener=lambda _: None)
    with pytest.raises(InputError, match="nothing to take in: no file was found"):
        ingest([], ListStore(), listener=lambda _: None)


def test_documents_from_elsewhere():
    """Documents that are no files are taken in the same way, drawn one batch at a time."""
    drawn = []

    def source():
        for number in range(1200):
            drawn.append(number)
            yield document(f"Day {number}.", name=f"d{number}")

    sizes = []
    store = ListStore()
    report = ingest_documents(source(), store, listener=lambda step: sizes.append(len(drawn)))
    assert report.added == 1200
    assert sizes[0] == 1000
