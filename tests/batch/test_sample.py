"""The sample of an estimate: by chance, and only that is read."""

from __future__ import annotations

import json
from collections import Counter

from agent.batch.inputs import read_inputs
from agent.batch.left import sample_places


def table(folder, count):
    path = folder / "many.jsonl"
    path.write_text("".join(json.dumps({"text": f"Article {n}."}) + "\n" for n in range(count)), encoding="utf-8")
    return path


def test_every_article_is_as_likely_as_any_other(tmp_path):
    """Not the first; and the same inputs give the same sample."""
    inputs = [str(table(tmp_path, 40))]
    assert sample_places(inputs, 5) == sample_places(inputs, 5)
    seen = Counter(int(place.rsplit(":", 1)[1]) for size in range(1, 41) for place in sample_places(inputs, size))
    assert len(seen) == 40
    first, second = (sum(seen[n] for n in part) for part in (range(1, 21), range(21, 41)))
    assert 0.8 < first / second < 1.25
    assert sample_places(inputs, 50) == {f"{inputs[0]}:{n}" for n in range(1, 41)}


def test_only_the_sample_is_read(tmp_path):
    """A file outside it may be unreadable; rows keep their places."""
    inputs = [str(table(tmp_path, 5)), str(tmp_path / "broken.pdf")]
    (tmp_path / "broken.pdf").write_bytes(b"no pdf")
    only = {f"{inputs[0]}:2", f"{inputs[0]}:5"}
    rows = list(read_inputs(inputs, only))
    assert [(row.place, row.article.text) for row in rows] == [
        (f"{inputs[0]}:2", "Article 1."),
        (f"{inputs[0]}:5", "Article 4."),
    ]
    assert read_inputs(inputs, {inputs[1]}).__next__().article is None
