"""Which size of a passage is best: measured on a store, and chosen with a bias to what ships."""

from __future__ import annotations

from agent.small.titled import TitledEmbedder
from agent.store.memory import HashEmbedder
from evals.suites import load_suite
from evals.training.fit_windows import Measured, best_of, drawn, measure, size_of, table
from tests.evals.suite import write_suite


def row(enough, recall, *, title=False, suite="a"):
    return Measured(
        suite=suite, enough=enough, title=title, limit=5, documents=9, claims=5, passages=9, words=400,
        recall_at_5=recall, recall_at_10=recall,
    )  # fmt: skip


def test_a_choice_is_measured_by_a_search(tmp_path):
    """Smaller passages are more, and read for less; all gold documents are there to be found."""
    suite = load_suite(write_suite(tmp_path / "mills"))
    documents = drawn(suite, 100)
    assert {one.id for one in documents} == {one.id for one in suite.corpus.values()}
    found = measure(suite, documents, 60, HashEmbedder())
    titled = measure(suite, documents, 60, TitledEmbedder(HashEmbedder()))
    assert 0 < found.recall_at_5 <= found.recall_at_10 <= 1
    assert (found.title, titled.title, found.passages) == (False, True, titled.passages)


def test_the_sizes_that_ship_are_among_those_tried():
    """The table shows what the product does."""
    from agent.ingest.chunk import SHIPPED

    assert size_of(90) == SHIPPED


def test_a_choice_must_be_better_than_noise_to_replace_what_ships():
    """The mean over sets decides, and half a point is none."""
    assert best_of([row(90, 0.8), row(120, 0.804)]) == (90, False)
    assert best_of([row(90, 0.8), row(120, 0.82, title=True), row(60, 0.7)]) == (120, True)
    assert best_of([row(90, 0.9), row(90, 0.5, suite="b"), row(60, 0.8), row(60, 0.8, suite="b")]) == (60, False)


def test_the_table_has_a_line_for_each_choice():
    """With the mean over sets."""
    lines = list(table([row(90, 0.9), row(90, 0.5, suite="b"), row(60, 0.8)]))
    assert lines[0].startswith("| words | title | a | b |")
    assert "| 90 | no | 0.900 | 0.500 | 0.700 |" in lines[3]
