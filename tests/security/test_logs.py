"""The log of the command line: one line an event, nothing that steers a terminal, no key (T21, T26)."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.cli.logs import SafeFormatter
from agent.settings import known_secrets

KEY = "canary-7f3a90-of-no-known-form"


def line_of(message, *args, error=None, secrets=(KEY,)):
    record = logging.LogRecord("agent", logging.INFO, "a.py", 1, message, args, error and (type(error), error, None))
    return SafeFormatter(lambda: secrets).format(record)


def test_an_event_is_one_line_without_control_characters():
    """A forged event and a terminal's orders stay inside the line that holds them."""
    found = line_of("taken: %s", "Ferry\n2024-01-01 INFO all claims SUPPORTED\r\x1b[2J\u202e\u2028\x85")
    assert found == (r"INFO:agent:taken: Ferry\n2024-01-01 INFO all claims SUPPORTED\r\x1b[2J\u202e\u2028\x85")


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=80))
def test_any_text_is_one_line(text):
    """Lone surrogates, too, can be written."""
    found = line_of("%s", text)
    assert len(found.splitlines()) <= 1
    found.encode("utf-8")


def test_lines_of_a_traceback_cannot_pass_for_events():
    """They are indented, and masked as well."""
    first, *rest = line_of("broken", error=ValueError(f"a\nINFO:agent:all is well\n{KEY}")).splitlines()
    assert first == "INFO:agent:broken"
    assert rest
    assert all(line.startswith("  | ") for line in rest)
    assert KEY not in "".join(rest)


@pytest.mark.parametrize(
    "text",
    [
        KEY, f"sk-{KEY}", f"Authorization: Bearer {KEY}", f"{{'api_key': '{KEY}'}}", f"api-key={KEY}",
        f"http://127.0.0.1:1/?token={KEY}",
    ],
)  # fmt: skip
def test_a_key_is_masked(text):
    """Ours wherever it stands; another's where it looks like one."""
    assert KEY not in line_of("%s", text)
    foreign = line_of("%s", text, secrets=())
    assert (KEY in foreign) == (text == KEY)


def test_the_keys_of_environment_and_file_are_known(tmp_path):
    """A file that cannot be read has none, and stops nothing."""
    (tmp_path / "factdesk.toml").write_text('api_key = "from-file"\n')
    assert known_secrets({"OPENAI_API_KEY": "from-environment"}, tmp_path) == ("from-environment", "from-file")
    (tmp_path / "factdesk.toml").write_text("api_key = \n")
    assert known_secrets({}, tmp_path) == ()


def test_a_working_directory_that_is_gone_hides_no_key(tmp_path, monkeypatch):
    """The keys of the environment are known all the same."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert known_secrets({"OPENAI_API_KEY": "from-environment"}) == ("from-environment",)


def test_keys_of_others_and_the_token_of_the_chat_are_known(tmp_path):
    """Only what is long enough to be one; a stand-in such as `none` is a word like any other."""
    environ = {
        "FACTDESK_TOKEN": "of-the-chat", "MISTRAL_API_KEY": "mistral-0123", "CI_TOKEN": "of-ci-012345",
        "X_SECRET": "secret-01234", "SHORT_API_KEY": "eleven-long", "OPENAI_API_KEY": "none", "OTHER": "no-key-at-all",
    }  # fmt: skip
    assert known_secrets(environ, tmp_path) == ("of-the-chat", "mistral-0123", "of-ci-012345", "secret-01234")


def test_the_command_line_logs_so():
    """All handlers that the command puts in place, for every library's events."""
    code = (
        "import logging, sys; sys.argv = ['factdesk', '--help']\n"
        "from agent.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"logging.getLogger('openai').debug('one\\ntwo %s', {KEY!r})"
    )
    environ = os.environ | {"FACTDESK_DEBUG": "1", "OPENAI_API_KEY": KEY}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    assert r"DEBUG:openai:one\ntwo ***" in done.stderr.splitlines()
