"""Names, negation, and the words they are compared by."""

import pytest

from agent.stages.checks.names import compare_names, find_names
from agent.stages.checks.negation import compare_negation
from agent.stages.checks.words import clean, content, sentences, stem


@pytest.mark.parametrize(
    ("claim", "quote", "expected"),
    [
        ("The Marlow bridge was closed.", "They shut the bridge at Marlow.", [True]),
        ("The Harlow bridge was closed in 2018.", "The Marlow bridge was closed in 2018.", [False]),
        ("A bridge in Ondra was closed.", "A bridge in Velmora was closed.", [False]),
        ("The bridge was closed.", "The Marlow bridge was closed.", []),
        ("The Harlow bridge was closed.", "A dam at Velmora broke and people left the valley.", []),
        ("A Syrian base was hit in the raid.", "A Syria base was hit in the raid.", []),
        ("The base was hit by the US in a raid.", "The base was hit by the United States in a raid.", []),
        ("The council of Ondra met in September.", "The council of Ondra met in May.", [True]),
    ],
)
def test_names(claim: str, quote: str, expected: list[bool]) -> None:
    """Names agree when all are there, and differ only when one stands in the other's place."""
    assert [check.agrees for check in compare_names(claim, quote, "p")] == expected


def test_the_exchanged_names_are_shown() -> None:
    """A mismatch shows both names."""
    (check,) = compare_names("The Harlow bridge was closed.", "The Marlow bridge was closed.", "p")
    assert (check.claim_value, check.quote_value) == ("Harlow", "Marlow")


def test_a_word_that_begins_a_sentence_is_no_name() -> None:
    """Sentence starts, months and stop words are capitalised for other reasons."""
    text = "Engineers met Ada Ondra in May. The US Army left."
    assert [token.text for token in find_names(text)] == ["Ada", "Ondra", "US", "Army"]


@pytest.mark.parametrize(
    ("claim", "quote", "expected"),
    [
        ("The bridge was not closed in May.", "The bridge was closed in May.", [False]),
        ("The bridge was closed in May.", "The bridge wasn't closed in May.", [False]),
        ("The mayor opened the bridge.", "The mayor failed to open the bridge.", [False]),
        ("The bridge was never closed in May.", "The bridge was not closed in May.", []),
        ("The bridge was closed in May.", "Not only was the bridge closed in May.", []),
        ("The bridge was closed.", "The tunnel was not open and the bridge was closed.", []),
        ("The bridge was closed in May.", "Nobody in Velmora likes snow.", []),
        ("The bridge did not open until May.", "The bridge opened in May.", []),
        ("The bridge has 4 lanes and two piers.", "Bridge no. 7 has 4 lanes and two piers.", []),
    ],
)
def test_negation(claim: str, quote: str, expected: list[bool]) -> None:
    """Opposite signs count only in nearly the same wording."""
    assert [check.agrees for check in compare_negation(claim, quote, "p")] == expected


def test_clean_makes_typography_plain() -> None:
    """Quotes, dashes, compatibility forms, invisible characters and note marks do not reach the comparison."""
    assert clean("\u201c\uff11\uff12\u201d\u2009\u2013 don\u2019t\u200b[12]  go\u00ad") == '"12" - don\'t go'


def test_sentences_do_not_end_at_abbreviations() -> None:
    """A rough split that knows titles and initials."""
    assert sentences("Dr. Ada J. Ondra left. She won 3.1 points. Then") == (
        "Dr. Ada J. Ondra left.",
        "She won 3.1 points.",
        "Then",
    )


@pytest.mark.parametrize(
    "words",
    [
        ("close", "closed", "closes", "closing"),
        ("city", "cities"),
        ("stop", "stopped"),
        ("man", "men"),
        ("person", "people"),
    ],
)
def test_stems_bring_forms_together(words: tuple[str, ...]) -> None:
    """Forms of a word share a stem."""
    assert len({stem(word) for word in words}) == 1


def test_content_leaves_out_numbers_and_stop_words() -> None:
    """Only words that carry meaning are counted."""
    assert content("The 62 soldiers were in two bases") == frozenset({stem("soldier"), stem("base")})
