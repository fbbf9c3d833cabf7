"""The conversation in a terminal."""

from __future__ import annotations

import asyncio
import io
import re

import pytest

from agent.cli.chat_terminal import talk
from agent.errors import InputError
from agent.ingest.read import read_document
from tests.chat.house import rooms_in
from tests.desk import ARTICLE


def test_piped_questions_are_answered_in_order(tmp_path, capsys):
    """Verdicts first, then one answer a line, a change with before and after, and no control character."""
    article = tmp_path / "article.txt"
    article.write_text(ARTICLE, encoding="utf-8")
    said = "why is claim 4 refuted?\nyou are wrong \x1b[31m\nadd source: Norvik accounts: the mill made 900 tons of flour in 2018.\ncheck claim 4 again\nquit\n"
    with rooms_in(tmp_path) as rooms:
        asyncio.run(talk(rooms, str(article), said=io.StringIO(said)))
    out = capsys.readouterr().out
    assert re.search(r"claim 4: Refuted \d\d% → Conflicting", out)
    assert "\x1b" not in out


def test_an_address_is_opened_only_when_allowed(tmp_path, capsys):
    """Refused with the cure; with leave it is checked as a file is."""

    async def fetch(url):
        return read_document(None, data=ARTICLE.encode(), name=url + "/a.txt").model_copy(update={"url": url})

    with rooms_in(tmp_path) as rooms, pytest.raises(InputError, match="--allow-url"):
        asyncio.run(talk(rooms, "https://public.example/a", said=io.StringIO("")))
    with rooms_in(tmp_path, fetch=fetch) as rooms:
        asyncio.run(talk(rooms, "https://public.example/a", said=io.StringIO("why is claim 4 refuted?\n")))
    assert "Claim 4 is Refuted" in capsys.readouterr().out
