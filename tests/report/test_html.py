"""The HTML report: complete, self-contained, and deaf to what outside text asks for."""

import base64
import hashlib
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import Document, Ledger, text_sha256
from agent.report.contract import State, pair_claims, state_of
from agent.report.html import to_html
from agent.report.markdown import clean_text
from tests.report.sample import HARMLESS, HOSTILE, sample_result

VOID = {"meta", "input", "rect", "br"}
CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Element:
    """One element of a page with all text inside it."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()


class Page(HTMLParser):
    """A parsed page; wrongly nested elements fail the test."""

    def __init__(self, text):
        super().__init__()
        self.root = Element("root", {})
        self.open = [self.root]
        self.feed(text)
        self.close()
        assert self.open == [self.root]

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs)
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        for element in self.open:
            element.text += data

    @property
    def elements(self):
        return list(self.root.walk())

    def find(self, name, value):
        return next(element for element in self.elements if element.attributes.get(name) == value)

    def shape(self):
        return [(element.tag, sorted(element.attributes)) for element in self.elements]


@pytest.fixture(scope="module")
def page():
    return Page(to_html(sample_result()))


def test_same_result_same_bytes():
    """The order in which mappings were filled does not change a byte."""
    result = sample_result()
    turned = result.model_copy(update={"documents": dict(reversed(result.documents.items()))})
    assert to_html(turned) == to_html(result)


def test_every_claim_has_its_card(page):
    """A card shows the claim, its sentence, verdict, confidence, justification and each quote."""
    result = sample_result()
    for number, (claim, verification) in enumerate(pair_claims(result), 1):
        card = page.find("id", f"claim-{number}")
        assert state_of(verification) in card.attributes["class"].split()
        assert claim.text in card.text
        assert claim.origin.of(result.article.text) in card.text
        verdict = verification.verdict if verification else None
        if verdict:
            shown = "not given" if verdict.confidence is None else f"{verdict.confidence:.0%}"
            assert shown in card.text
            assert verdict.justification in card.text
            marks = [element.text for element in card.walk() if element.tag == "mark"]
            assert {citation.quote for citation in verdict.rationale} <= set(marks)


def test_every_highlight_leads_to_a_card(page):
    """Each marked sentence carries a symbol per claim, linked to a card that is there, and each card one."""
    ids = {element.attributes.get("id") for element in page.elements}
    body = page.find("class", "body")
    targets = [element.attributes["href"] for element in body.walk() if "ref" in _classes(element)]
    assert targets == [f"#claim-{number}" for number in range(1, 11)]
    links = [element.attributes["href"] for element in page.elements if element.tag == "a"]
    assert {link[1:] for link in links if link.startswith("#")} <= ids


def _classes(element):
    return (element.attributes.get("class") or "").split()


def test_article_is_whole(page):
    """The article stands there with all its sentences, in order."""
    marks = re.compile(r"[✓✗?⇄–!…]\d+")
    shown = " ".join(marks.sub(" ", page.find("class", "body").text).split())
    assert shown == " ".join(sample_result().article.text.split())


def test_gravest_state_colours_the_sentence(page):
    """A sentence with a supported and a failed claim is not shown as supported."""
    assert "failed" in _classes(page.find("id", "sentence-8"))
    assert "refuted" in _classes(page.find("id", "sentence-2"))
    assert "unclear" in _classes(page.find("id", "sentence-5"))
    assert "broken" in _classes(page.find("id", "sentence-9"))


def test_details_of_a_claim(page):
    """A card shows mismatches, counter-evidence, shared origins, what was searched, and dropped quotes."""
    text = " ".join(page.find("id", "claim-4").text.split())
    for part in (
        "number differs",
        "Claim 61 million crowns",
        "Source 87 million crowns",
        "Counter-evidence: supports the claim",
        "Same origin as Brenholm grain terminal opens late",
        "2 documents, 1 independent origin",
        "4 passages of 3 documents read, 1 without bearing on the claim",
        "Brenholm terminal not 61 million",
        "1 citation dropped",
    ):
        assert part in text


def test_failure_is_not_a_verdict(page):
    """A failed claim says which stage failed, and shows no confidence."""
    card = page.find("id", "claim-9")
    assert "the stage “judge” failed" in card.text
    assert "Confidence" not in card.text


def test_ledger_and_facts(page):
    """All sentences stand in the ledger with status and reason; models, prompts and settings below."""
    for entry in sample_result().ledger.entries:
        row = page.find("id", f"ledger-{entry.sentence.index}").text
        assert entry.sentence.text in row
        assert entry.reason in row
    for part in ("qwen2.5-coder-1.5b-instruct", "5f" * 32, "abstain_below", "9b1c4e7f2a60d358", "73.4 s"):
        assert part in page.root.text


def test_context_is_cut_at_blanks():
    """Around a quote stand at most 200 characters on each side, cut between words, inside the passage."""
    figures = [element for element in Page(to_html(sample_result())).elements if element.tag == "blockquote"]
    for figure in figures:
        quote = next(element.text for element in figure.children)
        before, after = figure.text.split(quote, 1)
        assert len(before) <= 202
        assert len(after) <= 202
    assert any(figure.text.startswith("… ") for figure in figures)
    assert any(figure.text.endswith(" …") for figure in figures)


def test_policy_forbids_all_but_the_style(page):
    """The policy comes before the style, allows nothing but it, and its hash is right."""
    text = to_html(sample_result())
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    sha256 = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = page.find("http-equiv", "Content-Security-Policy").attributes["content"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{sha256}';")
    assert "unsafe" not in policy
    assert text.index("Content-Security-Policy") < style.start()
    assert "url(" not in style[1]
    assert "@import" not in style[1]


@pytest.mark.parametrize(("spice", "url"), [("", "https://a.example/{name}"), (HOSTILE, "javascript:alert(1)")])
def test_nothing_is_loaded_or_run(spice, url):
    """No script, no style attribute, no event handler, nothing with a source; links lead to the web or here."""
    for element in Page(to_html(sample_result(spice, url=url))).elements:
        assert element.tag not in {"script", "img", "iframe", "object", "embed", "link", "base", "form", "use"}
        assert not [name for name in element.attributes if name.startswith("on") or name in {"style", "src"}]
        if (address := element.attributes.get("href")) is not None:
            assert element.tag == "a"
            assert address.startswith(("#", "https://a.example/"))
        if (element.attributes.get("href") or "#").startswith("http"):
            assert element.attributes["rel"] == "noopener noreferrer nofollow"


def test_hostile_text_forms_nothing():
    """Hostile text in every field leaves elements and attributes as harmless text does."""
    harmless = Page(to_html(sample_result(HARMLESS, url=None)))
    for url in ("javascript:alert(1)", 'https://a.example/"><img src=x onerror=alert(1)>', HOSTILE):
        hostile = Page(to_html(sample_result(HOSTILE, url=url)))
        assert hostile.shape() == harmless.shape()
    assert hostile.root.text.count("{{7*7}}") > 20
    assert "49" not in clean_text(HOSTILE)


def test_unseen_characters_are_removed():
    """Controls, bidi overrides and tag characters of outside text do not reach the page."""
    text = to_html(sample_result(HOSTILE))
    assert clean_text(text) == text


@settings(max_examples=20)
@given(st.text())
def test_any_text_forms_nothing(spice):
    """No text at all changes elements and attributes."""
    expected = Page(to_html(sample_result(" x", url=None))).shape()
    assert Page(to_html(sample_result(f"{spice} x", url=None))).shape() == expected


def test_claim_without_article():
    """A claim alone has its card, and no article and no ledger beside it."""
    result = sample_result()
    claim = result.ledger.claims[0].model_copy(update={"sentence_index": None, "origin": None})
    verification = result.verifications[0].model_copy(update={"claim": claim})
    ledger = Ledger(entries=(), claims=(claim,))
    page = Page(
        to_html(result.model_copy(update={"ledger": ledger, "verifications": (verification,), "documents": {}}))
    )
    assert "not stored with this run" in page.find("id", "claim-1").text
    assert "ledger" not in {element.attributes.get("id") for element in page.elements}


def test_nothing_to_check():
    """An article without claims says so."""
    text = "Hm."
    article = Document(id="a", text=text, sha256=text_sha256(text))
    ledger = Ledger(entries=(), claims=())
    empty = {"article": article, "ledger": ledger, "verifications": (), "documents": {}}
    assert "No sentence of the article holds a claim" in to_html(sample_result().model_copy(update=empty))


@pytest.mark.browser
@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no browser at {CHROMIUM}")
def test_in_a_browser(tmp_path):
    """The page opens without a request or a complaint; a highlight leads to its card; the chart filters."""
    from playwright.sync_api import expect, sync_playwright

    report = tmp_path / "report.html"
    report.write_text(to_html(sample_result(HOSTILE)), encoding="utf-8")
    requests, complaints = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.goto(report.as_uri())
        page.click("#sentence-2 sup a >> nth=0")
        page.wait_for_url("**#claim-3")
        expect(page.locator("#claim-3:target h3")).to_be_in_viewport()
        page.click("label[for=show-supported]")
        shown = page.locator(".card:visible").count()
        assert shown == 3 + 1
        page.set_viewport_size({"width": 420, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == 420
        browser.close()
    assert requests == [report.as_uri()]
    assert complaints == []


def test_every_state_has_its_look():
    """Each state has a tone in the style and a look of its own under the sentence."""
    style = re.search(r"<style>(.*?)</style>", to_html(sample_result()), re.DOTALL)[1]
    for state in State:
        assert f".{state}" in style
        assert f"#show-{state}:checked" in style
