"""The command line as a user meets it, in this process or in one of its own, and a model server to talk to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from agent.cli import main
from agent.models.registry import EMBEDDER, TOKENIZER, is_present
from agent.settings import load_settings
from tests.desk import ARTICLE, SOURCES, answer
from tests.faults import fault_server

KEY = "sk-canary-7f3a90"
COMMAND = (sys.executable, "-c", "from agent.cli import main; main()")


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def complaint(self):
        """What is wrong, in one sentence; what is merely told on the way stands before it."""
        (line,) = [line for line in self.err.splitlines() if line.startswith("factdesk: ")]
        return line


class Desk:
    """A working directory with an article and its sources, and the command to run in it."""

    def __init__(self, folder, monkeypatch, capsys):
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.write("article.txt", ARTICLE)
        rows = [source.model_dump(mode="json", exclude={"anchors", "sha256"}) for source in SOURCES]
        self.write("sources.jsonl", "\n".join(map(json.dumps, rows)))
        self.write("factdesk.toml", "wait_base = 0\nwindow = 2\n")

    def write(self, name, content):
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content, encoding="utf-8")
        return path

    def set(self, **variables):
        for name, value in variables.items():
            if value is None:
                self._monkeypatch.delenv(name, raising=False)
            else:
                self._monkeypatch.setenv(name, value)

    def run(self, *words):
        """One command in this process."""
        self._monkeypatch.setattr(sys, "argv", ["factdesk", *map(str, words)])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = self._capsys.readouterr()
        return Outcome(int(ended.value.code or 0), said.out, said.err)

    def start(self, *words, **options):
        """One command in a process of its own."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8"} | options
        environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        return subprocess.Popen([*COMMAND, *map(str, words)], cwd=self.folder, env=environ, **pipes)

    @contextmanager
    def server(self, *faults, script=answer, **options):
        """A model server that answers as wanted but for its faults; the environment points to it."""
        with fault_server(faults, **options) as server:
            server.state.script = lambda last, everything: script(_request_of(everything))
            self.set(FACTDESK_BASE_URL=server.base_url, FACTDESK_MODEL="mock", OPENAI_API_KEY=KEY)
            yield server


def _request_of(everything):
    """What a stage asked, as far as the wire shows it: the last question, even when a repair turn follows it."""
    start = max(everything.rfind("\nClaim: "), everything.rfind("\nTitle: ")) + 1
    name = "stance" if everything.startswith("Claim", start) else "extraction"
    return SimpleNamespace(schema_name=name, messages=[SimpleNamespace(content=everything[start:])])


def finish(process, timeout=60):
    out, err = process.communicate(timeout=timeout)
    return Outcome(process.returncode, out, err)


def embedder_is_present():
    cache = load_settings({"profile": "local"}).cache_dir
    return all(is_present(model, cache) for model in (EMBEDDER, TOKENIZER))


needs_embedder = [
    pytest.mark.embedder,
    pytest.mark.skipif(not embedder_is_present(), reason="the embedder is not in the cache: `factdesk models pull`"),
]
