"""locate_quote: exact slices of the document, or nothing."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.domain import Citation, Document, Match, Passage, Span, Stance, passage_of, text_sha256
from agent.stages.cite import locate_quote

BEFORE = "An earlier paragraph. "
TEXT = (
    "The \u201cMarlow\u201d bridge \u2013 Ondra\u2019s oldest \u2013 was closed in 2018\u00a0for eleven\n  weeks. "
    "Its of\ufb01ce said: \u201cWe were not asked\u2026 at all.\u201d It reopened in May. It reopened in May."
)


def document(text: str) -> Document:
    """A document with nothing but its text."""
    return Document(id="d", text=text, sha256=text_sha256(text))


def passage(text: str, *, before: str = BEFORE) -> Passage:
    """The passage `text` of a document that has something before and after it."""
    whole = document(before + text + " A later paragraph.")
    return passage_of(whole, Span(start=len(before), end=len(before) + len(text)))


def locate(quote: str, text: str = TEXT) -> Citation | None:
    """The citation of `quote` in `text`."""
    return locate_quote(quote, passage(text), Stance.SUPPORTS)


def test_an_exact_quote_points_into_the_document() -> None:
    """The span counts from the start of the document, not of the passage."""
    found = locate("was closed in 2018")
    start = (BEFORE + TEXT).index("was closed in 2018")
    assert found == Citation(
        document_id="d",
        span=Span(start=start, end=start + 18),
        quote="was closed in 2018",
        stance=Stance.SUPPORTS,
        match=Match.EXACT,
    )


def test_the_first_of_several_places_is_taken() -> None:
    """A sentence that stands twice is cited where it stands first."""
    found = locate("It reopened in May.")
    assert found is not None
    assert found.span.start == len(BEFORE) + TEXT.index("It reopened in May.")


@pytest.mark.parametrize(
    ("quote", "original"),
    [
        ("closed in 2018 for eleven weeks.", "closed in 2018\u00a0for eleven\n  weeks."),
        ('The "Marlow" bridge - Ondra\'s', "The \u201cMarlow\u201d bridge \u2013 Ondra\u2019s"),
        ("Its office said", "Its of\ufb01ce said"),
        ("not asked... at all", "not asked\u2026 at all"),
        ("Its  \u2009office\u200b said", "Its of\ufb01ce said"),
        ('"was closed in 2018"', "was closed in 2018"),
        ("\u2018was closed in 2018.\u2019", "was closed in 2018"),
        ("It reopened in May. It reopened in May...", "It reopened in May. It reopened in May"),
        (" was closed in 2018.", "was closed in 2018"),
    ],
)
def test_a_quote_in_other_typography_is_found(quote: str, original: str) -> None:
    """Blanks, quotation marks, dashes, ligatures and marks around the quote do not matter; the slice is original."""
    found = locate(quote)
    assert found is not None
    assert (found.quote, found.match) == (original, Match.NORMALISED)
    assert found.span.of(BEFORE + TEXT) == original


@pytest.mark.parametrize(
    "quote",
    [
        "",
        "   \n",
        '"..."',
        "\u2014",
        "The bridge ... for eleven weeks",
        "closed in 2018 [...] weeks",
        "The Marlow bridge was shut for eleven weeks",
        "WAS CLOSED IN 2018",
        "was closed in 2019",
        "An earlier paragraph",
        "A later paragraph.",
        "reopen.",
        "'eopened in May'",
    ],
)
def test_anything_else_is_not_found(quote: str) -> None:
    """Nothing to find, a gap, a paraphrase, another case, another passage, a cut word: no citation."""
    assert locate(quote) is None


def test_decomposed_letters_match_composed_ones() -> None:
    """NFC and NFD spellings are the same word, and the slice keeps the spelling of the document."""
    found = locate("caf\u00e9 on Ondra Square", "The cafe\u0301 on Ondra Square.")
    assert found is not None
    assert found.quote == "cafe\u0301 on Ondra Square"


def test_half_a_ligature_is_not_found() -> None:
    """A quote that would begin inside one original character has no exact slice."""
    assert locate("irst \u2013 day", "The \ufb01rst - day") is None


def test_the_stance_is_kept() -> None:
    """The citation carries the stance it was made for."""
    found = locate_quote("closed", passage(TEXT), Stance.REFUTES)
    assert found is not None
    assert found.stance is Stance.REFUTES


@given(st.text(min_size=1, max_size=60), st.data())
def test_any_slice_is_found_exactly(text: str, data: st.DataObject) -> None:
    """Every slice with a letter or digit is found, as it is."""
    start = data.draw(st.integers(0, len(text) - 1))
    quote = text[start : data.draw(st.integers(start + 1, len(text)))]
    assume(any(character.isalnum() for character in quote))
    found = locate(quote, text)
    assert found is not None
    assert (found.quote, found.match) == (quote, Match.EXACT)
    assert found.span.of(BEFORE + text) == quote


_MESSY = st.text(alphabet="ab1 .-'\"\u2019\u2013\u00a0\u2026\ufb01e\u0301\u200b\n", min_size=1, max_size=30)


@given(_MESSY, _MESSY)
def test_whatever_is_found_is_a_slice_of_the_document(quote: str, text: str) -> None:
    """A citation's quote is the text at its offsets, inside the passage."""
    found = locate(quote, text)
    if found is not None:
        assert found.quote == found.span.of(BEFORE + text)
        assert len(BEFORE) <= found.span.start < found.span.end <= len(BEFORE) + len(text)


_WORDS = st.lists(st.sampled_from(["the", "\u201cold\u201d", "bridge", "Ondra's", "2018", "well-kept"]), min_size=3)


@given(_WORDS, st.sampled_from([" ", "  ", "\n", "\u00a0 "]))
def test_blanks_and_curly_quotes_do_not_matter(words: list[str], blank: str) -> None:
    """A quote set in other typography is found at its place."""
    text = " ".join(words)
    quote = blank.join(words).replace("'", "\u2019").replace("\u201c", '"').replace("\u201d", "\u201d")
    found = locate(quote, f"Then {text} stood.")
    assert found is not None
    assert found.quote == text


@given(st.integers(0, 17), st.characters(categories=["Ll", "Nd"], max_codepoint=0x7F))
def test_one_changed_letter_is_not_found(place: int, letter: str) -> None:
    """A quote with another letter or digit is another quote."""
    quote = "was closed in 2018"
    assume(quote[place] != letter)
    assert locate(quote[:place] + letter + quote[place + 1 :]) is None
