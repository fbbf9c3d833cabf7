"""Real processes on one store: killed in the middle, and two that would write at once."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time

import pytest

from agent.domain import Purpose, Query
from agent.stages.retrieve import retrieve
from agent.store.base import TimeLimit
from agent.store.hybrid import Store
from evals.bench.chroma import chroma_at
from tests.store.killed import EMBEDDER

KILLS = int(os.environ.get("KILLS", "3"))
"""How often the ingest is killed: `KILLS=20 pytest tests/store/test_processes.py` is the long form."""
ANY = TimeLimit()


def start(*words, **options):
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "tests.store.killed", *map(str, words)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command, env=environ, text=True, **pipes, **options)


def wait_for(process, fits):
    """Read on until a line fits."""
    assert any(fits(line.strip()) for line in process.stdout)


def write_sources(path, count, first=0):
    rows = (
        {"id": f"d{n}", "text": f"House {n} in Velm has {n * 37 % 1000} windows. It was built by mason{n} in year{n}."}
        for n in range(first, first + count)
    )
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def assert_whole(folder, count):
    """Every passage is found by its own text in both indexes, and none comes twice."""
    with Store.open(folder, EMBEDDER) as store:
        assert store.check().problems == ()
        documents = [document for document, passages in store.list() if passages == 1]
        assert len(documents) == len({document.id for document in documents}) == count
        for document in documents:
            query = Query(claim_id="c", text=document.text, purpose=Purpose.CLAIM, round=1)
            for found in (
                store.search_dense(document.text, limit=20, when=ANY),
                store.search_lexical(document.text, limit=20, when=ANY),
                [hit.passage for hit in retrieve([query], store, limit=20, when=ANY)],
            ):
                ids = [passage.document_id for passage in found]
                assert ids[0] == document.id
                assert len(set(ids)) == len(ids)


def text_of(line):
    return json.loads(line)["text"]


def ask(process, text):
    process.stdin.write(f"{text}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


@pytest.fixture
def server(tmp_path):
    """The address of a Chroma server of its own."""
    with chroma_at(tmp_path / "index") as url:
        yield url


@pytest.mark.slow
def test_killed_in_mid_ingest_the_same_command_finishes_it(tmp_path):
    """`kill -9` at seeded moments; the same again goes on, every passage is found by itself, and none twice."""
    moments = random.Random(20260926)
    count = 50 * (KILLS + 2)
    source, folder = write_sources(tmp_path / "sources.jsonl", count), tmp_path / "store"
    for number in range(KILLS):
        process = start("add", source, folder)
        wait_for(process, lambda line, least=50 * number: line.isdigit() and int(line) > least)
        if number % 2 == 0:
            wait_for(process, lambda line: line == "index")
        time.sleep(moments.random() / 50)
        process.kill()
        process.communicate()
        assert process.returncode == -9, "it was done before it could be killed"
    process = start("add", source, folder)
    out, err = process.communicate()
    assert (process.returncode, out.splitlines()[-1]) == (0, "done"), err
    assert_whole(folder, count)


@pytest.mark.slow
def test_a_second_process_that_would_write_is_refused_and_nothing_is_lost(tmp_path):
    """It says what to do, in one sentence; afterwards it may, and the vectors of both are there."""
    mine, other = (write_sources(tmp_path / f"{n}.jsonl", 30, first=30 * n) for n in range(2))
    folder = tmp_path / "store"
    holder = start("hold", mine, folder)
    assert holder.stdout.readline() == "open\n"
    _, said = (refused := start("add", other, folder)).communicate()
    holder.communicate("\n")
    assert refused.returncode == 1
    assert said == (
        f"factdesk: store {str(folder)!r} is being written to by another process: wait until it is done, or stop it\n"
    )
    assert_whole(folder, 30)
    out, _ = start("add", other, folder).communicate()
    assert out.splitlines()[-1] == "done"
    assert_whole(folder, 60)


@pytest.mark.slow
def test_one_writer_and_many_readers_on_a_server(tmp_path, server):
    """Readers find what comes in while they are open, a second writer is refused, a rebuild leaves all to be found."""
    first, more = (write_sources(tmp_path / f"{n}.jsonl", 30, first=30 * n) for n in range(2))
    folder = tmp_path / "store"
    texts = [text_of(line) for path in (first, more) for line in path.read_text(encoding="utf-8").splitlines()]
    new = texts[45]
    out, err = start("add", first, folder, server).communicate()
    assert out.splitlines()[-1:] == ["done"], err
    readers = [start("read", "-", folder, server) for _ in range(2)]
    assert [reader.stdout.readline() for reader in readers] == ["open\n"] * 2
    assert all(ask(reader, new) not in ("", new) for reader in readers)
    holder = start("hold", more, folder, server)
    assert holder.stdout.readline() == "open\n"
    assert [ask(reader, new) for reader in readers] == [new] * 2
    _, said = (refused := start("add", first, folder, server)).communicate()
    assert (refused.returncode, said.count("\n")) == (1, 1)
    assert "is being written to by another process: wait" in said
    holder.communicate("\n")
    assert holder.returncode == 0
    assert not (folder / "chroma").exists()
    out, err = start("rebuild", "-", folder, server).communicate()
    assert out == "60\n", err
    assert [ask(reader, new) for reader in readers] == [new] * 2  # also those that were open before
    for reader in readers:
        reader.communicate("\n")
        assert reader.returncode == 0
    reader = start("read", "-", folder, server)
    assert reader.stdout.readline() == "open\n"
    assert [ask(reader, text) for text in texts] == texts
    reader.communicate()
