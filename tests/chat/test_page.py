"""The page in headless Chromium, against the real server with a scripted model."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.build import document
from tests.chat.browse import NEEDS_BROWSER, Tab, main_thread_tasks
from tests.chat.house import opener, running
from tests.desk import ARTICLE, SOURCES

AXE = Path(__file__).parents[2] / ".axe" / "node_modules" / "axe-core" / "axe.min.js"
pytestmark = NEEDS_BROWSER
LATE = document(
    "Norvik mill accounts: the mill made 900 tons of flour in 2018.",
    "s9",
    publisher="Norvik Archive",
    published="2019-02-01",
)


@pytest.fixture
def server(tmp_path):
    with running(tmp_path) as found:
        yield found


def test_from_paste_to_verdicts_to_the_exact_characters(browser, server):
    """Paste, verdicts in the article, a card, and the source with just the quote marked."""
    tab = Tab(browser, server)
    tab.check()
    tab.done()
    assert tab.page.locator("#article .sentence.refuted").count() == 1
    assert tab.page.locator("#article .sentence.supported").count() == 2
    tab.page.click("#article .refuted .ref")
    assert "Refuted" in tab.page.locator("[data-testid=verdict]").inner_text()
    assert "What would change the verdict" in tab.page.locator("#card").inner_text()
    tab.page.click("#card figcaption .cite")
    assert tab.page.locator("[data-testid=mark]").inner_text() == SOURCES[2].text
    tab.close()


def test_follow_up_questions(browser, server):
    """Answers cite the run; a free question gets quotes; what is not there is said so; a model's lie is dropped."""
    tab = Tab(browser, server)
    tab.check()
    tab.done()
    assert "Refuted" in tab.ask("why is claim 4 refuted?")
    assert "400 tons" in tab.ask("what is the strongest evidence against it?")
    told = tab.ask("who made flour at the mill?")
    assert "Trade Review" in told
    assert "as you said" not in told
    assert tab.page.locator(".turn.desk").last.locator(".cite").count() >= 1
    tab.page.locator(".turn.desk").last.locator(".cite").first.click()
    tab.page.wait_for_selector("dialog[open] mark")
    tab.close()


def test_a_sentence_that_was_not_checked_says_why_and_can_be_asked_for(browser, server):
    """The reason stands at it; its button has it checked as it is."""
    tab = Tab(browser, server)
    tab.check()
    tab.done()
    sentence = tab.page.locator("#article .sentence.not_checkable")
    assert "opinion" in sentence.get_attribute("title")
    sentence.hover()
    sentence.locator("[data-testid=check-this]").click()
    tab.page.wait_for_selector("#own-list .ref")
    assert "What a disgrace!" in tab.page.locator("#own-list").inner_text()
    tab.close()


def test_a_new_source_flips_a_claim_and_says_why(browser, server):
    """Words change nothing; a source does, and before, after and the quote that came are shown."""
    tab = Tab(browser, server)
    tab.check()
    tab.done()
    tab.ask("You are wrong, claim 4 is true. Change the verdict!")
    assert tab.page.locator("#article .sentence.refuted").count() == 1
    assert "added" in tab.ask(f"add source: {LATE.text}")
    tab.ask("check claim 4 again")
    tab.page.wait_for_selector("[data-testid=change]")
    change = tab.page.locator("[data-testid=change]").inner_text()
    assert "Refuted" in change
    assert "→" in change
    assert "Came: “Norvik mill accounts" in change
    assert tab.page.locator("#article .sentence.conflicting").count() == 1
    tab.close()


def test_stop_and_go_on_and_reload_in_the_middle(browser, tmp_path):
    """A reload in mid-run goes on where it was; stop stops at once; go on ends it."""
    with running(tmp_path, delay=1.5) as server:
        tab = Tab(browser, server)
        tab.check(ARTICLE + " The mill made 400 tons of flour in 2018. The mill burnt down on 5 March 2019." * 3)
        tab.page.wait_for_selector("#article .ref")
        tab.page.reload()
        tab.page.wait_for_selector("#article .ref")
        tab.page.click("#stop")
        tab.page.wait_for_selector("#go-on:visible", timeout=3000)
        assert "Stopped" in tab.page.locator("#status").inner_text()
        tab.page.click("#go-on")
        tab.done()
        assert tab.page.locator("#article .sentence.left").count() == 0
        tab.close()


def _pdf(text):
    content = b"BT /F1 12 Tf 40 700 Td (" + text.encode() + b") Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 900 800] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]  # fmt: skip
    body, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return body + b"xref\n0 6\n0000000000 65535 f \n%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        table,
        len(body),
    )


def _docx(text):
    import docx

    made, out = docx.Document(), io.BytesIO()
    made.add_paragraph(text)
    made.save(out)
    return out.getvalue()


FACT = "The fire killed 3 dockers."
FILES = {
    "a.txt": FACT.encode(), "a.md": f"# Fire\n\n{FACT}".encode(),
    "a.html": f"<!doctype html><html><body><article><p>{FACT} It was in the papers for weeks, and nobody spoke of anything else in town.</p></article></body></html>".encode(),
    "a.pdf": _pdf(FACT), "a.docx": _docx(FACT),
}  # fmt: skip


def test_every_format_can_be_opened(browser, server):
    """txt, md, html, pdf and docx end in a supported claim; a picture is refused in words."""
    tab = Tab(browser, server)
    for name, data in FILES.items():
        tab.page.set_input_files("#file", {"name": name, "mimeType": "application/octet-stream", "buffer": data})
        tab.done()
        assert tab.page.locator("#article .sentence.supported").count() == 1, name
        tab.page.click("#home")
    tab.page.set_input_files(
        "#file", {"name": "a.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n\x00\x00"}
    )
    tab.wait("document.querySelector('#start-error').textContent.includes('unknown format')")
    tab.complaints.clear()  # the browser itself notes the 400
    tab.close()


def test_an_address_is_opened_or_refused_in_words(browser, server, tmp_path, httpserver):
    """Pasted alone into the field; the page itself asks no other host for it."""
    httpserver.expect_request("/a").respond_with_data(f"<html><body><p>{ARTICLE}</p></body></html>")
    url = f"http://public.example:{httpserver.port}/a"
    tab = Tab(browser, server)
    tab.check(url)
    tab.wait("document.querySelector('#start-error').textContent.includes('--allow-url')")
    tab.complaints.clear()  # the browser itself notes the 400
    tab.close()
    with running(tmp_path / "open", fetch=opener()) as other:
        tab = Tab(browser, other)
        tab.wait("document.querySelector('#text').placeholder.includes('address')")
        tab.check(url)
        tab.done()
        assert tab.page.locator("#article .sentence.refuted").count() == 1
        tab.close()


def test_two_hundred_claims_stay_smooth(browser, tmp_path):
    """No frame takes over 100 ms while verdicts stream in.

    Counted is the processor time of the page's main thread in one task, layout and painting included: that is what a
    frame takes on an idle machine, and it stays the same while other work keeps the processors from the page.
    """
    text = " ".join(f"The mill made {n} tons of flour in {1700 + n}." for n in range(200))
    with running(tmp_path) as server:
        tab = Tab(browser, server)
        browser.start_tracing(page=tab.page, categories=["toplevel"])
        tab.check(text)
        tab.wait("document.querySelector('#status').textContent.startsWith('200 of 200')", timeout=120_000)
        tasks = main_thread_tasks(browser.stop_tracing())
        assert len(tasks) > 200
        assert 1 < max(tasks) <= 100
        assert tab.page.locator("#article .ref").count() == 200
        tab.close()


HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)> <svg onload=alert(2)> javascript:alert(1) {{7*7}} \u202egnp"


def test_hostile_text_is_only_text(browser, tmp_path):
    """Markup in article, source, metadata, question and correction forms no element and runs nothing."""
    source = document(
        f"The fire killed 3 dockers {HOSTILE}", "x1", publisher=HOSTILE, title=HOSTILE, url="javascript:alert(1)"
    )
    with running(tmp_path, sources=[source]) as server:
        tab = Tab(browser, server)
        tab.check(f"The fire killed 3 dockers {HOSTILE}. {HOSTILE}")
        tab.done()
        tab.ask(HOSTILE)
        tab.ask(f"correct claim 1 to refuted because {HOSTILE}")
        tab.page.locator("#article .ref").first.click()
        tab.page.locator("#card figcaption .cite").first.click()
        tab.page.wait_for_selector("dialog[open] [data-testid=mark]")
        tab.page.keyboard.press("Escape")
        tab.page.click("#open-sources")
        tab.page.wait_for_selector("[data-testid=source]")
        assert tab.page.locator("main img, main svg, main script, dialog img, dialog script").count() == 0
        assert tab.page.locator("a[href^=javascript]").count() == 0
        assert "owned" not in tab.page.title().replace(HOSTILE, "").split("·")[-1]
        tab.close()


def test_keyboard_alone_and_narrow(browser, server):
    """Tab and Enter open a card, Escape closes it and gives the focus back; 320 px need no sideways scrolling."""
    tab = Tab(browser, server, viewport={"width": 320, "height": 640})
    tab.check()
    tab.done()
    tab.page.locator("#article .ref").first.focus()
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_selector("#card:visible h3")
    assert tab.page.evaluate("document.activeElement.id") == "card"
    tab.page.keyboard.press("Escape")
    assert tab.page.evaluate("document.activeElement.className").startswith("ref")
    assert tab.page.evaluate("document.documentElement.scrollWidth") == 320
    tab.close()


def test_kept_found_and_really_deleted(browser, tmp_path):
    """A conversation is found after a restart; deleting leaves not a byte of it."""
    with running(tmp_path) as server:
        tab = Tab(browser, server)
        tab.check(ARTICLE + " The canary is Zyxomma-7.")
        tab.done()
        tab.ask("add source: Zyxomma-7 is a canary of the mill in Norvik, it is said.")
        tab.close()
    with running(tmp_path) as server:
        tab = Tab(browser, server)
        tab.page.click("#open-list")
        tab.page.fill("#list-search", "zyxomma")
        tab.page.wait_for_selector("#list-rows .cite")
        tab.page.click("#list-rows .cite")
        tab.done()
        assert tab.page.locator("#article .sentence.refuted").count() == 1
        assert any(b"Zyxomma" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        tab.page.click("#open-list")
        tab.page.click("#list-rows >> text=Delete")
        tab.page.click("#list-rows >> text=Delete for good")
        tab.page.wait_for_selector("#list-rows >> text=None.")
        tab.close()
    assert [path for path in tmp_path.rglob("*") if path.is_file() and b"Zyxomma" in path.read_bytes()] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, server, scheme):
    """axe-core, served from here, on start, article with card, and sources."""
    if not AXE.is_file():
        pytest.skip("axe-core is not here: `make test` fetches it where npm is")
    tab = Tab(browser, server, color_scheme=scheme, bypass_csp=True)

    def problems():
        tab.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = tab.page.evaluate("async () => (await axe.run()).violations")
        return [
            (one["id"], [node["html"][:120] for node in one["nodes"]][:3])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]

    assert problems() == []
    tab.check()
    tab.done()
    tab.ask("why is claim 4 refuted?")
    tab.page.click("#article .refuted .ref")
    tab.page.wait_for_selector("#card:visible h3")
    assert problems() == []
    tab.page.click("#open-sources")
    tab.page.wait_for_selector("[data-testid=source]")
    assert problems() == []
    tab.close()
