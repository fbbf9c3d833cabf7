"""The run log: what is saved is there again, whatever happens to the process, the disk or the file."""

import multiprocessing
import os
import signal
import sqlite3
import stat
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import (
    Citation,
    Claim,
    Document,
    Evidence,
    Failure,
    FailureKind,
    Hit,
    Label,
    LedgerEntry,
    Match,
    Purpose,
    Query,
    Result,
    Run,
    Sentence,
    SentenceStatus,
    Span,
    Stance,
    Usage,
    Verdict,
    Verification,
    passage_of,
    text_sha256,
)
from agent.errors import ConfigError, InputError, StoreError
from agent.llm.base import ChatReply, ChatRequest, Message, TokenLogprobs
from agent.llm.snapshot import CallSnapshot
from agent.runlog import MIGRATIONS, RunLog


def document(name: str = "d", text: str = "Some text.", **fields) -> Document:
    """A document with this id."""
    return Document(id=name, text=text, sha256=text_sha256(text), **fields)


def run(name: str = "run", **fields) -> Run:
    """A run with this id."""
    return Run(
        id=name,
        started="2026-01-02T03:04:05Z",
        code_version="0.1.0",
        profile="local",
        models={"judge": "m@1"},
        prompts={"judge": "00"},
        settings={"as_of": None, "passages": 5, "abstain_below": 0.5, "undated": "drop"},
        store="s",
        **fields,
    )


def entry(index: int, *claim_ids: str, text: str = "One.") -> LedgerEntry:
    """What became of one sentence."""
    status = SentenceStatus.CHECKED if claim_ids else SentenceStatus.NOT_CHECKABLE
    sentence = Sentence(index=index, span=Span(start=index * 10, end=index * 10 + len(text)), text=text)
    return LedgerEntry(sentence=sentence, status=status, reason="", claim_ids=claim_ids)


def claim(name: str, index: int | None = 0) -> Claim:
    """A claim with this id."""
    return Claim(id=name, text=f"Claim {name}.", sentence_index=index)


def verification(about: Claim, *sources: Document, text: str = "because") -> Verification:
    """A verdict on a claim with one hit and one piece of evidence for each source."""
    hits = tuple(
        Hit(passage=passage_of(source, Span(start=0, end=4)), rank=rank, score=1 / (20 + rank), origin="o")
        for rank, source in enumerate(sources, start=1)
    )
    evidence = tuple(
        Evidence(
            claim_id=about.id,
            passage_id=hit.passage.id,
            document_id=hit.passage.document_id,
            span=hit.passage.span,
            origin=hit.origin,
            stance=Stance.SUPPORTS,
            citation=Citation(
                document_id=hit.passage.document_id,
                span=hit.passage.span,
                quote=hit.passage.text,
                stance=Stance.SUPPORTS,
                match=Match.NORMALISED,
            ),
        )
        for hit in hits
    )
    return Verification(
        claim=about,
        queries=(Query(claim_id=about.id, text="q", purpose=Purpose.CLAIM, round=1),),
        hits=hits,
        evidence=evidence,
        outcome=Verdict(label=Label.SUPPORTED, confidence=0.9, justification=text, origins=len(hits)),
    )


def failure(about: Claim) -> Verification:
    """A claim that came to nothing."""
    return Verification(claim=about, outcome=Failure(stage="judge", kind=FailureKind.TRANSIENT, message="late"))


@pytest.fixture
def log(tmp_path: Path):
    """An open log in a new folder."""
    with RunLog(tmp_path) as opened:
        yield opened


def test_a_run_comes_back_as_it_was_saved(log: RunLog) -> None:
    """Entries come in sentence order, verifications in the order of the claims, whatever the order of saving."""
    article, source, other = document("article"), document("s1", "Text one."), document("s2", "Text two.")
    a, b, c = claim("a", 0), claim("b", 0), claim("c", 2)
    log.start(run(), article)
    log.save_entry("run", entry(2, "c"), [c])
    log.save_verification("run", verification(c, source, other), {"s1": source, "s2": other, "not hit": document()})
    log.save_entry("run", entry(0, "b", "a"), [b, a])
    log.save_entry("run", entry(1), [])
    log.save_verification("run", verification(a, source), {"s1": source})
    log.save_verification("run", failure(b), {})
    log.finish(run(usage=Usage(model_calls=3, cost=0.5), complete=True))
    found = log.load("run")
    assert found.run == run(usage=Usage(model_calls=3, cost=0.5), complete=True)
    assert found.article == article
    assert [kept.sentence.index for kept in found.ledger.entries] == [0, 1, 2]
    assert found.ledger.claims == (b, a, c)
    assert found.verifications == (failure(b), verification(a, source), verification(c, source, other))
    assert found.documents == {"s1": source, "s2": other}


TEXT = st.text(min_size=1, max_size=20)


@settings(max_examples=15)
@given(article=TEXT, source=TEXT.map(lambda text: f"{text}...."), said=TEXT, title=st.text(max_size=5))
def test_any_text_survives(tmp_path_factory, article: str, source: str, said: str, title: str) -> None:
    """Result in, result out, also with control characters and after the file was closed."""
    folder = tmp_path_factory.mktemp("log")
    given_article, given_source = document("a", article), document("s", source, title=title)
    about = claim("c")
    expected = Result.model_validate(
        {
            "run": run(complete=True),
            "article": given_article,
            "ledger": {"entries": (entry(0, "c", text=said),), "claims": (about,)},
            "verifications": (verification(about, given_source, text=said),),
            "documents": {"s": given_source},
        }
    )
    with RunLog(folder) as log:
        log.start(run(), expected.article)
        log.save_entry("run", expected.ledger.entries[0], expected.ledger.claims)
        log.save_verification("run", expected.verifications[0], expected.documents)
        log.finish(expected.run)
    with RunLog(folder) as log:
        assert log.load("last") == expected


def test_a_lone_surrogate_survives(log: RunLog) -> None:
    """A model can send half a character; it must not break the log."""
    log.start(run(), document("a", "half \ud83d"))
    assert log.load("run").article.text == "half \ud83d"


def test_what_was_saved_survives_a_kill(tmp_path: Path) -> None:
    """A process that dies between two saves loses neither; the next one finds the run incomplete."""
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=save_and_die, args=(tmp_path,))
    child.start()
    child.join(60)
    assert child.exitcode != 0
    with RunLog(tmp_path) as log:
        found = log.load("last")
        assert not found.run.complete
        assert [kept.sentence.index for kept in found.ledger.entries] == [0]
        assert set(log.saved_verifications("run")) == {"a"}


def save_and_die(folder: Path) -> None:
    """Save a little, then be killed."""
    log = RunLog(folder)
    log.start(run(), document("article"))
    log.save_entry("run", entry(0, "a"), [claim("a")])
    log.save_verification("run", failure(claim("a")), {})
    if sys.platform == "win32":
        os._exit(1)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_second_connection_sees_each_save_at_once(tmp_path: Path) -> None:
    """Nothing waits for a close: another reader finds what was saved a moment ago."""
    with RunLog(tmp_path) as writer, RunLog(tmp_path) as reader:
        writer.start(run(), document())
        writer.save_entry("run", entry(0), [])
        assert len(reader.load("run").ledger.entries) == 1


def test_starting_again_takes_the_run_up(log: RunLog) -> None:
    """A second start keeps entries, verifications and the first record, and makes the run the last one."""
    log.start(run("one"), document())
    log.save_entry("one", entry(0, "a"), [claim("a")])
    log.save_verification("one", failure(claim("a")), {})
    log.start(run("two"), document())
    log.start(run("one", usage=Usage(model_calls=9)), document())
    assert log.saved_verifications("one") == {"a": failure(claim("a"))}
    assert log.load("last").run == run("one")
    assert [kept.id for kept in log.runs()] == ["one", "two"]
    log.save_verification("one", verification(claim("a")), {})
    assert log.saved_verifications("one") == {"a": verification(claim("a"))}


def test_a_run_broken_off_keeps_its_costs_and_stays_incomplete(log: RunLog) -> None:
    """What was paid before the end is recorded, and the run can still be taken up."""
    log.start(run(), document())
    log.finish(run(usage=Usage(model_calls=2)))
    log.start(run(), document())
    assert log.load("run").run == run(usage=Usage(model_calls=2))


def test_an_unknown_run_has_no_verifications(log: RunLog) -> None:
    """Asking for what was saved never fails on a new run."""
    assert log.saved_verifications("new") == {}


def test_a_claim_that_is_no_longer_in_the_ledger_is_left_out(log: RunLog) -> None:
    """Saving a sentence again replaces its claims; a claim given without an article is always kept."""
    log.start(run(), document())
    for about in (claim("old"), claim("new"), claim("given", None)):
        log.save_verification("run", failure(about), {})
    log.save_entry("run", entry(0, "old"), [claim("old")])
    log.save_entry("run", entry(0, "new"), [claim("new")])
    assert [kept.claim.id for kept in log.load("run").verifications] == ["new", "given"]


def test_a_document_is_kept_as_the_run_saw_it(log: RunLog) -> None:
    """Two runs that saw different records under one document id keep their own, and equal records once."""
    for name, title in (("one", "Old"), ("two", "New"), ("three", "New")):
        source = document("s", title=title)
        log.start(run(name), document())
        log.save_entry(name, entry(0, "a"), [claim("a")])
        log.save_verification(name, verification(claim("a"), source), {"s": source})
    assert [log.load(name).documents["s"].title for name in ("one", "two", "three")] == ["Old", "New", "New"]
    assert log._connection.execute("SELECT count(*) FROM documents").fetchone() == (2,)


def test_only_documents_of_present_hits_are_loaded(log: RunLog) -> None:
    """A claim that is checked again drops the documents that only its earlier hits pointed into."""
    sources = {name: document(name) for name in ("old", "new")}
    log.start(run(), document())
    log.save_entry("run", entry(0, "a"), [claim("a")])
    for source in sources.values():
        log.save_verification("run", verification(claim("a"), source), sources)
    assert set(log.load("run").documents) == {"new"}


def test_a_hit_without_its_document_is_refused(log: RunLog) -> None:
    """A verification is saved with all it points to or not at all; documents saved before need not come again."""
    source = document("s")
    log.start(run(), document())
    with pytest.raises(StoreError, match="hit in document 's', which was not given"):
        log.save_verification("run", verification(claim("a"), source), {})
    assert log.saved_verifications("run") == {}
    log.save_verification("run", verification(claim("a"), source), {"s": source})
    log.save_verification("run", verification(claim("b"), source), {})
    assert len(log.saved_verifications("run")) == 2


@pytest.mark.parametrize(
    "save",
    [
        lambda log: log.save_entry("no", entry(0), []),
        lambda log: log.save_verification("no", failure(claim("a")), {}),
        lambda log: log.finish(run("no")),
    ],
)
def test_saving_to_a_run_that_was_not_started_is_refused(log: RunLog, save) -> None:
    """Every save names the run it does not know."""
    with pytest.raises(StoreError, match=r"run 'no' is not in .* start it"):
        save(log)


def test_a_run_is_found_by_id_prefix_or_last(log: RunLog) -> None:
    """A full id wins over a prefix of another; `last` is the one started last."""
    for name in ("abc", "abcd", "xyz"):
        log.start(run(name), document())
    assert [log.load(name).run.id for name in ("abc", "abcd", "x", "last")] == ["abc", "abcd", "xyz", "xyz"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("r", "run 'r' fits 7 runs: give more of its id; the last runs are r6, r5, r4, r3, r2, or say 'last'"),
        ("q", "run 'q' is not known; the last runs are r6, r5, r4, r3, r2, or say 'last'"),
        ("", "run '' is not known"),
        ("%", "run '%' is not known"),
    ],
)
def test_an_unclear_name_lists_the_last_runs(log: RunLog, name: str, message: str) -> None:
    """The message says what fits and names the five newest runs."""
    for number in range(7):
        log.start(run(f"r{number}"), document())
    with pytest.raises(InputError) as caught:
        log.load(name)
    assert message in str(caught.value)


def test_an_empty_log_says_so(log: RunLog) -> None:
    """Without any run the message tells what to do first."""
    with pytest.raises(InputError, match="holds no runs yet: verify an article first"):
        log.load("last")
    assert log.runs() == ()


REQUEST = ChatRequest(
    messages=(Message(role="user", content="hi \ud83d"),), schema_name="s", json_schema={"a": [1]}, max_tokens=9
)


def reply(text: str = "{}") -> ChatReply:
    """A reply with counts and log-probabilities."""
    return ChatReply(
        text=text,
        finish_reason="stop",
        usage=Usage(model_calls=1, prompt_tokens=7, completion_tokens=2, seconds=0.5),
        logprobs=(TokenLogprobs(token="a", alternatives={"a": -0.1, "b": float("-inf")}),),
    )


def test_a_model_reply_is_kept_for_good(log: RunLog) -> None:
    """A reply comes back whole, infinities included, and a second one for the same request does not replace it."""
    sha = REQUEST.sha256("m")
    assert log.find_call(sha) is None
    log.save_call(sha, REQUEST, reply())
    log.save_call(sha, REQUEST, reply("other"))
    assert log.find_call(sha) == reply()


def test_the_file_is_private(tmp_path: Path) -> None:
    """Articles may be private, so only their owner can read the log; missing folders are made."""
    folder = tmp_path / "new" / "runs"
    with RunLog(folder) as log:
        log.start(run(), document())
        modes = [stat.S_IMODE(path.stat().st_mode) for path in folder.glob("runs.sqlite*")]
    assert len(modes) == 3
    assert set(modes) == {0o600}


def test_the_file_is_durable(log: RunLog) -> None:
    """Write-ahead journal and full synchronisation are on, and the version is the last migration's."""
    values = [
        log._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "user_version", "foreign_keys")
    ]
    assert values == ["wal", 2, len(MIGRATIONS), 1]


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    """A log of a version this code does not know is left untouched, and both versions are named."""
    RunLog(tmp_path).close()
    with sqlite3.connect(tmp_path / "runs.sqlite") as raw:
        raw.execute("PRAGMA user_version = 99")
    raw.close()
    with pytest.raises(ConfigError, match=r"runs\.sqlite' has version 99, this factdesk knows up to 1: use a newer"):
        RunLog(tmp_path)


@pytest.mark.parametrize("spoil", ["all", "middle"])
def test_a_damaged_file_is_named_with_the_cure(tmp_path: Path, spoil: str) -> None:
    """A file that is no database, or broken inside, gives one sentence that says what to do."""
    with RunLog(tmp_path) as log:
        log.start(run(), document(text="x" * 50_000))
    path = tmp_path / "runs.sqlite"
    body = path.read_bytes()
    path.write_bytes(b"not a database" * 900 if spoil == "all" else body[:4096] + b"\xff" * (len(body) - 4096))
    with pytest.raises(ConfigError, match=r"runs\.sqlite'.*move the file away"), RunLog(tmp_path) as log:
        log.load("last")


def test_an_unreadable_record_is_named(log: RunLog) -> None:
    """A row that is no longer what it should be is an error, never an empty result."""
    log.start(run(), document())
    log._connection.execute("UPDATE runs SET record = '{}'")
    with pytest.raises(StoreError, match="holds a Run that cannot be read"):
        log.load("last")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A file where the folder should be is named with the setting to change."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be opened: .*FACTDESK_RUN_DIR"):
        RunLog(tmp_path / "file")


def test_a_closed_log_refuses_politely(tmp_path: Path) -> None:
    """Use after close is one of our errors; closing twice is fine."""
    log = RunLog(tmp_path)
    log.close()
    log.close()
    with pytest.raises(StoreError, match="closed"):
        log.runs()


def test_a_held_file_is_reported_after_the_wait(tmp_path: Path) -> None:
    """A writer that never lets go gives an error that says so, and saving works once it has gone."""
    with RunLog(tmp_path) as other, RunLog(tmp_path, busy_seconds=0.05) as log:
        other._connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process holds it"):
            log.start(run(), document())
        other._connection.execute("ROLLBACK")
        log.start(run(), document())
        assert log.load("last").run.id == "run"


def test_a_full_disk_leaves_a_readable_log(log: RunLog) -> None:
    """The save that does not fit is undone and explained; what was there stays, and later saves work."""
    log.start(run("before"), document())
    pages = log._connection.execute("PRAGMA page_count").fetchone()[0]
    log._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match=r"runs\.sqlite'.* full: free some space"):
        log.start(run("big"), document(text="x" * 100_000))
    assert [kept.id for kept in log.runs()] == ["before"]
    log._connection.execute("PRAGMA max_page_count = 1000000")
    log.start(run("big"), document(text="x" * 100_000))
    assert log.load("big").article.text == "x" * 100_000


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_failing_write_leaves_a_readable_log(tmp_path: Path) -> None:
    """The same when the system refuses to write: integrity holds, and the run goes on when there is room."""
    import resource

    with RunLog(tmp_path) as log:
        log.start(run("before"), document())
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        try:
            with pytest.raises(StoreError, match="free some space"):
                log.start(run("big"), document(text="x" * 400_000))
            assert [kept.id for kept in log.runs()] == ["before"]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        log.start(run("big"), document(text="x" * 400_000))
        assert log._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_threads_share_a_log(log: RunLog) -> None:
    """Saves from several threads all arrive."""
    log.start(run(), document())

    def save(first: int) -> None:
        for index in range(first, first + 10):
            log.save_entry("run", entry(index), [])

    threads = [threading.Thread(target=save, args=(first,)) for first in (0, 10, 20, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [kept.sentence.index for kept in log.load("run").ledger.entries] == list(range(40))


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    """Two processes that open a new log in the same moment and write into it lose nothing."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    children = [context.Process(target=save_many, args=(tmp_path, name, barrier)) for name in ("one", "two")]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0]
    with RunLog(tmp_path) as log:
        for name in ("one", "two"):
            found = log.load(name)
            assert found.run.complete
            assert len(found.ledger.entries) == len(found.verifications) == 15
            assert set(found.documents) == {"s"}


def save_many(folder: Path, name: str, barrier) -> None:
    """Save a whole run, beginning with all others at once."""
    source = document("s")
    barrier.wait(30)
    with RunLog(folder) as log:
        log.start(run(name), document())
        for index in range(15):
            about = claim(f"{name}{index}", index)
            log.save_entry(name, entry(index, about.id), [about])
            log.save_verification(name, verification(about, source), {"s": source})
        log.finish(run(name, complete=True))


def test_calls_of_another_log_are_merged_and_earlier_ones_are_found(tmp_path):
    """The first reply kept for a request stays; a snapshot is only read, and what was dropped is not found again."""
    with RunLog(tmp_path / "main") as log:
        log.save_call("a", REQUEST, reply("first"))
        log.snapshot_calls(tmp_path / "calls.sqlite")
    with RunLog(tmp_path / "part", earlier=CallSnapshot(tmp_path / "calls.sqlite")) as part:
        assert part.find_call("a") == reply("first")
        part.save_call("a", REQUEST, reply("second"))
        part.save_call("b", REQUEST, reply("new"))
        assert part.find_call("a") == reply("second")
        part.drop_call("a")
        assert part.find_call("a") is None
        part.save_call("a", REQUEST, reply("third"))
    with RunLog(tmp_path / "main") as log:
        log.merge_calls(tmp_path / "part" / "runs.sqlite")
        assert [log.find_call(name) for name in "ab"] == [reply("first"), reply("new")]


def test_a_snapshot_that_is_not_there_is_a_clear_error(tmp_path):
    """A machine that does not see the shared folder."""
    with pytest.raises(StoreError, match="does this machine see the file"):
        CallSnapshot(tmp_path / "none.sqlite").find("a")
