"""What cannot be worked with: exit code 2, one sentence on stderr with the value and the cure, nothing on stdout."""

from __future__ import annotations

import pytest
from filelock import FileLock

from tests.cli.command import KEY, finish, needs_embedder
from tests.desk import ARTICLE

VERIFY = ("verify", "article.txt", "--json")


def refused(outcome, *says):
    """Whether the command ended as it should, and said these words."""
    assert outcome.code == 2, outcome.err
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert len(outcome.complaint) < 400
    for words in says:
        assert words in outcome.complaint
    return True


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("gone.txt", None, ["'gone.txt'", "factdesk verify -"]),
        ("empty.txt", "", ["'empty.txt'", "text in it"]),
        ("white.txt", " \n\t\n ", ["'white.txt'", "text in it"]),
        ("noise.txt", bytes(range(256)) * 20, ["'noise.txt'", "save it as UTF-8"]),
        ("nul.txt", b"A text\x00with a NUL", ["'nul.txt'", "binary"]),
        ("sheet.xls", "a,b", ["'sheet.xls'", ".docx"]),
        ("scan.pdf", b"%PDF-1.7 and then nothing", ["'scan.pdf'", "export it again"]),
        ("letter.docx", b"PK\x03\x04 and then nothing", ["'letter.docx'", "save it again"]),
        ("huge.txt", b"A mill. " * 2_600_000, ["'huge.txt'", "split it"]),
        ("long.txt", "A mill burnt. " * 150_000, ["'long.txt'", "split it"]),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 12 else "",
)
def test_an_article_that_cannot_be_read_is_refused(desk, name, content, says):
    """Before the model is asked anything."""
    if content is not None:
        desk.write(name, content)
    with desk.server() as server:
        outcome = desk.run("verify", name, "--sources", "sources.jsonl")
        assert server.stats()["requests"] == 0
    assert refused(outcome, *says)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["verify"], ["give a file", "-"]),
        (["verify", "."], ["'.'", "folder"]),
        (["verify", ARTICLE], ["Mill fire in Norvik", "factdesk claim"]),
        (["verify", "The mill burnt down. " * 500], ["'The mill burnt down.", "factdesk verify -"]),
        (["verify", "a\x00b"], ["give the path"]),
        (["verify", "article.txt", "--html", "article.txt/x.html"], ["'article.txt/x.html'", "another place"]),
        (["verify", "article.txt", "--markdown", "."], ["'.'", "another place"]),
        (["claim", "The mill burnt.", "--html", "/dev/null/x"], ["'/dev/null/x'", "another place"]),
        (["claim", " "], ["' '", "one statement"]),
        ([*VERIFY, "--as-of", "yesterday"], ["'yesterday'", "YYYY-MM-DD"]),
        ([*VERIFY, "--as-of", "1552003200"], ["'1552003200'", "YYYY-MM-DD"]),
        ([*VERIFY, "--as-of", "2019-02-30"], ["'2019-02-30'", "day value"]),
        (["batch", "run", ".", "--out", "b", "--as-of", "article"], ["'article'", "only `factdesk verify`", "YYYY-MM"]),
        ([*VERIFY, "--undated", "maybe"], ["'maybe'", "'drop' or 'keep'"]),
        ([*VERIFY, "--abstain-below", "1.5"], ["1.5", "less than or equal to 1"]),
        ([*VERIFY, "--profile", "cloud"], ["'cloud'", "'local', 'openai' or 'compatible'"]),
        ([*VERIFY, "--replay", "feed"], ["verify an article first"]),
        (["report", "feed"], ["verify an article first"]),
    ],
    ids=lambda value: " ".join(value)[:40].replace("\x00", "") if isinstance(value, list) else "",
)
def test_words_of_the_command_that_make_no_sense_are_named(desk, words, says):
    """Before the model is asked anything."""
    with desk.server() as server:
        outcome = desk.run(*words)
        assert server.stats()["requests"] == 0
    assert refused(outcome, *says)


@pytest.mark.parametrize("words", [["verify", "article.txt", "--colour"], ["verify", "a", "b"], ["claim"], ["check"]])
def test_a_misspelt_command_shows_how_it_is_used(desk, words):
    """Exit code 2, too."""
    outcome = desk.run(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert "Usage: factdesk" in outcome.err


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"FACTDESK_PROFILE": "openai"}, ["OPENAI_API_KEY"]),
        ({"FACTDESK_PROFILE": "compatible"}, ["FACTDESK_MODEL"]),
        ({"FACTDESK_BASE_URL": "http://127.0.0.1:9/v1"}, ["FACTDESK_MODEL"]),
        ({"FACTDESK_PROFILE": "compatible", "FACTDESK_MODEL": "m"}, ["FACTDESK_BASE_URL", "http://"]),
        ({"FACTDESK_BASE_URL": "127.0.0.1:9", "FACTDESK_MODEL": "m"}, ["'127.0.0.1:9'", "http://"]),
        ({"FACTDESK_BASE_URL": "http://[::1/v1", "FACTDESK_MODEL": "m"}, ["'http://[::1/v1'", "FACTDESK_BASE_URL"]),
        ({"FACTDESK_TIMEOUT": "soon"}, ["'soon'", "FACTDESK_TIMEOUT"]),
        ({"FACTDESK_CONCURRENCY": "0"}, ["'0'", "FACTDESK_CONCURRENCY"]),
        ({"FACTDESK_CONFIG": "none.toml"}, ["'none.toml'", "unset"]),
        ({"FACTDESK_CONFIG": "article.txt"}, ["'article.txt'", "mend"]),
        ({"FACTDESK_CONFIG": "."}, ["'.'", "mend"]),
        ({"FACTDESK_CACHE": "none"}, ["'none'", "factdesk models pull"]),
    ],
    ids=lambda value: " ".join(f"{k[9:]}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_settings_that_make_no_sense_are_named(desk, variables, says):
    """With the variable or file they come from."""
    desk.set(**variables)
    assert refused(desk.run(*VERIFY), *says)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("colour = 'red'", ["'colour'", "remove it"]),
        ("passages = 'many'", ["'passages'", "'many'", "settings file"]),
        ("windows = 5", ["'windows'", "'window'"]),
        ("cache_dir = 5", ["'cache_dir'", "5"]),
        ("as_of = 20190304", ["'as_of'", "YYYY-MM-DD"]),
        ("passages = ", ["factdesk.toml", "mend"]),
    ],
)
def test_a_wrong_line_of_the_settings_file_is_named(desk, line, says):
    """Name, value, what is allowed."""
    desk.write("factdesk.toml", line)
    assert refused(desk.run(*VERIFY), *says)


@needs_embedder[0]
@needs_embedder[1]
@pytest.mark.parametrize(
    ("sources", "says"),
    [
        (["none"], ["'none'", "does not exist"]),
        (["hollow"], ["'hollow'", "no file was found"]),
        (["noise.txt"], ["'noise.txt'", "save it as UTF-8"]),
    ],
    ids=lambda value: value[0],
)
def test_sources_of_which_none_can_be_used_stop_the_run(desk, sources, says):
    """A run without sources would say `not enough evidence` of everything."""
    (desk.folder / "hollow").mkdir()
    desk.write("noise.txt", bytes(range(256)) * 20)
    with desk.server() as server:
        outcome = desk.run(*VERIFY, "--sources", *sources)
        assert server.stats()["requests"] == 0
    assert refused(outcome, *says)


@needs_embedder[0]
@needs_embedder[1]
def test_a_store_that_is_not_there_stops_the_run(desk):
    """As does one that is empty."""
    with desk.server() as server:
        assert refused(desk.run(*VERIFY, "--store", "none"), "'none'", "factdesk store add")
        assert server.stats()["requests"] == 0


@needs_embedder[0]
@needs_embedder[1]
def test_a_store_another_process_writes_to_is_left_alone(desk):
    """The second writer is told at once; readers may go on."""
    assert desk.run("store", "add", "sources.jsonl", "--store", "kept").code == 0
    with FileLock(desk.folder / "kept" / "writer.lock"):
        second = finish(desk.start("store", "add", "article.txt", "--store", "kept"))
        assert desk.run("store", "list", "--store", "kept").code == 0
    assert refused(second, "'kept'", "another process")


@pytest.mark.parametrize("content", [b"garbage " * 50, b"SQLite format 3\x00" + b"\xff" * 2000])
@pytest.mark.parametrize("words", [VERIFY, ("runs",), ("report",)], ids=lambda words: words[0])
def test_a_broken_run_log_is_named(desk, words, content):
    """And left as it is."""
    (desk.folder.parent / "runs").mkdir()
    path = desk.folder.parent / "runs" / "runs.sqlite"
    path.write_bytes(content)
    with desk.server() as server:
        assert refused(desk.run(*words), "runs.sqlite", "move the file away")
        assert server.stats()["requests"] == 0
    assert path.read_bytes() == content


@needs_embedder[0]
@needs_embedder[1]
@pytest.mark.parametrize(
    ("fault", "says", "most"),
    [
        ("always:key", ["'mock'", "OPENAI_API_KEY"], 3),
        ("always:model", ["'mock'", "FACTDESK_MODEL"], 3),
        ("always:quota", ["'mock'", "top it up"], 3),
        ("always:404", ["'mock'", "FACTDESK_BASE_URL"], 3),
        ("always:503:retry-after=300", ["503", "300 s", "later"], 3),
        ("always:500", ["500", "4 tries", "FACTDESK_BASE_URL"], 12),
        ("always:html", ["unreadable", "FACTDESK_BASE_URL"], 12),
    ],
)
def test_a_server_that_will_never_work_stops_the_run(desk, fault, says, most):
    """At the first answer that no retry can cure; the key is in no message."""
    with desk.server(fault) as server:
        outcome = desk.run(*VERIFY)
        stats = server.stats()
    assert refused(outcome, *says)
    assert stats["requests"] <= most
    assert stats["retried_fatal"] == 0
    assert KEY not in outcome.err


@needs_embedder[0]
@needs_embedder[1]
@pytest.mark.parametrize("address", ["http://127.0.0.1:9/v1", "http://localhost:9"])
def test_an_address_where_nobody_answers_is_named(desk, address):
    """After the tries it is worth."""
    desk.set(FACTDESK_BASE_URL=address, FACTDESK_MODEL="m")
    assert refused(desk.run(*VERIFY), address.split("/")[2], "FACTDESK_BASE_URL")


def test_a_reader_that_leaves_ends_the_command_quietly(desk):
    """`factdesk runs | head` is no defect."""
    process = desk.start("models", "list")
    process.stdout.close()
    with process.stderr as err:
        assert err.read() == ""
    assert process.wait(timeout=30) == 141


def test_a_terminal_without_unicode_ends_no_command(desk):
    """JSON goes out as UTF-8 whatever the locale says."""
    desk.set(PYTHONIOENCODING="ascii", FACTDESK_BASE_URL="http://127.0.0.1:9/v1", FACTDESK_MODEL="modèle ✓")
    outcome = finish(desk.start("verify", "--show-settings"))
    assert (outcome.code, outcome.json["model"]) == (0, "modèle ✓")
