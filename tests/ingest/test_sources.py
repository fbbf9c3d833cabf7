"""Finding sources: whatever is usable comes in, the rest is listed with its place and reason."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from agent.domain import SourceKind, short_hash, text_sha256
from agent.ingest.sources import find_sources
from tests.ingest.files import PAGE, docx_of, pdf_of

SEED = Path(__file__).parents[2] / "seeds" / "deir-ez-zor" / "sources.jsonl"


def jsonl(tmp_path, *rows, name="sources.jsonl"):
    path = tmp_path / name
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"\n".join(lines))
    return path


def only(path):
    documents, rejected = find_sources([path])
    assert rejected == ()
    assert len(documents) == 1
    return documents[0]


def reasons(path):
    return [(rejected.line, rejected.reason) for rejected in find_sources([path])[1]]


def test_seed_sources():
    """All 65 sources of the seed load, with ids, dates and kinds as given."""
    documents, rejected = find_sources([SEED])
    rows = [json.loads(line) for line in SEED.read_text(encoding="utf-8").splitlines()]
    assert rejected == ()
    assert [document.id for document in documents] == [row["id"] for row in rows]
    assert [document.text for document in documents] == [row["text"] for row in rows]
    assert [document.title for document in documents] == [row["title"] for row in rows]
    assert [document.url for document in documents] == [row["url"] for row in rows]
    assert sum(document.published is None for document in documents) == 3
    assert sum(document.kind is SourceKind.OFFICIAL for document in documents) == 17
    assert not any(document.kind is SourceKind.OTHER for document in documents)


def test_fields(tmp_path):
    """Every known field is taken, white space in one-line fields is made single, the others are ignored."""
    row = {
        "id": "a.b:1", "title": " The\n bridge ", "text": "It rained.\r\nAll day.", "url": " https://a.example/1 ",
        "publisher": "Courier", "published": "2016-05", "kind": "NGO", "licence": "CC0", "colour": {"deep": [1]},
    }  # fmt: skip
    found = only(jsonl(tmp_path, row))
    assert found.model_dump() == {
        "id": "a.b:1", "title": "The bridge", "text": "It rained.\nAll day.", "url": "https://a.example/1",
        "publisher": "Courier", "published": "2016-05", "kind": SourceKind.NGO, "licence": "CC0",
        "sha256": text_sha256("It rained.\nAll day."), "anchors": (),
    }  # fmt: skip


def test_other_names_of_fields(tmp_path):
    """Other common names of fields are understood; a number is a fine id."""
    found = only(jsonl(tmp_path, {"doc_id": 7, "source": "Wire", "date": "2016-05-02T08:00:00Z", "text": "It rained."}))
    assert (found.id, found.publisher, found.published) == ("7", "Wire", "2016-05-02")


@pytest.mark.parametrize("given", [None, "", {"a": 1}, True])
def test_id_is_derived_from_the_text(tmp_path, given):
    """Without an id the text gives one."""
    found = only(jsonl(tmp_path, {"id": given, "text": "It rained."}))
    assert found.id == short_hash("document", text_sha256("It rained."))


@pytest.mark.parametrize("given", ["a b", "../x", "é", "x" * 65])
def test_odd_id_is_hashed(tmp_path, given):
    """An id of other characters is hashed, so that it is safe everywhere."""
    assert only(jsonl(tmp_path, {"id": given, "text": "It rained."})).id == short_hash("id", given)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("primary/official", "official"),
        ("NGO", "ngo"),
        ("Wire", "wire"),
        ("Fact-check", "fact_check"),
        ("fact check", "fact_check"),
        ("factcheck", "fact_check"),
        ("fact_check", "fact_check"),
        ("blog", "other"),
        (None, "other"),
        (["wire"], "other"),
    ],
)
def test_kinds(tmp_path, given, kind):
    """Kinds are mapped to ours; an unknown one is `other`."""
    assert only(jsonl(tmp_path, {"kind": given, "text": "It rained."})).kind == kind


@pytest.mark.parametrize("given", ["undated", "", None, "n.d."])
def test_undated(tmp_path, given, caplog):
    """Whoever says that there is no date is believed."""
    assert only(jsonl(tmp_path, {"published": given, "text": "It rained."})).published is None
    assert not caplog.records


@pytest.mark.parametrize("given", ["17/09/2016", "yesterday", "2016-02-30", "2016-02-30 10:00"])
def test_unreadable_date_is_unknown_and_noted(tmp_path, given, caplog):
    """What cannot be read as a date is no date, never a guess; the log says so."""
    assert only(jsonl(tmp_path, {"id": "a", "published": given, "text": "It rained."})).published is None
    assert repr(given) in caplog.text
    assert "'a'" in caplog.text


def test_address_that_is_no_web_address(tmp_path):
    """Only addresses on the web are kept."""
    assert only(jsonl(tmp_path, {"url": "javascript:alert(1)", "text": "It rained."})).url is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{broken", "no readable JSON"),
        (b"[" * 100_000, "no readable JSON (RecursionError"),
        (b'{"text": ' + b"9" * 5000 + b"}", "no readable JSON (ValueError"),
        (b"\xff\xfe", "no readable JSON (UnicodeDecodeError"),
        (b'["It rained."]', "['It rained.'] is no object"),
        (b"null", "None is no object"),
        (b"{}", "text is None"),
        (b'{"text": " \\n"}', "give each document its text"),
        (b'{"text": 7}', "text is 7"),
        (b'{"text": "a\\u0000b"}', "NUL"),
        (json.dumps({"text": "x" * 2_000_001}).encode(), "2,000,001 characters, more than 2,000,000"),
    ],
)
def test_bad_lines(tmp_path, line, said):
    """A bad line is listed with its number and reason and does not stop the rest."""
    path = jsonl(tmp_path, {"text": "Before."}, line, b"", {"text": "After."})
    documents, rejected = find_sources([path])
    assert [document.text for document in documents] == ["Before.", "After."]
    assert [(item.path, item.line) for item in rejected] == [(path, 2)]
    assert said in rejected[0].reason
    assert len(rejected[0].reason) < 300


def test_line_that_is_too_long(tmp_path):
    """Of an endless line only a beginning is read, and the next line counts on."""
    path = jsonl(tmp_path, b"x" * 20_000_005, {"text": "After."}, b"y")
    documents, rejected = find_sources([path])
    assert [document.text for document in documents] == ["After."]
    assert [item.line for item in rejected] == [1, 3]
    assert "more than 20,000,000 bytes of JSON" in rejected[0].reason


def test_half_a_surrogate_pair(tmp_path):
    """Halves of surrogate pairs, which no file can hold, are replaced."""
    assert only(jsonl(tmp_path, b'{"text": "a\\ud800b", "title": "\\udfff"}')).text == "a\ufffdb"


def test_byte_order_mark(tmp_path):
    """A mark at the beginning does not matter."""
    assert only(jsonl(tmp_path, b'\xef\xbb\xbf{"text": "It rained."}')).text == "It rained."


def test_same_id_twice(tmp_path):
    """The same again is taken once; another text under the same id is rejected."""
    row = {"id": "a", "text": "It rained."}
    path = jsonl(tmp_path, row, row, {"id": "a", "text": "It snowed."})
    documents, rejected = find_sources([path, path])
    assert [document.text for document in documents] == ["It rained."]
    assert [item.line for item in rejected] == [3, 3]
    assert "id 'a' was seen with another text" in rejected[0].reason


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("publisher", "Orsk Daily", "publisher"),
        ("published", "2016-05-03", "date"),
        ("url", "https://orsk.example/1", "address"),
    ],
)
def test_the_same_text_from_elsewhere_is_said_to_be_left_out(tmp_path, field, value, word):
    """Two publishers of one text would else be one in silence; with ids of their own both are taken."""
    row = {"text": "It rained.", "publisher": "Courier", "published": "2016", "url": "https://courier.example/1"}
    documents, rejected = find_sources([jsonl(tmp_path, row, row, row | {field: value})])
    assert [document.publisher for document in documents] == ["Courier"]
    assert [item.line for item in rejected] == [3]
    assert f"the same text as document {documents[0].id!r} with another {word} ({value!r}" in rejected[0].reason
    assert "give it an `id` of its own" in rejected[0].reason
    both = jsonl(tmp_path, row | {"id": "a"}, row | {"id": "b", field: value})
    assert [len(found) for found in find_sources([both])] == [2, 0]


def test_copies_of_which_less_is_known_hide_nothing(tmp_path):
    """What one says and the other does not is put together, whichever comes first."""
    bare, dated = {"text": "It rained."}, {"text": "It rained.", "published": "2016", "kind": "wire"}
    for rows in ([bare, dated, bare], [dated, bare, dated]):
        found = only(jsonl(tmp_path, *rows))
        assert (found.published, found.kind, found.text) == ("2016", SourceKind.WIRE, "It rained.")


def test_json_list(tmp_path):
    """A JSON file holds a list of documents, or one."""
    path = tmp_path / "a.json"
    path.write_text('[{"text": "One."}, 2, {"text": "Three."}]', encoding="utf-8")
    documents, rejected = find_sources([path])
    assert [document.text for document in documents] == ["One.", "Three."]
    assert rejected[0].reason == "item 2: 2 is no object: give fields such as id, title and text"
    path.write_text('{"text": "One."}', encoding="utf-8")
    assert only(path).text == "One."
    path.write_text("[" * 100_000, encoding="utf-8")
    assert "RecursionError" in reasons(path)[0][1]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv(tmp_path, delimiter):
    """A CSV file names its columns in its first line; commas, semicolons and tabs part them."""
    path = tmp_path / "a.csv"
    rows = [
        ["ID", " Text ", "published", "note"],
        ["a", '"It ""rained"",\nall; day."', "2016", "x"],
        ["b"],
        ["c", "Snow."],
    ]
    path.write_text("\n".join(delimiter.join(row) for row in rows), encoding="utf-8-sig")
    documents, rejected = find_sources([path])
    assert [document.text for document in documents] == ['It "rained",\nall; day.', "Snow."]
    assert (documents[0].id, documents[0].published) == ("a", "2016")
    assert [(item.line, item.reason[:12]) for item in rejected] == [(4, "text is None")]


def test_csv_with_long_text(tmp_path):
    """Texts longer than the csv module's own limit are read."""
    path = tmp_path / "a.csv"
    path.write_text("id,text\na," + "word " * 40_000, encoding="utf-8")
    assert len(only(path).text) == 200_000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id,body\na,It rained.", "no column 'text' but ['id', 'body']"),
        ("", "has no column 'text'"),
        ('text\n"It rained.', "is no readable CSV after line 1"),
        ("text\na\x00b", "is binary"),
    ],
)
def test_bad_csv(tmp_path, content, said):
    """A CSV file that cannot be read is rejected with the line it broke off at."""
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8")
    assert said in reasons(path)[0][1]


def test_folder(tmp_path):
    """A folder is walked in the order of names, hidden files are passed over, bad files are listed."""
    (tmp_path / "b").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.txt").write_text("Hidden.", encoding="utf-8")
    (tmp_path / ".hidden.txt").write_text("Hidden.", encoding="utf-8")
    (tmp_path / "b" / "rain.txt").write_text("It rained.\nAll day.", encoding="utf-8")
    (tmp_path / "a.md").write_text("# Bridge closed\n\nFor repairs.", encoding="utf-8")
    (tmp_path / "c.pdf").write_bytes(pdf_of("The mayor resigned."))
    (tmp_path / "d.docx").write_bytes(docx_of(lambda document: document.add_paragraph("Prices rose.")))
    (tmp_path / "e.html").write_text(PAGE, encoding="utf-8")
    (tmp_path / "f.png").write_bytes(b"\x89PNG\x00")
    jsonl(tmp_path, {"text": "Listed.", "title": "List"}, name="g.jsonl")
    documents, rejected = find_sources([tmp_path])
    titles = ["Bridge closed", "c", "d", "Bridge at Velm closed", "List", "rain"]
    assert [document.title for document in documents] == titles
    assert documents[0].id == short_hash("document", documents[0].sha256)
    assert [(item.path.name, item.line) for item in rejected] == [("f.png", None)]
    assert "unknown format '.png'" in rejected[0].reason


def test_a_named_pipe_in_a_folder_keeps_nobody_waiting(tmp_path):
    """It is listed, and so is a link to it; links to files are followed as ever."""
    os.mkfifo(tmp_path / "a.txt")
    (tmp_path / "b.txt").symlink_to(tmp_path / "a.txt")
    (tmp_path / "c.txt").write_text("It rained.", encoding="utf-8")
    (tmp_path / "d.txt").symlink_to(tmp_path / "c.txt")
    (tmp_path / "e.txt").symlink_to(tmp_path / "gone.txt")
    documents, rejected = find_sources([tmp_path])
    assert [document.text for document in documents] == ["It rained."]
    assert [item.path.name for item in rejected] == ["a.txt", "b.txt", "e.txt"]
    assert ["no regular file" in item.reason for item in rejected] == [True, True, False]


def test_missing(tmp_path):
    """A path that is not there is rejected with a reason, whatever its kind; the others are read."""
    there = jsonl(tmp_path, {"text": "It rained."})
    gone = [tmp_path / name for name in ("a.txt", "a.jsonl", "a.csv", "a.json", "folder", "x" * 400)]
    documents, rejected = find_sources([*gone, there])
    assert len(documents) == 1
    assert [item.path for item in rejected] == gone
    assert all("does not exist" in item.reason for item in rejected[:4])
