"""Stored XSS (T16, T17): every hostile text in every field of the page, in a real browser."""

from __future__ import annotations

import re

import pytest

from agent.ingest.read import partial_date
from agent.ingest.sources import document_of
from tests.adversarial import cases
from tests.build import document
from tests.chat.browse import NEEDS_BROWSER, Tab
from tests.chat.house import running

pytestmark = NEEDS_BROWSER

UNSEEN = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f\x1b]")
OWNED = re.compile(r"[<>\"'`=&:;/()\[\]{}\\#@!]")
STRUCTURE = """() => [...document.querySelectorAll('*')]
  .map((node) => [node.localName, ...[...node.attributes].map((one) => one.name).sort()].join(' '))"""
LINKS = """() => [...document.querySelectorAll('*')].flatMap((node) => [...node.attributes])
  .filter((one) => ['href', 'src', 'action', 'srcdoc', 'data'].includes(one.name)).map((one) => one.value)"""
VALUES = "() => [...document.querySelectorAll('input, textarea')].map((node) => node.value).join(' ') + document.title"


def _well(text):
    return text.encode("utf-8", "replace").decode()


def _sources(change):
    """A source for each case, with the text in text, title, publisher and address; and the cases' own metadata."""
    for number, row in enumerate(cases("articles")):
        text = change(_well(row["text"]))
        facts = {"title": text[:300], "publisher": text[:200], "url": text}
        yield document(f"{text}\nThe mill made {number} tons.", f"a{number}", **facts)
    for number, row in enumerate(cases("evidence")):
        meta = {key: change(value) for key, value in row["expectation"].get("meta", {}).items() if value}
        known = {"title": meta.get("title", ""), "publisher": meta.get("publisher"), "url": meta.get("url")}
        name = document_of({"id": meta.get("doc_id", ""), "text": "x"}).id
        text = f"{change(_well(row['text']))}\nCase {number}."
        yield document(text, f"{name}-{number}", published=partial_date(meta.get("date", "")), **known)
    yield document("The good mill made 7 tons.", "good", title="Good", publisher="Post", url="https://good.example/x")


class Look:
    """What the page is made of, gathered while it is used."""

    def __init__(self, browser, server, change):
        self.tab, self.change = Tab(browser, server), change
        self.structure, self.links, self.seen = set(), set(), ""

    def take(self):
        page = self.tab.page
        self.structure |= set(page.evaluate(STRUCTURE))
        self.links |= set(page.evaluate(LINKS))
        self.seen += page.locator("body").inner_text() + page.evaluate(VALUES)

    def use(self, texts):
        """Check them, open every card and some sources, ask with them, correct with them, and look at every list."""
        page = self.tab.page
        self.tab.check("\n\n".join(texts))
        self.tab.done()
        self.take()
        for number in range(page.locator("#article .ref").count()):
            page.locator("#article .ref").nth(number).click()
            page.wait_for_selector(f"#card h3 >> text=/^{number + 1}\\. /")
            self.take()
        for number in range(page.locator("#card figcaption .cite").count()):
            page.locator("#card figcaption .cite").nth(number).click()
            page.wait_for_selector("dialog[open] [data-testid=mark]")
            self.take()
            page.keyboard.press("Escape")
        for start in range(0, len(texts), 3):
            self.tab.ask("\n".join(texts[start : start + 3]))
        self.tab.ask(f"correct claim 1 to refuted because {' '.join(texts)[:2000]}")
        self.tab.ask(f"add source: {' '.join(texts)[:2000]}")
        self.tab.ask("check claim 1 again")
        page.wait_for_selector("[data-testid=change]")
        self.take()
        for opener, row in (("#open-sources", "[data-testid=source]"), ("#open-list", "#list-rows .cite")):
            page.click(opener)
            page.wait_for_selector(row)
            self.take()
            page.keyboard.press("Escape")
        title = page.title()
        self.tab.close()
        return title


@pytest.mark.slow
def test_hostile_texts_are_only_text_everywhere(browser, tmp_path):
    """The page has no element, attribute or link that it has not with harmless texts; nothing runs, nothing is loaded.

    `Tab.close` adds: no request to another host, no dialog, no complaint of the page's policy.
    """
    looks = {}
    for name, change in (("harmless", lambda text: OWNED.sub(" ", text)), ("hostile", lambda text: text)):
        texts = [change(_well(row["text"])) for row in cases("articles") if "ssrf" not in row["kind"]]
        with running(tmp_path / name, sources=tuple(_sources(change))) as server:
            looks[name] = look = Look(browser, server, change)
            title = look.use(texts)
            assert title.endswith(" · factdesk")
    plain, hostile = looks["harmless"], looks["hostile"]
    assert hostile.structure <= plain.structure
    assert not {word for tag in hostile.structure for word in tag.split()[1:] if word.startswith("on")}
    own = re.compile(r"https?://[^/@\s]+(/\S*)?|/static/\S+|/api/conversations/[0-9a-f]+/export\.\w+|#say|")
    assert [link for link in hostile.links if not own.fullmatch(link)] == []
    assert UNSEEN.findall(hostile.seen) == []
    for sign in ("<script>document.title='owned'</script>", "<svg/onload=", "{{7*7}}", "onmouseover="):
        assert sign in hostile.seen  # it did get there, as text
