"""The Markdown report, and what text from outside may not do to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from agent.report.contract import pair_claims
from agent.report.markdown import clean_text, escape, summary_line, to_markdown, web_link
from tests.report.sample import HARMLESS, HOSTILE, sample_result


def parse(text):
    """All tokens of a Markdown text, inline ones included, as GitHub reads tables, HTML and links."""
    for token in MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text):
        yield token
        yield from token.children or ()


def shape(text):
    return [(token.type, token.tag) for token in parse(text) if token.type not in {"text", "text_special"}]


def test_tells_everything():
    """Each claim stands there with verdict, confidence, justification, quote, publisher and date."""
    text = to_markdown(sample_result())
    for claim, verification in pair_claims(sample_result()):
        assert claim.text in text
        if verification and verification.verdict:
            assert verification.verdict.justification in text
    for part in (
        "✗ Refuted**, confidence 95%; 3 documents, 2 independent origins",
        "[Brenholm grain terminal opens late](<https://sources.example/wire?a=1&b=2>), Nordwire, 2031-05-04, wire, characters",
        "the claim says 61 million crowns, the source says 87 million crowns",
        "Counter-evidence: supports the claim",
        "**! Failed** in stage judge (transient): The server did not answer",
        "**… Not reached**: the run ended before this claim.",
        "**– Abstained** (leaning Supported), confidence 52%",
        "confidence not given",
        "| 5 | ambiguous | 0 | “They” may be the city, the port or the residents. |",
        "1 citation dropped",
        "Setting as\\_of: not set",
    ):
        assert part in text


def test_summary_line():
    """The summary names only what there is."""
    assert summary_line(sample_result()) == (
        "10 claims: 3 supported, 2 refuted, 1 not enough evidence, 1 conflicting, 1 abstained, 1 failed, "
        "1 not reached. 7 of 11 sentences checked."
    )


def test_same_result_same_text():
    """Equal results give equal text."""
    assert to_markdown(sample_result()) == to_markdown(sample_result())


def test_hostile_text_forms_nothing():
    """Hostile text in every field leaves the parsed structure as harmless text does."""
    harmless = to_markdown(sample_result(HARMLESS, url=None))
    hostile = to_markdown(sample_result(HOSTILE, url="javascript:alert(1)"))
    assert shape(hostile) == shape(harmless)
    assert not [kind for kind, _ in shape(hostile) if kind.startswith(("html", "link", "image", "code"))]


def test_links_stay_links():
    """Hostile titles do not change where a link leads."""
    tokens = parse(to_markdown(sample_result(HOSTILE)))
    links = {token.attrGet("href") for token in tokens if token.type == "link_open"}
    assert links == {
        f"https://sources.example/{name}?a=1&b=2" for name in ("port", "wire", "copy", "survey", "residents")
    }


@given(st.text())
def test_escape_keeps_text_and_forms_nothing(text):
    """Escaped text parses to itself: one paragraph, nothing in it but text."""
    expected = " ".join(clean_text(text).split())
    tokens = [token for token in parse(f"- {escape(text)}") if token.type == "inline"]
    assert [token for inline in tokens for token in inline.children if not token.type.startswith("text")] == []
    assert "".join(token.content for inline in tokens for token in inline.children) == expected


@pytest.mark.parametrize(
    "url",
    ["https://a.example/b?c=d&e=(f)#g", "HTTP://a.example", "https://bücher.example/ä", "http://127.0.0.1:8000/"],
)
def test_web_links(url):
    """Absolute http and https addresses are links."""
    assert web_link(url) == url


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "//a.example",
        "/etc/passwd",
        "file:///etc/passwd",
        "https:a.example",
        "https:///path",
        "https://a.example@b.example/",
        'https://a.example/" onclick="x',
        "https://a.example/<b>",
        "https://a.example\\@b.example",
        "https://a.example/{{7*7}}",
        "https://[::1",
    ],
)
def test_no_links(url):
    """Everything else is not a link."""
    assert web_link(url) is None


def test_clean_text():
    """Controls, bidi overrides and tag characters go; letters, line breaks and emoji stay."""
    assert clean_text("a\x00b\u202ec\u2066d\U000e0041e\x85\x7f") == "abcde"
    assert clean_text("ä\n\tعربي 👩‍👩‍👧 −") == "ä\n\tعربي 👩‍👩‍👧 −"
