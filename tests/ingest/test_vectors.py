"""Vectors that a user brings along."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from agent.errors import InputError
from agent.ingest.index import ingest
from agent.ingest.private import open_store
from agent.ingest.vectors import with_given
from agent.small.titled import TitledEmbedder
from agent.store.base import TimeLimit
from agent.store.hybrid import Store
from agent.store.memory import HashEmbedder
from tests.desk import settings_for

TEXTS = ("The mill of Norvik burnt down in 1931.", "Bakers in Velmar like rye.", "Trade was slow.")


class Counting(HashEmbedder):
    """Notes what it was asked to embed."""

    def __init__(self):
        super().__init__()
        self.asked: list[str] = []

    def embed(self, texts):
        self.asked += texts
        return super().embed(texts)


def write(folder, rows):
    path = folder / "sources.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def with_vectors(texts=TEXTS, scale=1.0):
    vectors = HashEmbedder().embed(texts)
    return [{"text": text, "vector": (row * scale).tolist()} for text, row in zip(texts, vectors, strict=True)]


def test_a_column_of_vectors_is_taken_and_only_a_few_are_made_again(tmp_path):
    """A store made with them finds what one that embedded itself finds."""
    texts = [f"Report {number} from the mill." for number in range(20)]
    path, embedder = write(tmp_path, with_vectors(texts, scale=7)), Counting()
    with Store.open(tmp_path / "store", with_given(embedder, [path]), write=True, create=True) as store:
        ingest([path], store, listener=lambda _: None)
        assert embedder.asked == texts[:3]
        (found,) = store.search_dense("Report 7 from the mill.", limit=1, when=TimeLimit())
        assert found.text == "Report 7 from the mill."
        assert store.check().ok


def test_rows_of_an_npy_file_beside_the_list(tmp_path):
    """One for each line that holds something."""
    path, embedder = write(tmp_path, [{"text": text} for text in TEXTS]), Counting()
    np.save(tmp_path / "sources.npy", HashEmbedder().embed(TEXTS))
    given = with_given(embedder, [path])
    embedder.asked.clear()
    assert np.allclose(given.embed([*TEXTS, "New."]), HashEmbedder().embed([*TEXTS, "New."]))
    assert embedder.asked == ["New."]


def test_without_vectors_the_embedder_is_left_as_it_is(tmp_path):
    """Other files, and lists without the column."""
    embedder = HashEmbedder()
    assert with_given(embedder, [write(tmp_path, [{"text": "A."}]), tmp_path / "none.jsonl", tmp_path]) is embedder


def test_a_row_without_a_vector_is_embedded(tmp_path):
    """So a list can be filled up later."""
    rows = [*with_vectors(), {"text": "Plain."}]
    embedder = Counting()
    with_given(embedder, [write(tmp_path, rows)]).embed(["Plain."])
    assert embedder.asked[-1] == "Plain."


@pytest.mark.parametrize("text", ["Plain.", " ".join(["It rained all day."] * 90)])
def test_a_vector_that_is_null_is_none(tmp_path, text):
    """As a table writes a missing value; the others are taken."""
    path, embedder = write(tmp_path, [*with_vectors(), {"text": text, "vector": None}]), Counting()
    with_given(embedder, [path]).embed([*TEXTS, text])
    assert embedder.asked == [*TEXTS, text]  # the first three to be compared


def test_a_column_of_a_parquet_file(tmp_path):
    """As of a JSONL file, with missing ones; a file that is broken, or has no such column, is left to the reading."""
    pa = pytest.importorskip("pyarrow")
    write_table = pytest.importorskip("pyarrow.parquet").write_table
    rows = [*with_vectors(scale=3), {"text": "Plain.", "vector": None}]
    path, embedder = tmp_path / "sources.parquet", Counting()
    write_table(pa.Table.from_pylist(rows), path)
    with Store.open(tmp_path / "store", with_given(embedder, [path]), write=True, create=True) as store:
        ingest([path], store, listener=lambda _: None)
        assert len(store.list()) == 4
    assert embedder.asked == [*TEXTS, "Plain."]  # the first three once, to be compared
    path.write_bytes(b"PAR1")
    assert with_given(embedder, [path]) is embedder
    write_table(pa.Table.from_pylist([{"text": "Plain."}]), path)
    assert with_given(embedder, [path]) is embedder
    write_table(pa.Table.from_pylist([{"text": "Plain.", "vector": [1.0, 2.0]}]), path)
    with pytest.raises(InputError, match=r"sources\.parquet:1.*\(2,\).*384"):
        with_given(embedder, [path])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"text": TEXTS[0], "vector": [1.0, 2.0]}], r"sources\.jsonl:1.*\(2,\).*384"),
        ([{"text": TEXTS[0], "vector": "abc"}], "no list of numbers"),
        ([{"text": TEXTS[0], "vector": [0.0] * 384}], "numbers that are none"),
        ([{"text": TEXTS[0], "vector": [float("nan")] * 384}], "numbers that are none"),
        ([{"text": TEXTS[0], "vector": HashEmbedder().embed(["Other."])[0].tolist()}], "is not what 'hash:384' makes"),
        ([{"text": " ".join(["It rained all day."] * 90), "vector": [1.0] * 384}], "cut into 5 passages"),
    ],
)
def test_vectors_that_cannot_be_right_are_refused_before_anything_is_written(tmp_path, rows, words):
    """Value, place and cure."""
    with pytest.raises(InputError, match=words):
        with_given(HashEmbedder(), [write(tmp_path, rows)])


@pytest.mark.parametrize("count", [2, 4])
def test_an_npy_file_of_another_length_is_refused(tmp_path, count):
    """Rows and lines would not belong together."""
    path = write(tmp_path, [{"text": text} for text in TEXTS])
    np.save(tmp_path / "sources.npy", np.ones((count, 384), dtype=np.float32))
    with pytest.raises(InputError, match=rf"has {count} rows"):
        with_given(HashEmbedder(), [path])


def test_an_npy_file_with_objects_is_not_opened(tmp_path):
    """It could run code."""
    path = write(tmp_path, [{"text": TEXTS[0]}])
    np.save(tmp_path / "sources.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"numpy\.save"):
        with_given(HashEmbedder(), [path])


def test_titles_and_given_vectors_do_not_go_together(tmp_path):
    """They were made of the passages alone."""
    with pytest.raises(InputError, match="embed_titles"):
        with_given(TitledEmbedder(HashEmbedder()), [write(tmp_path, with_vectors())])


def test_sources_for_one_run_bring_their_vectors_too(tmp_path):
    """As those that are added to a store do."""
    path, embedder = write(tmp_path, with_vectors()), Counting()
    view = SimpleNamespace(ingested=lambda progress: None, rejected=lambda rejected: None)
    with open_store(settings_for(tmp_path / "runs"), embedder, [path], view) as store:
        assert len(store.list()) == 3
    assert embedder.asked == list(TEXTS)  # once, to be compared
