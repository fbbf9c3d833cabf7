"""The embedded server: shared by its clients, gone after the last one, clear when it does not start."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import platformdirs
import pytest

from agent.errors import ConfigError
from agent.llm.local import Launch, is_prepared, require_posix, start_local_server
from agent.llm.local_server import ServerState, lock, server_lock, state_path
from agent.models.registry import LANGUAGE_MODEL, is_present, model_path

FAKE = """
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from agent.llm.local_server import main

class Engine:
    def __init__(self, config):
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if self.headers["Authorization"] == "Bearer " + config.api_key else 401)
                self.end_headers()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.listening_address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

main(Engine)
"""
FAKE_LAUNCH = Launch(command=(sys.executable, "-c", FAKE), seconds=30)
CLIENT = f"""
import sys, time
from pathlib import Path
from agent.llm.local import Launch, start_local_server
launch = Launch(command=(sys.executable, "-c", {FAKE!r}), seconds=30)
server = start_local_server(
    Path(sys.argv[1]), folder=Path(sys.argv[2]), slots=2, context=8192, threads=None, on_wait=lambda what: None,
    launch=launch,
)
print(server.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    return path


@pytest.fixture
def folder(tmp_path):
    """The server's folder; whatever still serves it at the end is ended."""
    path = tmp_path / "server"
    yield path
    with suppress(FileNotFoundError, ProcessLookupError):
        os.kill(state_of(path).pid, signal.SIGKILL)


@pytest.fixture
def start(model_file, folder):
    """Starts or joins the fake server, with anything set otherwise; what was opened is closed at the end."""
    opened = []

    def begin(**other):
        options = {"folder": folder, "slots": 2, "context": 8192, "threads": None, "launch": FAKE_LAUNCH}
        options |= {"on_wait": lambda what: None} | other
        server = start_local_server(options.pop("model_file", model_file), **options)
        opened.append(server)
        return server

    yield begin
    for server in opened:
        server.close()


def state_of(folder):
    return ServerState.model_validate_json(state_path(folder).read_bytes())


def is_served(folder):
    descriptor = lock(server_lock(folder), "shared", wait=False)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None


def wait_until(holds, seconds=10):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def status(server, key):
    connection = HTTPConnection("127.0.0.1", int(server.base_url.split(":")[2].removesuffix("/v1")), timeout=5)
    connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})
    answer = connection.getresponse().status
    connection.close()
    return answer


def test_it_starts_serves_and_ends_after_its_only_client(start, folder):
    """The address and key work as soon as the call returns; after close the process and its state are gone."""
    heard = []
    with start(on_wait=heard.append) as server:
        assert heard == ["loading the language model"]
        assert server.is_alive()
        assert (status(server, server.api_key), status(server, "other")) == (200, 401)
    wait_until(lambda: not is_served(folder))
    assert not state_path(folder).exists()
    assert not server.is_alive()


def test_the_state_with_the_key_is_for_its_user_only(start, folder):
    """Folder and state file give nothing to other users, and the key is in no process list."""
    server = start()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(state_path(folder).stat().st_mode) == 0o600
    if Path("/proc").exists():
        assert server.api_key not in Path(f"/proc/{server.pid}/cmdline").read_text()
        assert server.api_key not in Path(f"/proc/{server.pid}/environ").read_text()
    assert server.api_key not in repr(state_of(folder))


def test_two_clients_share_one_server_until_the_last_closes(start, folder):
    """The second joins without loading; the first to close takes nothing away from the other."""
    heard = []
    first, second = start(), start(on_wait=heard.append)
    assert (first.pid, first.base_url, first.api_key) == (second.pid, second.base_url, second.api_key)
    assert heard == []
    first.close()
    first.close()
    time.sleep(1.2)  # longer than the server needs to notice
    assert second.is_alive()
    second.close()
    wait_until(lambda: not is_served(folder))


def test_clients_that_start_at_once_share_one_server(start):
    """Of several at the same moment one starts it, the others wait for that and say so."""
    heard, pids = [], []

    def run():
        pids.append(start(on_wait=heard.append).pid)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 4
    assert len(set(pids)) == 1
    assert heard.count("loading the language model") == 1
    assert "another program is starting the language model" in heard


def client_process(model_file, folder):
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(model_file), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def test_it_ends_after_a_client_that_was_killed(model_file, folder):
    """The kernel frees the lock of a client killed without a chance to clean up."""
    with client_process(model_file, folder) as client:
        pid = int(client.stdout.readline())
        assert is_served(folder)
        client.kill()
    wait_until(lambda: not is_served(folder))
    wait_until(lambda: not Path(f"/proc/{pid}").exists() or not Path("/proc").exists())


def test_it_outlives_the_client_that_started_it(start, model_file, folder):
    """Another process that joined keeps the server when its parent is killed."""
    with client_process(model_file, folder) as client:
        pid = int(client.stdout.readline())
        server = start()
        client.kill()
    time.sleep(1.2)
    assert server.pid == pid
    assert server.is_alive()


def test_children_of_a_client_do_not_keep_the_server(start, folder):
    """The lock is not inherited by programs that a client starts."""
    server = start()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False) as child:
        server.close()
        wait_until(lambda: not is_served(folder))
        assert child.poll() is None
        child.communicate()


def test_a_new_server_follows_one_that_was_killed(start, folder):
    """A dead server leaves its state behind; the next client is not misled by it."""
    first = start()
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: not is_served(folder))
    assert state_path(folder).exists()
    assert not first.is_alive()
    second = start()
    assert second.pid != first.pid
    assert second.is_alive()


def test_a_server_that_ends_after_the_last_client_makes_room_for_the_next(start):
    """Closing and starting in turn never meets a server that is about to end."""
    for _ in range(3):
        with start() as server:
            assert server.is_alive()


def test_a_child_that_dies_is_told_with_its_last_words(start, folder):
    """The message has the exit code, the end of the log, and what to do; the next start is not blocked."""
    program = "print('error: out of memory'); raise SystemExit(3)"
    with pytest.raises(ConfigError) as caught:
        start(launch=Launch(command=(sys.executable, "-c", program)))
    message = str(caught.value)
    assert "ended with exit code 3" in message
    assert "error: out of memory" in message
    assert "factdesk models check" in message
    assert "FACTDESK_BASE_URL" in message
    assert str(folder) in message
    assert start().is_alive()


def test_a_child_that_never_answers_is_ended(start, folder):
    """After the longest wait the child is killed and the message says how long that was."""
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with pytest.raises(ConfigError, match=r"did not answer within 2 seconds: .*FACTDESK_BASE_URL"):
        start(launch=Launch(command=(sys.executable, "-c", program), seconds=2))
    pid = int((folder / "server.log").read_text())
    wait_until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_server_with_another_model_is_not_joined(start, tmp_path):
    """The file that was wanted and the process in the way are named, and the other client is not disturbed."""
    server = start()
    other = tmp_path / "other.gguf"
    other.write_bytes(b"GGUF" + b"x" * 100)
    with pytest.raises(ConfigError, match=rf"another model than .*other\.gguf.*process {server.pid}"):
        start(model_file=other)
    assert server.is_alive()


@pytest.mark.parametrize(("slots", "context"), [(2, 4096), (4, 16384), (2, 8192), (8, 16384)])
def test_a_server_with_enough_room_for_a_request_is_joined(start, slots, context):
    """What counts is the room of one request, not how many there may be."""
    server = start()
    assert start(slots=slots, context=context).pid == server.pid


def test_a_server_with_too_little_room_for_a_request_is_not_joined(start):
    """Both sizes are named."""
    start()
    with pytest.raises(ConfigError, match="with 4096 tokens for a request, 8192 are wanted"):
        start(slots=1)


def test_the_same_bytes_at_another_path_are_the_same_model(start, model_file, tmp_path):
    """A model is told by its content."""
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(model_file.read_bytes())
    assert start().pid == start(model_file=copy).pid


def test_a_missing_model_file_is_named(start, tmp_path, folder):
    """Nothing is started for a file that is not there."""
    with pytest.raises(ConfigError, match=r"none\.gguf' does not exist: run `factdesk models pull`"):
        start(model_file=tmp_path / "none.gguf")
    assert not folder.exists()


def test_a_folder_that_cannot_be_made_is_named(start, model_file):
    """The folder and the variable to set are in the message."""
    with pytest.raises(ConfigError, match=r"cannot be made .*FACTDESK_CACHE"):
        start(folder=model_file / "server")


def test_windows_users_are_sent_to_another_server():
    """There are no such locks on Windows: the message says what works there."""
    with pytest.raises(ConfigError, match="set FACTDESK_BASE_URL"):
        require_posix("win32")
    require_posix("linux")


@pytest.mark.model
def test_the_real_model_answers_with_schema_and_logprobs(folder):
    """llama.cpp serves the model: the reply obeys the schema and comes with log-probabilities, in under 2 GB."""
    path = model_file_of()
    with start_local_server(path, folder=folder, slots=2, context=8192, threads=2, on_wait=lambda what: None) as server:
        choice = ask_for_colour(server)["choices"][0]
        memory = Path(f"/proc/{server.pid}/status")
        if memory.exists():
            kilobytes = next(line.split()[1] for line in memory.read_text().splitlines() if line.startswith("VmHWM"))
            assert int(kilobytes) < 2_000_000
    assert choice["finish_reason"] == "stop"
    assert json.loads(choice["message"]["content"])["colour"] in {"red", "blue"}
    assert len(choice["logprobs"]["content"][0]["top_logprobs"]) == 3
    wait_until(lambda: not is_served(folder))


@pytest.mark.model
def test_the_real_model_takes_up_what_it_read_before_an_earlier_end(folder):
    """After a restart the first call finds the opening read; the file holds for it, and for no other opening."""
    path = model_file_of()
    turns = (("system", "Name the colour that is asked for, as JSON. " * 20),)
    options = {"folder": folder, "slots": 2, "context": 8192, "threads": 2, "on_wait": lambda what: None}
    assert not is_prepared(path, folder, turns)
    for _ in range(2):
        with start_local_server(path, opening=turns, **options) as server:
            usage = ask_for_colour(server, turns)["usage"]
            assert usage["prompt_tokens_details"]["cached_tokens"] > 150
            assert is_prepared(path, folder, turns)
        wait_until(lambda: not is_served(folder))
    assert not is_prepared(path, folder, (("system", "Another."),))


def model_file_of():
    cache_dir = Path(os.environ.get("FACTDESK_CACHE") or platformdirs.user_cache_path("factdesk"))
    if not is_present(LANGUAGE_MODEL, cache_dir):
        pytest.skip(f"the language model is not in {str(cache_dir)!r}: run `factdesk models pull`")
    return model_path(LANGUAGE_MODEL, cache_dir)


def ask_for_colour(server, before=()):
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "blue"]}},
        "required": ["colour"],
        "additionalProperties": False,
    }
    body = {
        "messages": [
            *({"role": role, "content": text} for role, text in before),
            {"role": "user", "content": "Which colour is the sky? Answer as JSON."},
        ],
        "response_format": {"type": "json_schema", "json_schema": {"name": "colour", "schema": schema, "strict": True}},
        "max_tokens": 40, "temperature": 0, "logprobs": True, "top_logprobs": 3,
    }  # fmt: skip
    connection = HTTPConnection("127.0.0.1", int(server.base_url.split(":")[2].removesuffix("/v1")), timeout=120)
    connection.request(
        "POST",
        "/v1/chat/completions",
        body=json.dumps(body),
        headers={"Authorization": f"Bearer {server.api_key}", "Content-Type": "application/json"},
    )
    answer = json.load(connection.getresponse())
    connection.close()
    return answer
