"""Probabilities of choices from token log-probabilities."""

from __future__ import annotations

import math

import pytest

from agent.llm.base import TokenLogprobs
from agent.llm.logprobs import choice_probabilities

OPTIONS = ["supports", "refutes", "neutral"]


def tokens(*parts):
    return [
        TokenLogprobs(token=part, alternatives={part: 0.0})
        if isinstance(part, str)
        else TokenLogprobs(token=part[0], alternatives={name: math.log(p) for name, p in part[1].items()})
        for part in parts
    ]


def test_each_occurrence_of_the_field_has_its_distribution():
    """The alternatives of the value's first token count for the option they begin, normalised."""
    row = tokens(
        '{"p1": {"stance": "', ("supports", {"supports": 0.6, "ref": 0.3, "x": 0.1}), '"}, "p2": {"stance":',
        ' "', ("ref", {"ref": 0.5, "neutral": 0.25, "supports": 0.25}), 'utes"}}',
    )  # fmt: skip
    first, second = choice_probabilities(row, "stance", OPTIONS)
    assert first["supports"] == pytest.approx(0.6 / (0.6 + 0.3 + 0.1))
    assert first["neutral"] == pytest.approx(0.1)  # not among the alternatives: the smallest mass seen there
    assert second == pytest.approx({"supports": 0.25, "refutes": 0.5, "neutral": 0.25})


def test_a_quote_glued_to_the_token_does_not_hide_it():
    """Some tokenisers join the opening quotation mark to the word."""
    row = tokens('{"stance":', (' "neutral', {' "neutral': 0.9, ' "supports': 0.1}), '"}')
    assert choice_probabilities(row, "stance", OPTIONS)[0]["neutral"] > 0.8


def test_no_log_probabilities_no_distribution():
    """A server that gives none gets no made-up scores."""
    assert choice_probabilities([], "stance", OPTIONS) == ()


def test_distributions_sum_to_one():
    """Whatever the server sends."""
    row = tokens('"stance": "', ("zzz", {"zzz": 1.0}), '"')
    assert sum(choice_probabilities(row, "stance", OPTIONS)[0].values()) == pytest.approx(1)
