"""A desk in a folder of its own."""

from __future__ import annotations

import pytest

from tests.cli.command import Desk


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    """The command in a folder with an article, its sources and a settings file that never waits."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Desk(folder, monkeypatch, capsys)
