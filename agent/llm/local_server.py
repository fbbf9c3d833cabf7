"""The child process that serves the embedded language model on loopback until its last client is gone.

Run as `python -m agent.llm.local_server` with a `ServerConfig` as JSON on stdin, so that the key is in no process
list. Who is alive is told by locks, which the kernel frees however a process ends: the server holds `server.lock`,
each client shares `clients.lock`, and when the server gets the latter for itself nobody needs it any more.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import urlsplit

from pydantic import Field

from agent.domain import Data
from agent.llm.opening import Turns, opening_path, take_up

_LOOK_SECONDS = 0.5
_LOCK_TRIES = 40
_LOCK_SECONDS = 0.025
_PROMPT_CACHE_MIB = 512
"""The default of 8 GiB would let the server grow far beyond the size of the model."""


class ServerConfig(Data):
    """What the child has to serve."""

    folder: Path
    """Where locks, state and log lie; shared by all processes of one user."""
    model_file: Path
    fingerprint: str
    """Tells one model file from another."""
    context: int
    """Tokens of all slots together."""
    slots: int
    threads: int | None
    api_key: str = Field(repr=False)
    opening: Turns = ()
    """What its calls begin with; see `agent.llm.opening`."""


class ServerState(Data):
    """What a client has to know about the running server."""

    port: int
    api_key: str = Field(repr=False)
    pid: int
    fingerprint: str
    context: int
    slots: int


class Engine(Protocol):
    """A server that runs in threads of its own as long as it is referred to."""

    @property
    def listening_address(self) -> str:
        """Such as `http://127.0.0.1:8000`."""
        ...


def state_path(folder: Path) -> Path:
    """The state file: there when a server is ready."""
    return folder / "state.json"


def server_lock(folder: Path) -> Path:
    """Held alone by the server for its life."""
    return folder / "server.lock"


def clients_lock(folder: Path) -> Path:
    """Shared by all clients for their lives."""
    return folder / "clients.lock"


def lock(path: Path, kind: Literal["shared", "alone"], *, wait: bool) -> int | None:
    """Lock a file until the returned descriptor is closed or the process ends; None when others hold it.

    Child processes do not inherit the descriptor.
    """
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    flags = (fcntl.LOCK_SH if kind == "shared" else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    try:
        fcntl.flock(descriptor, flags)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def serve(config: ServerConfig, start: Callable[[ServerConfig], Engine]) -> None:
    """Start the engine, say so in the state file, and return when the last client is gone.

    The locks stay held: the process has to end right after.
    """
    if not _is_the_only_one(config.folder):
        raise SystemExit(f"another server is running in {str(config.folder)!r}")
    engine = start(config)
    _write_state(config, urlsplit(engine.listening_address).port or 0)
    while lock(clients_lock(config.folder), "alone", wait=False) is None:
        time.sleep(_LOOK_SECONDS)
    state_path(config.folder).unlink(missing_ok=True)


def _is_the_only_one(folder: Path) -> bool:
    """Take the server's lock for good; clients who look whether it is held hold it for an instant themselves."""
    for _ in range(_LOCK_TRIES):
        if lock(server_lock(folder), "alone", wait=False) is not None:
            return True
        time.sleep(_LOCK_SECONDS)
    return False


def start_llama(config: ServerConfig) -> Engine:
    """llama.cpp's own server on a free port of loopback."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(config.model_file)
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [config.api_key]
    params.n_ctx = config.context
    params.n_parallel = config.slots
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE  # mapped, the weights would be there twice
    params.ui = False
    params.endpoint_slots = False
    params.offline = True
    params.slot_save_path = f"{config.folder}{os.sep}"
    params.verbosity = 1  # errors only: the log must not grow with every request
    if config.threads is not None:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = config.threads
    try:
        engine: Engine = xllamacpp.Server(params)
    except RuntimeError as error:  # the engine has said why in the log; a traceback would hide it
        raise SystemExit(f"{str(config.model_file)!r} cannot be served: {error}") from error
    if config.opening:
        path = kept_opening(config.folder, config.fingerprint, config.opening)
        take_up(engine.listening_address, config.api_key, path, config.opening)
    return engine


def kept_opening(folder: Path, fingerprint: str, opening: Turns) -> Path:
    """The file of an opening under the engine that is installed: what one has kept another may not understand."""
    try:
        engine = version("xllamacpp")
    except PackageNotFoundError:
        engine = ""
    return opening_path(folder, fingerprint, engine, opening)


def main(start: Callable[[ServerConfig], Engine] = start_llama) -> None:
    """Serve what stdin says, then end at once, whatever the engine's threads still do."""
    serve(ServerConfig.model_validate_json(sys.stdin.read()), start)
    os._exit(0)


def _write_state(config: ServerConfig, port: int) -> None:
    """Write the state in one step, readable by this user only."""
    state = ServerState(
        port=port,
        api_key=config.api_key,
        pid=os.getpid(),
        fingerprint=config.fingerprint,
        context=config.context,
        slots=config.slots,
    )
    path = state_path(config.folder)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(state.model_dump_json())
    fresh.replace(path)


if __name__ == "__main__":
    main()
