"""Query planning: each round asks something new, and the same claim always the same things."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Claim, ClaimKind, Purpose, normalise
from agent.stages.queries import plan_queries

STRIKE = (
    "U.S. Central Command said that Australia's jets killed 62 Syrian soldiers near Deir ez-Zor on 17 September 2016."
)


def claim(text: str = STRIKE, kind: ClaimKind = ClaimKind.OTHER) -> Claim:
    """A claim with this text."""
    return Claim(id="c1", text=text, kind=kind)


def texts(text: str, number: int, kind: ClaimKind = ClaimKind.OTHER) -> list[str]:
    """The texts asked in one round."""
    return [query.text for query in plan_queries(claim(text, kind), round=number)]


def test_round_one_is_the_claim_itself() -> None:
    """The first round asks the text of the claim and nothing else."""
    (query,) = plan_queries(claim(), round=1)
    assert (query.text, query.purpose, query.round, query.claim_id) == (STRIKE, Purpose.CLAIM, 1, "c1")


def test_round_two_asks_keywords_and_a_refutation() -> None:
    """The second round keeps names, numbers and rare words, and adds what a refutation would say."""
    keywords, refute = plan_queries(claim(), round=2)
    assert keywords.purpose is Purpose.KEYWORDS
    assert keywords.text == (
        "U.S. Central Command said Australia jets killed 62 Syrian soldiers near Deir ez-Zor 17 September 2016"
    )
    assert refute.purpose is Purpose.REFUTE
    assert refute.text == f"{keywords.text} denied false incorrect"


@pytest.mark.parametrize(
    ("text", "kind", "ending"),
    [
        ("Russia struck the convoy.", ClaimKind.EVENT, "denied false incorrect"),
        ("Russia denied the strike.", ClaimKind.EVENT, "confirmed admitted true"),
        ("The US didn't strike the convoy.", ClaimKind.EVENT, "confirmed admitted true"),
        ("The US didn\u2019t strike the convoy.", ClaimKind.EVENT, "confirmed admitted true"),
        ("The strike killed 62 soldiers.", ClaimKind.QUANTITY, "actual number revised incorrect"),
        ("Kerry said that it was an error.", ClaimKind.QUOTE, "never said denied misquoted"),
    ],
)
def test_the_refuting_query_says_the_contrary(text: str, kind: ClaimKind, ending: str) -> None:
    """A refutation of a denial is a confirmation; other kinds of claim are contradicted in their own way."""
    assert texts(text, 2, kind)[-1].endswith(ending)


@pytest.mark.parametrize(
    ("text", "keywords"),
    [
        ("The US may act in May 2016.", "US act May 2016"),
        ("WHO said that it is over.", "WHO said"),
        ("GDP grew by 3.5% to 1,200 billion.", "GDP grew 3.5% 1,200 billion"),
        ("The minister's plan is 7 years old.", "minister plan 7 years old"),
    ],
)
def test_keywords_keep_what_is_rare(text: str, keywords: str) -> None:
    """Stop words go; numbers, units, the month of May and names in capitals stay."""
    assert texts(text, 2)[0] == keywords


def test_later_rounds_ask_one_name_at_a_time() -> None:
    """From the third round on each asks one name, number or date with the plain words, until none is left."""
    text = "In Aleppo the Red Crescent lost 18 trucks."
    assert texts(text, 3) == ["Aleppo lost trucks"]
    assert texts(text, 4) == ["Red Crescent lost trucks"]
    assert texts(text, 5) == ["18 lost trucks"]
    assert texts(text, 6) == []


def test_a_claim_of_stop_words_is_still_asked_for() -> None:
    """Without any keyword the refutation is built on the claim itself."""
    assert texts("It is what it was.", 2) == ["It is what it was. denied false incorrect"]


def test_keywords_that_repeat_the_claim_are_not_asked_again() -> None:
    """A claim that is all keywords has only the refutation left for round two."""
    assert texts("Kerry resigned", 2) == ["Kerry resigned denied false incorrect"]


def test_an_empty_claim_asks_nothing() -> None:
    """No query ever has an empty text."""
    assert [plan_queries(claim("  "), round=number) for number in range(1, 5)] == [()] * 4


def test_a_long_claim_gives_a_bounded_query() -> None:
    """At most twelve names and eight plain words are asked for, the longest of these."""
    names = " ".join(f"Name{number}" for number in range(30))
    plain = " ".join("x" * length for length in range(2, 32))
    found = texts(f"{names} {plain}", 2)[0].split()
    assert len(found) == 20
    assert "x" * 31 in found
    assert "xx" not in found


def test_rounds_start_at_one() -> None:
    """A round that does not exist is refused by value."""
    with pytest.raises(ValueError, match="round 0 must be 1 or more"):
        plan_queries(claim(), round=0)


@given(
    st.text(max_size=80)
    | st.lists(st.sampled_from(["The", "US", "no", "May", "7", "a.b", "U.K.", "él", "中", "'s", "isn't"])).map(" ".join)
)
def test_no_text_is_empty_or_asked_twice(text: str) -> None:
    """Over all rounds no text is empty, none is asked twice, and a second call plans the same."""
    planned = [query for number in range(1, 6) for query in plan_queries(claim(text), round=number)]
    asked = [normalise(query.text) for query in planned]
    assert all(asked)
    assert len(set(asked)) == len(asked)
    assert planned == [query for number in range(1, 6) for query in plan_queries(claim(text), round=number)]
