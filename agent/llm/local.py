"""The embedded language model server as its clients see it: started once, shared, ended with the last of them."""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from agent.errors import ConfigError
from agent.llm.local_server import (
    ServerConfig,
    ServerState,
    clients_lock,
    kept_opening,
    lock,
    server_lock,
    state_path,
)
from agent.llm.opening import Turns

_LOOK_SECONDS = 0.05
_ANSWER_SECONDS = 5
_READING_SECONDS = 480
"""Longest additional wait for an opening that has to be read first: a busy machine reads a few tokens a second."""
_SAMPLE_BYTES = 1024 * 1024
_OTHER_SERVER = "set FACTDESK_BASE_URL to another server"


@dataclass(frozen=True)
class Launch:
    """How the child is started; tests start another program."""

    command: tuple[str, ...] = (sys.executable, "-m", "agent.llm.local_server")
    seconds: float = 120
    """Longest wait until it is ready."""


_USUAL = Launch()


class LocalServer:
    """One client's hold on the running server; it ends some moments after its last client is closed or dead."""

    def __init__(self, state: ServerState, clients: int) -> None:
        """Take over the shared clients lock with its descriptor `clients`."""
        self._state = state
        self._clients: int | None = clients

    @property
    def base_url(self) -> str:
        """Address of the OpenAI protocol."""
        return f"http://127.0.0.1:{self._state.port}/v1"

    @property
    def api_key(self) -> str:
        """The key it wants; made anew for each start."""
        return self._state.api_key

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._state.pid

    def is_alive(self) -> bool:
        """Whether it answers; after a `False`, close this and start anew."""
        return _answers(self._state)

    def close(self) -> None:
        """Let go of the server; may be called twice."""
        if self._clients is not None:
            os.close(self._clients)
            self._clients = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def start_local_server(  # noqa: PLR0913 (each is one plain choice of the caller)
    model_file: Path,
    *,
    folder: Path,
    slots: int,
    context: int,
    threads: int | None,
    on_wait: Callable[[str], None],
    opening: Turns = (),
    launch: Launch = _USUAL,
) -> LocalServer:
    """Join the server that runs for this folder, or start one; blocks until it is ready.

    Args:
        model_file: the GGUF file.
        folder: for locks, state and log; the same for all that share the server. Not on a network drive.
        slots: requests served at the same time.
        context: tokens of all slots together.
        threads: of the CPU; None leaves it to the engine.
        on_wait: hears what is waited for.
        opening: turns that calls begin with; read once for all, see `agent.llm.opening`.
        launch: how the child is started.

    Raises:
        ConfigError: there is no such file, the server does not start, or the running one serves another model.
    """
    require_posix(sys.platform)
    if not model_file.is_file():
        raise ConfigError(f"model file {str(model_file)!r} does not exist: run `factdesk models pull`")
    config = ServerConfig(
        folder=_made(folder),
        model_file=model_file.resolve(),
        fingerprint=_fingerprint(model_file),
        context=context,
        slots=slots,
        threads=threads,
        api_key=secrets.token_urlsafe(24),
        opening=opening,
    )
    with _only_one(config.folder, on_wait):
        clients = lock(clients_lock(config.folder), "shared", wait=True)
        assert clients is not None
        try:
            state = _join_or_start(config, launch, on_wait)
            _require_same(state, config)
        except BaseException:
            os.close(clients)
            raise
    return LocalServer(state, clients)


def require_posix(platform: str) -> None:
    """Refuse a system without file locks of the kind needed.

    Raises:
        ConfigError: it is Windows.
    """
    if platform == "win32":
        raise ConfigError(f"the embedded language model does not run on {platform!r}: {_OTHER_SERVER}")


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"folder {str(folder)!r} cannot be made ({error}): set FACTDESK_CACHE to another one"
        ) from error
    return folder.resolve()


def _fingerprint(model_file: Path) -> str:
    """Hash of size, beginning and end: tells model files apart without reading a gigabyte at each start."""
    size = model_file.stat().st_size
    with model_file.open("rb") as stream:
        head = stream.read(_SAMPLE_BYTES)
        stream.seek(max(0, size - _SAMPLE_BYTES))
        return hashlib.sha256(b"%d:" % size + head + stream.read()).hexdigest()


@contextmanager
def _only_one(folder: Path, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Let one process at a time look for the server and start it."""
    path = folder / "start.lock"
    descriptor = lock(path, "alone", wait=False)
    if descriptor is None:
        on_wait("another program is starting the language model")
        descriptor = lock(path, "alone", wait=True)
    assert descriptor is not None
    try:
        yield
    finally:
        os.close(descriptor)


def _join_or_start(config: ServerConfig, launch: Launch, on_wait: Callable[[str], None]) -> ServerState:
    """The state of a server that answers.

    A server may run that has no state yet: the client that started it was killed meanwhile.
    """
    child: subprocess.Popen[bytes] | None = None
    kept = kept_opening(config.folder, config.fingerprint, config.opening)
    reads_first = bool(config.opening) and not kept.exists()
    seconds = launch.seconds + (_READING_SECONDS if reads_first else 0)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if _is_served(config.folder):
            state = _read_state(config.folder)
            if state is not None and _answers(state):
                return state
        elif child is None:
            on_wait("loading the language model" + ("; it reads its prompt, once for all" if reads_first else ""))
            child = _spawn(config, launch)
        elif child.poll() is not None:
            raise _start_failed(config.folder, f"ended with exit code {child.returncode}")
        time.sleep(_LOOK_SECONDS)
    if child is not None:
        child.kill()
    raise _start_failed(config.folder, f"did not answer within {seconds:g} seconds")


def is_prepared(model_file: Path, folder: Path, opening: Turns) -> bool:
    """Whether the opening was read before, so that a start takes it up at once."""
    return kept_opening(folder, _fingerprint(model_file), opening).exists()


def _is_served(folder: Path) -> bool:
    """Whether a server process lives, ready or not."""
    descriptor = lock(server_lock(folder), "shared", wait=False)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def _spawn(config: ServerConfig, launch: Launch) -> subprocess.Popen[bytes]:
    """Start the child in a session of its own, so that Ctrl-C here does not end it for other clients."""
    state_path(config.folder).unlink(missing_ok=True)
    package_root = Path(__file__).parents[2]  # as working directory: no folder `agent` of the user is imported
    with _log_path(config.folder).open("wb") as log:
        child = subprocess.Popen(  # noqa: S603 (no shell; the command is ours)
            launch.command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=package_root,
        )
    assert child.stdin is not None
    with suppress(BrokenPipeError), child.stdin as stdin:
        stdin.write(config.model_dump_json().encode())
    threading.Thread(target=child.wait, daemon=True).start()  # no zombie stays when it ends
    return child


def _read_state(folder: Path) -> ServerState | None:
    try:
        return ServerState.model_validate_json(state_path(folder).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _answers(state: ServerState) -> bool:
    """Whether the server takes our key; `/health` would answer to any, and so could another server on the port."""
    connection = HTTPConnection("127.0.0.1", state.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {state.api_key}"})
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _require_same(state: ServerState, config: ServerConfig) -> None:
    if state.fingerprint != config.fingerprint:
        raise ConfigError(
            f"another program uses an embedded server with another model than {str(config.model_file)!r} "
            f"(process {state.pid}): end that program first, use its model, or {_OTHER_SERVER}"
        )
    have, need = state.context // state.slots, config.context // config.slots
    if have < need:
        raise ConfigError(
            f"another program uses the embedded server with {have} tokens for a request, {need} are wanted "
            f"(process {state.pid}): end that program first, or {_OTHER_SERVER}"
        )


def _log_path(folder: Path) -> Path:
    return folder / "server.log"


def _start_failed(folder: Path, what: str) -> ConfigError:
    path = _log_path(folder)
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    said = "\n".join(f"  {line}" for line in text.splitlines()[-6:]) or "  (its log is empty)"
    cure = f"run `factdesk models check`, free memory (it takes up to 3 GB), or {_OTHER_SERVER}"
    return ConfigError(f"the language model server {what}: {cure}; the end of its log {str(path)!r}:\n{said}")
