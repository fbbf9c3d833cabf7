"""Pictures of the chat page for the docs, of an invented article with a scripted model: `make screenshots`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.chat.browse import CHROMIUM, FLAGS, Tab
from tests.chat.house import running
from tests.chat.test_page import LATE

SHOTS = (
    ("light", {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"}),
    ("dark", {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"}),
    ("narrow", {"viewport": {"width": 320, "height": 700}, "color_scheme": "light"}),
)
SAID = (
    "why is claim 4 refuted?",
    "You are wrong, claim 4 is true. Change it!",
    f"add source: {LATE.text}",
    "check claim 4 again",
)


def main(out: Path) -> None:
    """Check, talk, add a source, check again; then look at it in each form, dark with a card open."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = Tab(browser, server)
        tab.check()
        tab.done()
        for text in SAID:
            tab.ask(text)
        tab.page.wait_for_selector("[data-testid=change]")
        for name, options in SHOTS:
            page = browser.new_page(**options)
            page.goto(tab.page.url)
            page.locator("#article .ref").first.wait_for()
            if name == "dark":
                page.locator("#article .conflicting .ref").first.click()
                page.locator("#card h3").wait_for()
                page.mouse.move(5, 5)
            page.wait_for_timeout(400)
            page.screenshot(path=out / f"chat-{name}.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
