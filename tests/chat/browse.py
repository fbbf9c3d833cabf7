"""A headless browser for the chat page: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.desk import ARTICLE

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
NEEDS_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists(), reason=f"there is no browser at {CHROMIUM}: apt-get install chromium"
    ),
]


class Tab:
    """A page that remembers what it asked for and what it complained of."""

    def __init__(self, browser, server, **options):
        self.requests, self.complaints = [], []
        self.page = browser.new_page(**({"viewport": {"width": 1440, "height": 900}} | options))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.set_default_timeout(15_000)
        self.page.goto(server.url)
        self._home = f"http://127.0.0.1:{server.port}/"

    def wait(self, condition, timeout=15_000):
        """Until a condition holds; `wait_for_function` would need `eval`, which the page's policy forbids."""
        end = time.monotonic() + timeout / 1000
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, f"{condition} never held: {self.page.locator('body').inner_text()[:1500]}"
            self.page.wait_for_timeout(30)

    def check(self, text=ARTICLE):
        self.page.fill("#text", text)
        self.page.click("text=Check it")

    def done(self):
        self.wait("document.querySelector('#status').textContent.includes('checked')")

    def ask(self, text):
        count = self.page.locator(".turn.desk").count()
        self.page.fill("#say", text)
        self.page.press("#say", "Enter")
        self.wait(f"document.querySelectorAll('.turn.desk').length > {count}")
        self.wait("!document.querySelector('.writing')")
        return self.page.locator(".turn.desk").last.inner_text()

    def close(self):
        """Nothing went to another host, and nothing was complained of."""
        assert [url for url in self.requests if not url.startswith(self._home)] == []
        assert self.complaints == []
        self.page.close()


def main_thread_tasks(trace):
    """Milliseconds of processor time of each task of the pages' main threads, from a trace of the category `toplevel`."""
    events = json.loads(trace)["traceEvents"]
    named = [event for event in events if event.get("name") == "thread_name"]
    mains = {(one["pid"], one["tid"]) for one in named if one["args"]["name"] == "CrRendererMain"}
    return [
        event["tdur"] / 1000
        for event in events
        if event["name"] == "ThreadControllerImpl::RunTask"
        and (event["pid"], event["tid"]) in mains
        and "tdur" in event
    ]
