"""What the embedded model has read of its prompt is kept between starts, and only that."""

from __future__ import annotations

import json
import stat
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from agent.llm.opening import opening_path, take_up

TURNS = (("system", "You read."), ("user", "An example."), ("assistant", "{}"))


class Engine:
    """Answers as llama.cpp does, and keeps what it was asked."""

    def __init__(self, folder):
        self.asked = []
        self.broken = set()
        engine = self

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                action = self.path.rpartition("=")[2]
                engine.asked.append((self.headers["Authorization"], action, body))
                if action == "save" and action not in engine.broken:
                    (folder / body["filename"]).write_bytes(b"kept")
                self.send_response(400 if action in engine.broken else 200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def actions(self):
        return [action for _, action, *_ in self.asked]


@pytest.fixture
def engine(tmp_path):
    made = Engine(tmp_path)
    yield made
    made.server.shutdown()
    made.server.server_close()


READ = "/v1/chat/completions"


def test_it_is_read_once_and_then_taken_up_from_its_file(engine, tmp_path):
    """The second start asks for nothing but the file; the file is for its user only."""
    path = opening_path(tmp_path, "model", "1.0", TURNS)
    take_up(engine.address, "key", path, TURNS)
    assert engine.actions == [READ, "save"]
    assert [turn["content"] for turn in engine.asked[0][2]["messages"]][:3] == [text for _, text in TURNS]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    take_up(engine.address, "key", path, TURNS)
    assert engine.actions[2:] == ["restore"]
    assert {key for key, *_ in engine.asked} == {"Bearer key"}


def test_a_file_that_cannot_be_taken_up_is_written_anew(engine, tmp_path):
    path = opening_path(tmp_path, "model", "1.0", TURNS)
    path.write_bytes(b"damaged")
    engine.broken = {"restore"}
    take_up(engine.address, "key", path, TURNS)
    assert engine.actions == ["restore", READ, "save"]
    assert path.read_bytes() == b"kept"


@pytest.mark.parametrize("broken", [READ, "save"])
def test_what_cannot_be_kept_costs_nothing_but_time(engine, tmp_path, broken):
    """No error, and no half a file that a later start would take up."""
    engine.broken = {broken}
    path = opening_path(tmp_path, "model", "1.0", TURNS)
    take_up(engine.address, "key", path, TURNS)
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_does_not_answer_is_no_error(engine, tmp_path):
    engine.server.shutdown()
    engine.server.server_close()
    take_up(engine.address, "key", opening_path(tmp_path, "model", "1.0", TURNS), TURNS)


def test_another_model_engine_or_prompt_has_another_file_and_only_the_last_stays(engine, tmp_path):
    """What one has made of a prompt means nothing to another."""
    other = (*TURNS[:2], ("assistant", "{ }"))
    paths = {
        opening_path(tmp_path, model, version, turns)
        for model, version, turns in (
            ("model", "1.0", TURNS), ("model 2", "1.0", TURNS), ("model", "1.1", TURNS), ("model", "1.0", other),
        )
    }  # fmt: skip
    assert len(paths) == 4
    for path in sorted(paths):
        take_up(engine.address, "key", path, TURNS)
    assert list(tmp_path.iterdir()) == [max(paths)]
