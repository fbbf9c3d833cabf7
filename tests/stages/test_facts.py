"""Date, author and place as an article says them; nothing is guessed."""

import pytest

from agent.stages.facts import Facts, facts_of
from agent.stages.sentences import split_sentences
from tests.build import document


def facts(text, **fields):
    return facts_of(document(text, **fields), split_sentences(text))


@pytest.mark.parametrize(
    ("text", "published", "author", "place"),
    [
        ("Bridge opens\n\nPATRAS, Greece, 12 August 2024 - It opened.", "12 August 2024", "", "PATRAS, Greece"),
        ("Bridge opens\nBy Ilva Tarn\nVELM (14 July 2024) – It opened.", "14 July 2024", "Ilva Tarn", "VELM"),
        ("Bridge opens\n\nVELM - It opened on 3 May 1931.", "", "", "VELM"),
        ("For immediate release: 3 March 2025\n\nThe bridge is open.", "3 March 2025", "", ""),
        ("Transcript: the mayor on the bridge, 5 November 2024\n\nThank you.", "5 November 2024", "", ""),
        ("The bridge opened on 3 May 1931 and was closed again.\n\nNobody knew.", "", "", ""),
        ("By 2100 it will be gone.\n\nThe bridge is old.", "", "", ""),
        ("Q: Where is it?\n\nA: In Velm.", "", "", ""),
        ("US - a view from afar on 3 May 1931 and after", "", "", ""),
        ("The bridge.", "", "", ""),
    ],
)
def test_lines_at_the_top(text, published, author, place):
    """A dateline, a byline and a line that is there for its date are read; a date in running text is not."""
    found = facts(text)
    assert (found.published, found.author) == (published, author)
    if place or not text.startswith("US"):
        assert found.place == place


def test_metadata_come_first():
    """What the page or the table says of the article is surer than a line in it."""
    found = facts("VELM, 12 August 2024 - It opened.", published="2024-08-13")
    assert (found.published, found.place) == ("2024-08-13", "VELM")


def test_a_title_is_told_with_place_and_date():
    """So that "last Tuesday" can be resolved."""
    assert (
        Facts(published="12 August 2024", place="VELM").headed("Bridge opens") == "Bridge opens (VELM, 12 August 2024)"
    )
    assert Facts(author="Ilva Tarn").headed("Bridge opens") == "Bridge opens"


@pytest.mark.parametrize(
    ("text", "published", "author", "place"),
    [
        ("What happened on 9 November 1989\n\nThe wall fell.", "", "", ""),
        ("NEW YORK, 12 August 2024 — It opened.", "12 August 2024", "", "NEW YORK"),
        ("NASA: The rover landed.", "", "", ""),
        ("STRIKES IN SYRIA - a view from afar", "", "", ""),
        ("Published on 3 May 1931, the book sold well.", "", "", ""),
        ("By Friday, the river had risen.", "", "", ""),
        ("Bridge opens\nBy Ilva Tarn, Velm\nIt opened.", "", "Ilva Tarn", ""),
        ("Bridge opens\nMonday, 3 March 2025\nIt opened.", "3 March 2025", "", ""),
    ],
)
def test_what_only_looks_like_such_a_line(text, published, author, place):
    """The day a headline is about, an agency's name, a day of the week: none is taken."""
    assert facts(text) == Facts(published=published, author=author, place=place)
