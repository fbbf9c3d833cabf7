"""Reading: every format gives a document, every bad file one sentence that says what to do."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import short_hash, text_sha256
from agent.errors import InputError
from agent.ingest import read
from agent.ingest.read import partial_date, read_document
from tests.ingest.files import PAGE, docx_of, locked_pdf, mhtml_of, pdf_of, zip_of


def bytes_as(data, name="stdin", **options):
    return read_document(None, data=data, name=name, **options)


def test_text_is_kept_as_it_is(tmp_path):
    """A text file is its own text of record; the id is derived from it, the title is its first line."""
    path = tmp_path / "article.txt"
    path.write_bytes(b"Bridge closed\r\n\r\nIt rained.\rAll day. ")
    found = read_document(path)
    assert found.text == "Bridge closed\n\nIt rained.\nAll day. "
    assert found.title == "Bridge closed"
    assert found.sha256 == text_sha256(found.text)
    assert found.id == short_hash("document", found.sha256)
    assert (found.published, found.publisher, found.url, found.anchors) == (None, None, None, ())


@pytest.mark.parametrize("suffix", ["txt", "text", "md", "markdown", "TXT"])
def test_text_suffixes(tmp_path, suffix):
    """All suffixes of plain text are known, in any case."""
    path = tmp_path / f"a.{suffix}"
    path.write_text("It rained.", encoding="utf-8")
    assert read_document(path).text == "It rained."


def test_markdown_heading_is_the_title():
    """The first heading names the text, also behind front matter; it stays in the text."""
    found = bytes_as(b"---\nlang: en\n---\n\n## Bridge *closed*\n\nIt rained.\n", "a.md", untitled="a")
    assert found.title == "Bridge *closed"
    assert found.text.startswith("---\nlang")


def test_untitled_text_takes_the_title_given():
    """A text without a heading of its own is called what the caller says."""
    assert bytes_as(b"It rained.\nAll day.", untitled="rain").title == "rain"


def test_long_first_line_is_cut():
    """A title is short."""
    assert len(bytes_as(b"word " * 500).title) <= 200
    assert len(bytes_as(b"x" * 500).title) <= 200


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_encodings(encoding):
    """UTF-8, UTF-16 and UTF-32 with a mark, and Windows-1252 are read alike."""
    text = "The “café” at Velm is open again, said the owner of the house."
    assert bytes_as(text.encode(encoding)).text == text


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (b"", "a.txt", "'a.txt' is empty"),
        (b" \n\t", "a.txt", "'a.txt' is empty"),
        (" \n".encode("utf-16"), "a.txt", "'a.txt' holds no text"),
        (b"a\x00b", "a.txt", "'a.txt' is binary"),
        (b"\x01\x02\x03 text", "stdin", "'stdin' is binary"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "a.txt", "'a.txt' is not readable as text"),
        (b"\x81\x8d\x8f", "stdin", "save it as UTF-8"),
        ("мэр подал в отставку".encode("cp1251"), "a.txt", "save it as UTF-8"),
        (b"\xff\xfea", "a.txt", "save it as UTF-8"),
        (b"It rained.", "a.xyz", "unknown format '.xyz': give one of .txt"),
        (b"PK\x03\x04", "a.xlsx", "unknown format '.xlsx'"),
        (b"{\\rtf1 It rained.}", "a.rtf", "save it as .docx"),
        (b"\xd0\xcf\x11\xe0", "a.doc", "save it as .docx"),
        (b"It rained.", "a.pdf", "'a.pdf' is called .pdf but is no .pdf file"),
        (b"It rained.", "a.docx", "'a.docx' is called .docx but is no .docx file"),
        (b"%PDF-1.4 and nothing else", "a.pdf", "'a.pdf' cannot be read as pdf"),
        (pdf_of(""), "a.pdf", "perhaps a scan"),
        (b"PK\x03\x04 and nothing else", "a.docx", "'a.docx' is a broken archive"),
        (zip_of(a__txt="x"), "a.docx", "no Word document"),
        (zip_of(**{"word/document__xml": "<broken"}), "a.docx", "'a.docx' cannot be read as docx"),
        (docx_of(lambda document: None), "a.docx", "a Word document without text"),
        (b"<html><body><script>x()</script></body></html>", "a.html", "HTML without text"),
        (b"<!doctype html>", "stdin", "HTML without text"),
    ],
)
def test_bad_input(data, name, said):
    """What cannot be used is refused in one line that names the file and the cure."""
    with pytest.raises(InputError) as caught:
        bytes_as(data, name)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_given():
    """Neither file nor data is an input error, not a crash."""
    with pytest.raises(InputError, match="nothing to read"):
        read_document(None)


def test_missing_file_and_folder(tmp_path):
    """A path that is no file is named in the message."""
    with pytest.raises(InputError, match=r"gone\.txt' does not exist: check the path"):
        read_document(tmp_path / "gone.txt")
    with pytest.raises(InputError, match="is a folder: name a file in it"):
        read_document(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_document(tmp_path / ("x" * 400))
    with pytest.raises(InputError, match="cannot be read"):
        read_document(tmp_path / "a\x00b")


def test_too_large(tmp_path):
    """Bytes and characters have a limit."""
    path = tmp_path / "a.txt"
    path.write_text("It rained. " * 10, encoding="utf-8")
    with pytest.raises(InputError, match="more than 50 bytes: split it"):
        read_document(path, max_bytes=50)
    with pytest.raises(InputError, match="more than 50 bytes: split it"):
        bytes_as(b"It rained. " * 10, max_bytes=50)
    with pytest.raises(InputError, match="2,000,001 characters, more than 2,000,000: split it"):
        bytes_as(b"x" * 2_000_001)


def test_html():
    """Of a page the article is kept; title, site, date and address come from its metadata."""
    found = bytes_as(PAGE.encode(), "bridge.html")
    assert "two of its pillars.\nLorries took the ferry" in found.text
    assert "Home" not in found.text
    assert "Copyright" not in found.text
    assert found.title == "Bridge at Velm closed"
    assert (found.publisher, found.published) == ("Velm Courier", "2016-05-02")
    assert found.url == "https://courier.example/bridge"


def test_html_is_deterministic():
    """The same page gives the same document."""
    assert bytes_as(PAGE.encode(), "a.html") == bytes_as(PAGE.encode(), "b.html")


def test_html_without_date_has_none():
    """A date in the running text or a copyright line is no date of publication."""
    page = b"<html><body><p>The bridge opened on 3 May 2018. It is safe.</p><p>Copyright 2019</p></body></html>"
    assert bytes_as(page, "a.html").published is None


def test_html_link_that_is_no_web_address():
    """An address that is not on the web is dropped: reports link to it."""
    page = PAGE.replace("https://courier.example/bridge", "javascript:alert(1)")
    assert bytes_as(page.encode(), "a.html").url is None


@pytest.mark.parametrize("name", ["stdin", "saved.txt", "page"])
def test_html_is_recognised(name):
    """A page is a page whatever it is called."""
    assert bytes_as(PAGE.encode(), name).title == "Bridge at Velm closed"


def test_html_charset():
    """Without UTF-8 the charset a page declares counts; Latin-1 means Windows-1252."""
    page = PAGE.replace("<head>", '<head><meta charset="iso-8859-1">').encode("cp1252")
    assert "Café" in bytes_as(page, "a.html").text
    page = PAGE.replace("<head>", '<head><meta charset="iso-8859-2">').replace("Café", "Łódź").encode("iso-8859-2")
    assert "Łódź" in bytes_as(page, "a.html").text


def test_html_piece():
    """A piece of a page without head and body is read too."""
    assert bytes_as(b"<p>The bridge is closed.</p>", "a.html").text == "The bridge is closed."


@pytest.mark.parametrize("start", [b"<!--a-->" * 400, b"<!--" * 1000, b" " * 4000])
def test_sniffing_is_quick_on_hostile_starts(start):
    """What is no page is told from one in linear time."""
    assert bytes_as(start + b"text").text.endswith("text")


def test_saved_page():
    """A page saved in one file is read as the page; its address is the page's own, else the one it was saved from."""
    page = read_document(None, data=PAGE.encode(), name="a.html")
    saved = read_document(None, data=mhtml_of(PAGE), name="a.mhtml")
    assert saved == page
    moved = read_document(None, data=mhtml_of(PAGE.replace("canonical", "next")), name="a.mht")
    assert moved.url == "https://saved.example/page"
    with pytest.raises(InputError, match="holds no saved page"):
        read_document(None, data=b"From: me\n\nNo page.", name="a.mhtml")


def test_pdf():
    """Pages are joined by blank lines and anchored; a page without text has no anchor."""
    found = bytes_as(pdf_of("The bridge is closed.\nIt rained.", "", "The mayor resigned."), "a.pdf")
    assert found.text == "The bridge is closed.\nIt rained.\n\nThe mayor resigned."
    assert [(anchor.name, anchor.start) for anchor in found.anchors] == [("page 1", 0), ("page 3", 34)]
    assert found.text[34:] == "The mayor resigned."
    assert found.published is None


def test_pdf_under_another_name():
    """A PDF is one whatever it is called."""
    assert bytes_as(pdf_of("It rained."), "stdin").text == "It rained."
    assert bytes_as(pdf_of("It rained."), "a.txt").text == "It rained."


def test_locked_pdf():
    """A password is asked for in no way; one that only guards printing does not matter."""
    with pytest.raises(InputError, match="'a.pdf' is encrypted: save a copy without a password"):
        bytes_as(locked_pdf("secret"), "a.pdf")
    assert bytes_as(locked_pdf(""), "a.pdf").text == "The bridge is closed."


def test_broken_pdf_is_quiet(caplog):
    """A damaged PDF gives one error and no log of its library."""
    with pytest.raises(InputError):
        bytes_as(pdf_of("It rained.")[:300], "a.pdf")
    assert not caplog.records


def test_docx():
    """Paragraphs and tables come in the order of the file."""

    def fill(document):
        document.core_properties.title = "Bridge closed"
        document.add_heading("The bridge", level=1)
        document.add_paragraph("It rained.\tAll day.")
        table = document.add_table(rows=2, cols=2)
        for cell, text in zip(table._cells, ["Lorries", "120", "Cars", "300"], strict=True):
            cell.text = text
        document.add_paragraph("The mayor resigned.")

    found = bytes_as(docx_of(fill), "a.docx")
    assert found.text == "The bridge\n\nIt rained.\tAll day.\n\nLorries | 120\n\nCars | 300\n\nThe mayor resigned."
    assert found.title == "Bridge closed"


def test_docx_tracked_changes():
    """Inserted words are read, deleted ones are not; content controls are looked into."""
    document = docx_of(lambda document: document.add_paragraph("It MARK rained."))
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(document)) as old, zipfile.ZipFile(changed, "w") as new:
        for member in old.infolist():
            content = old.read(member)
            if member.filename == "word/document.xml":
                content = content.replace(
                    b"It MARK rained.</w:t></w:r></w:p>",
                    b'It </w:t></w:r><w:ins w:id="1" w:author="a"><w:r><w:t>never </w:t></w:r></w:ins>'
                    b'<w:del w:id="2" w:author="a"><w:r><w:delText>always </w:delText></w:r></w:del>'
                    b"<w:r><w:t>rained.</w:t></w:r></w:p>"
                    b"<w:sdt><w:sdtContent><w:p><w:r><w:t>Inside.</w:t></w:r></w:p></w:sdtContent></w:sdt>",
                )
            new.writestr(member, content)
    assert bytes_as(changed.getvalue(), "a.docx").text == "It never rained.\n\nInside."


def test_docx_bomb():
    """An archive that unpacks to far more than it should is not unpacked."""
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("word/document.xml", "<x/>")
        with archive.open("word/media/a", "w") as member:
            for _ in range(201):
                member.write(bytes(1_000_000))
    with pytest.raises(InputError, match="unpacks to 201,000,004 bytes"):
        bytes_as(bomb.getvalue(), "a.docx")


@pytest.mark.parametrize(
    ("value", "date"),
    [
        ("2016", "2016"),
        ("2016-09", "2016-09"),
        ("2016-02-29", "2016-02-29"),
        ("2017-02-29", None),
        ("2016-13", None),
        ("0000", None),
        ("undated", None),
        ("", None),
        ("17 September 2016", None),
    ],
)
def test_partial_date(value, date):
    """Only days, months and years of the calendar are dates."""
    assert partial_date(value) == date


@given(st.binary(max_size=300))
def test_any_bytes(data):
    """Bytes become a document with a clean text, or an input error."""
    try:
        found = bytes_as(data)
    except InputError:
        return
    assert found.text.strip()
    assert "\r" not in found.text
    assert "\x00" not in found.text
    assert found.text.encode("utf-8").decode("utf-8") == found.text


def test_known_formats_are_named():
    """The message for an unknown format lists every known one."""
    with pytest.raises(InputError) as caught:
        bytes_as(b"x", "a.odt")
    assert all(suffix in str(caught.value) for suffix in read.FORMATS)
