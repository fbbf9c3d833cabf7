"""Pictures of the chat page for the docs, of the seed article under the `local` profile: `make screenshots`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.chat.test_page import CHROMIUM, FLAGS

SHOTS = (
    ("light", {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"}),
    ("dark", {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"}),
    ("narrow", {"viewport": {"width": 320, "height": 700}, "color_scheme": "light"}),
)
QUESTIONS = ("Which claims matter most?", "What is the strongest evidence against claim 1?")


def main(out: Path) -> None:  # noqa: PLR0915 (one walk through the page)
    """Check the seed article once, then look at it in each form."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        command = [sys.executable, "-c", "from agent.cli import main; main()", "chat", "--no-browser", "--port", "0"]
        places = ["--profile", "local", "--run-dir", f"{folder}/runs", "--store", f"{folder}/store"]
        desk = subprocess.Popen([*command, *places], stderr=subprocess.PIPE, text=True)
        try:
            url = next(word for line in desk.stderr for word in line.split() if word.startswith("http://"))
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(url)
            page.screenshot(path=out / "chat-start.png")
            page.click("#seed")
            page.locator("#status", has_text="checked").wait_for(timeout=300_000)
            for number, question in enumerate(QUESTIONS, 1):
                page.fill("#say", question)
                page.press("#say", "Enter")
                page.locator(".turn.desk").nth(number - 1).wait_for()
            at = page.url
            for name, options in SHOTS:
                shot = browser.new_page(**options)
                shot.goto(at)
                shot.locator("#article .ref").first.wait_for()
                shot.wait_for_timeout(300)
                if name == "dark":
                    shot.locator("#article .refuted .ref").first.click()
                    shot.locator("#card h3").wait_for()
                    shot.mouse.move(5, 5)
                shot.screenshot(path=out / f"chat-{name}.png")
            browser.close()
        finally:
            desk.terminate()
            desk.wait(20)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
