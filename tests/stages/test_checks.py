"""compare: what a claim's numbers, dates, names and negation do in a quote."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Check, CheckKind
from agent.stages.checks import compare
from tests.shared import FOLDER, needs

ADVERSARIAL = "data/adversarial/evidence.jsonl"
CAUGHT = {"negation", "number", "magnitude", "comparator", "entity"}
"""Minimal edits that code can see; modality, scope, attribution and swapped roles are left to the judge."""


def signs(claim: str, quote: str, *, context: str = "") -> list[tuple[str, bool]]:
    """Kind and agreement of every check."""
    return [(check.kind.value, check.agrees) for check in compare(claim, quote, "p", context=context)]


def test_checks_come_in_a_fixed_order() -> None:
    """Numbers, dates, names, negation, with the values as written and the passage they were found in."""
    claim = "In 2018 the Marlow bridge was not closed for twelve weeks."
    assert compare(claim, "In 2018 the Marlow bridge was closed for eleven weeks.", "p7") == (
        Check(
            kind=CheckKind.NUMBER, claim_value="twelve weeks", quote_value="eleven weeks", agrees=False, passage_id="p7"
        ),
        Check(kind=CheckKind.DATE, claim_value="2018", quote_value="2018", agrees=True, passage_id="p7"),
        Check(kind=CheckKind.NAME, claim_value="Marlow", quote_value="Marlow", agrees=True, passage_id="p7"),
        Check(kind=CheckKind.NEGATION, claim_value="not", quote_value="", agrees=False, passage_id="p7"),
    )


@pytest.mark.parametrize(("claim", "quote"), [("", ""), ("A claim.", ""), ("", "Some 60 soldiers."), ("...", "%")])
def test_nothing_to_compare_gives_no_checks(claim: str, quote: str) -> None:
    """Empty texts have no checks."""
    assert compare(claim, quote, "p") == ()


def blocks_support(checks) -> bool:
    """What the decision makes of checks: one mismatch is enough."""
    return any(not check.agrees for check in checks)


@needs(ADVERSARIAL)
def test_minimal_edits_are_seen() -> None:
    """Edits of number, magnitude, comparator, name and sign are caught; what the sentence supports is not blocked."""
    rows = [json.loads(line) for line in (FOLDER / ADVERSARIAL).read_text(encoding="utf-8").splitlines()]
    edits = {row["kind"].removeprefix("minimal-edit-"): row for row in rows if row["kind"].startswith("minimal-edit-")}
    blocked = {
        kind for kind, row in edits.items() if blocks_support(compare(row["expectation"]["claim"], row["text"], "p"))
    }
    assert blocked == CAUGHT


_PARTS = st.sampled_from(
    [
        "more than 60 Syrian soldiers",
        "about 12 people",
        "between 83 and 90 troops",
        "88.000 passengers",
        "3.1 million crowns",
        "on 17 September 2016",
        "since 2010",
        "in the Ondra valley",
        "did not fail to",
        "no one",
        "was closed",
        "$4.5m",
        "45 km",
        "under 20%",
        "up to 5-7 weeks",
        "Apollo 11",
        "never,",
        "He said.",
        "2001-2006",
    ]
)


@given(st.lists(_PARTS, min_size=1, max_size=8).map(" ".join))
def test_a_claim_never_disagrees_with_itself(text: str) -> None:
    """The same text on both sides gives no mismatch."""
    assert not blocks_support(compare(text, text, "p"))


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_can_be_compared(claim: str, quote: str) -> None:
    """No text makes the comparison fail, and the same texts give the same checks."""
    assert compare(claim, quote, "p") == compare(claim, quote, "p")
    assert not blocks_support(compare(claim, claim, "p"))


_SENTENCE = "In 2019 the glass works at Velmora employed {} people in two halls."


@given(st.integers(2, 10**7), st.integers(2, 10**7))
def test_a_changed_number_is_flagged(one: int, other: int) -> None:
    """The same sentence with a clearly different number of the same thing disagrees, whatever its spelling."""
    flagged = blocks_support(compare(_SENTENCE.format(one), _SENTENCE.format(f"{other:,}"), "p"))
    if abs(one - other) > 0.04 * max(one, other) and 2 not in {one, other}:
        assert flagged
    if one == other:
        assert not flagged


@given(st.integers(3, 10**9))
def test_another_spelling_of_a_number_agrees(number: int) -> None:
    """1234, 1,234, 1 234 and 1.234 are never called different."""
    for mark in (",", " ", "\u00a0", "\u202f", "."):
        quote = _SENTENCE.format(f"{number:,}".replace(",", mark))
        assert not blocks_support(compare(_SENTENCE.format(number), quote, "p"))
        assert not blocks_support(compare(quote, _SENTENCE.format(number), "p"))


def test_context_can_name_but_not_contradict() -> None:
    """Names in the text around a quote count; numbers there do not."""
    claim, quote = "The Marlow bridge has 4 lanes.", "It has 4 lanes."
    assert signs(claim, quote) == [("number", True)]
    assert signs(claim, quote, context="The Marlow bridge has 9 lanes.") == [("number", True), ("name", True)]
