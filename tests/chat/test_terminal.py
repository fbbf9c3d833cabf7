"""The conversation in a terminal."""

from __future__ import annotations

import asyncio
import io

from agent.cli.chat_terminal import talk
from tests.chat.house import rooms_in
from tests.desk import ARTICLE


def test_piped_questions_are_answered_in_order(tmp_path, monkeypatch, capsys):
    """Verdicts first, then one answer a line, a change with before and after, and no control character."""
    article = tmp_path / "article.txt"
    article.write_text(ARTICLE, encoding="utf-8")
    said = "why is claim 4 refuted?\nyou are wrong \x1b[31m\nadd source: Norvik accounts: the mill made 900 tons of flour in 2018.\ncheck claim 4 again\nquit\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(said))
    with rooms_in(tmp_path) as rooms:
        asyncio.run(talk(rooms, article))
    out = capsys.readouterr().out
    assert "claim 4: Refuted 71% → Conflicting" in out
    assert "\x1b" not in out
