"""Pictures of the chat for the docs: `make screenshots`.

The article is the seed's, with its own sources. The small models are real: embedder, judge, decision. Only the language
model is scripted, so that no picture takes minutes: every sentence is its own claim.
"""

from __future__ import annotations

import asyncio
import html
import io
import json
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

from playwright.sync_api import sync_playwright

from agent.cli.chat_terminal import talk
from agent.desk import embedder_of
from agent.settings import load_settings
from tests.chat.browse import CHROMIUM, FLAGS, Tab
from tests.chat.house import rooms_in, running
from tests.desk import answer

WIDE = {"width": 1440, "height": 900}
SHOTS = (
    ("light", {"viewport": WIDE, "color_scheme": "light"}),
    ("dark", {"viewport": WIDE, "color_scheme": "dark"}),
    ("narrow", {"viewport": {"width": 320, "height": 700}, "color_scheme": "light"}),
)
SAID = ("What did Churkin say?", "You are wrong, claim 2 is false. Change the verdict!", "what speaks against claim 2?")
ASKED = (
    "What did Churkin say?",
    "You are wrong, claim 2 is false. Change the verdict!",
    "What is the capital of France?",
)
TERMINAL = """<!doctype html><meta charset=utf-8><style>
body { margin: 0; background: #14171a; color: #e6e4df; }
pre { margin: 0; padding: 22px 26px; font: 14px/1.5 "DejaVu Sans Mono", "Liberation Mono", monospace; white-space: pre-wrap; }
b { color: #5cc4c6; font-weight: 400; }</style><pre>"""


def script(request):
    """Every sentence is a claim as it stands; no words of a model in the conversation."""
    if request.schema_name == "chat_answer":
        return json.dumps({"statements": []})
    if request.schema_name == "chat_choose":
        return json.dumps({"topic": "none", "claim": 0})
    return answer(request)


def real_models():
    """Options for rooms with the small models as they are used."""
    return {"sources": (), "embedder": embedder_of(load_settings({}, {"OPENAI_API_KEY": "-"})), "judge": "small"}


def page(browser, out):
    """Check, talk; then look at it in each form, dark with a card open."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), script, **real_models()) as server:
        tab = Tab(browser, server)
        tab.page.click("#seed")
        tab.wait("document.querySelector('#status').textContent.includes('checked')", timeout=900_000)
        for text in SAID:
            tab.ask(text)
        for name, options in SHOTS:
            shot = browser.new_page(**options)
            shot.goto(tab.page.url)
            shot.locator("#article .ref").first.wait_for()
            if name == "dark":
                shot.locator("#article .refuted .ref").first.click()
                shot.locator("#card h3").wait_for()
                shot.mouse.move(5, 5)
            shot.wait_for_timeout(600)
            shot.screenshot(path=out / f"chat-{name}.png")
            shot.close()


class Typed(io.StringIO):
    """Lines that are shown as they are read, as a terminal does."""

    def readline(self, *size):
        line = super().readline(*size)
        sys.stdout.write(f"\0{line}\0" if line else "")
        return line


def talked():
    """What `factdesk chat --terminal` writes, and what is typed, as HTML; not while Playwright runs, for its loop."""
    written = io.StringIO()
    said = Typed("".join(f"{line}\n" for line in ASKED))
    with (
        tempfile.TemporaryDirectory() as folder,
        rooms_in(Path(folder), script, **real_models()) as rooms,
        redirect_stdout(written),
    ):
        asyncio.run(talk(rooms, None, said=said))
    parts = ("$ factdesk chat --terminal\n\0\0" + written.getvalue()).split("\0")
    return "".join(f"<b>{html.escape(part)}</b>" if n % 2 else html.escape(part) for n, part in enumerate(parts))


def terminal(browser, out, lines):
    """The same as a picture."""
    shot = browser.new_page(viewport={"width": 1000, "height": 400}, device_scale_factor=1)
    shot.set_content(TERMINAL + lines)
    shot.locator("pre").screenshot(path=out / "chat-terminal.png")
    shot.close()


def main(out: Path) -> None:
    """All of them."""
    out.mkdir(parents=True, exist_ok=True)
    lines = talked()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page(browser, out)
        terminal(browser, out, lines)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
