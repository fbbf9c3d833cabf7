"""The pages on attacks and poison: rows, curves, and what makes them fail."""

from __future__ import annotations

import pytest

from agent.stages.retrieve import origins_of
from evals import attack_table, poison
from evals.record import Estimate
from evals.report.charts import curves
from tests.build import hit
from tests.cli.command import needs_embedder

CLAIM = "The glass works of Velmora employed 320 people in 2019."


def share(value):
    return Estimate(value=value, low=0, high=1, n=5)


def origins(who, how):
    documents = {document.id: document for document in poison.planted(CLAIM, 10, who, how)}
    return len(set(origins_of([hit(document).passage for document in documents.values()], documents).values()))


def test_planted_texts_are_what_they_are_called():
    """Copies and texts of one publisher are one voice; paraphrases of many publishers are mostly not."""
    assert (origins("one", "copies"), origins("one", "paraphrases"), origins("many", "copies")) == (1, 1, 1)
    assert origins("many", "paraphrases") >= 5
    assert all(CLAIM in document.text for document in poison.planted(CLAIM, 30, "many", "paraphrases"))


@pytest.mark.parametrize(("who", "value", "turned"), [("one", 0.2, 1), ("one", 0.0, 0), ("many", 0.2, 0)])
def test_one_publisher_that_turns_a_verdict_is_told(who, value, turned):
    """Any share above nothing, and only of one publisher."""
    found = {"smoke": {(who, "copies"): [poison.Point(5, share(0.5), share(0.5), share(value))]}}
    assert len(poison.turned_by_one(found)) == turned


def test_the_figure_stands_alone():
    """With words for those who do not see it."""
    drawn = str(curves("Title", "k", [("one", [(0, share(0)), (30, share(0.5))])]))
    assert drawn.startswith('<svg class="chart" role="img" xmlns=')
    assert "one: 0 0.00, 30 0.50" in drawn


def test_rows_switch_off_one_defence_each_and_then_all():
    """Those that play no part are left out."""
    rows = [entry.without for entry in attack_table.entries("attacks") if entry.solver == "pipeline"]
    assert rows == [(), *((name,) for name in rows[-1]), rows[-1]]
    assert not {"marks", "quotes"} & set(rows[-1])


@pytest.mark.slow
@pytest.mark.embedder
@needs_embedder[1]
def test_the_pages_are_made(tmp_path):
    """With the small judge, on a few cases."""
    runs = ["--run-dir", str(tmp_path / "runs"), "--data", str(tmp_path)]
    out = tmp_path / "attacks.md"
    assert attack_table.main(["attacks", "--limit", "2", "--out", str(out), *runs]) == 0
    assert "| nothing | 2 |" in out.read_text()
    page = ["--out", str(tmp_path / "poison.md"), "--svg", str(tmp_path / "poison.svg")]
    assert poison.main(["--judge", "small", "--limit", "2", *page, *runs]) in {0, 1}
    assert "| one | copies | 30 |" in (tmp_path / "poison.md").read_text()
