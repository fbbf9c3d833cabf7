"""Reads a file or bytes into a document: text, Markdown, HTML, PDF and Word.

What is extracted is the text of record: all offsets refer to it. Every line ends in a line feed.
"""

from __future__ import annotations

import io
import logging
import re
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from pydantic import TypeAdapter, ValidationError

from agent.domain import Anchor, Document, PartialDate, latest_day, short_hash, text_sha256
from agent.errors import InputError
from agent.ingest.markup import date_and_publisher
from agent.ingest.mhtml import page_of

if TYPE_CHECKING:
    from pypdf import PdfReader

MAX_BYTES = 20_000_000
MAX_CHARACTERS = 2_000_000
_MAX_UNPACKED = 200_000_000
_MAX_TITLE = 200

FORMATS = {
    ".txt": "text",
    ".text": "text",
    ".md": "text",
    ".markdown": "text",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".mhtml": "mhtml",
    ".mht": "mhtml",
    ".pdf": "pdf",
    ".docx": "docx",
}
"""What can be read, by suffix of the file name."""

_HTML_START = re.compile(
    rb"\s*+(?:<\?xml[^>]*>\s*+)?(?:<!--(?>.*?-->)\s*+)*+<(?:!doctype\s+html|html[\s>])", re.IGNORECASE | re.DOTALL
)
_HTML_CHARSET = re.compile(rb"""<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
_WESTERN = frozenset(("iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii"))
"""Browsers read these as Windows-1252, and so do we."""
_BOMS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_ADDRESS = re.compile(r"https?://[^\s<>\"]{1,2000}", re.IGNORECASE)
_SURROGATES = re.compile("[\ud800-\udfff]")
_HEADING = re.compile(r"\A(?:---\n.*?\n---\n)?\s*#{1,6}[ \t]+([^\n]+)", re.DOTALL)
_WORD_NODES = "*[self::w:t or self::w:tab or self::w:br or self::w:cr or self::w:noBreakHyphen]"
_WORD_SIGNS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_NOISY = ("charset_normalizer", "courlan", "htmldate", "justext", "pypdf", "trafilatura")


class _Node(Protocol):
    """An element of a Word file's XML."""

    tag: str
    text: str | None

    def iterchildren(self, *tags: str) -> Iterator[_Node]: ...

    def xpath(self, path: str) -> list[_Node]: ...


class _Content(NamedTuple):
    text: str
    title: str = ""
    url: str | None = None
    publisher: str | None = None
    published: str | None = None
    licence: str | None = None
    anchors: tuple[Anchor, ...] = ()


def read_document(
    path: Path | None,
    *,
    data: bytes | None = None,
    name: str = "stdin",
    max_bytes: int = MAX_BYTES,
    untitled: str = "",
) -> Document:
    """Read the file at `path`, or `data` that came without a file and is called `name` in messages.

    A text that names no title of its own has the title `untitled`, by default its first line.

    Raises:
        InputError: missing, empty, too large, not text, of unknown format, or broken; says what to do.
    """
    if path is not None:
        name = str(path)
        data = read_bytes(path, max_bytes=max_bytes)
    if data is None:
        raise InputError("there is nothing to read: give a file or text")
    if len(data) > max_bytes:
        raise InputError(f"{name!r} has more than {max_bytes:,} bytes: split it into smaller files")
    if not data.strip():
        raise InputError(f"{name!r} is empty: give a file with text in it")
    return _document(_parse(data, _format(data, name), name), name, untitled)


def clean_text(text: str) -> str:
    """The text with a line feed for every line end and without halves of surrogate pairs."""
    return _SURROGATES.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def short_title(text: str) -> str:
    """The first line of `text` that says something, without Markdown's heading signs, cut to a title's length."""
    lines = (line.strip(" \t#*=_>") for line in text.splitlines())
    first = next((line for line in lines if any(map(str.isalnum, line))), "")
    return textwrap.shorten(first, _MAX_TITLE, placeholder=" …") if " " in first else first[:_MAX_TITLE]


def web_address(value: str | None) -> str | None:
    """The value when it is an address on the web, else None: reports link to it."""
    found = (value or "").strip()
    return found if _ADDRESS.fullmatch(found) else None


def partial_date(value: str) -> str | None:
    """The value as ISO year, month or day; None when it is none of them or no day of the calendar."""
    try:
        found = TypeAdapter(PartialDate).validate_python(value)
        latest_day(found)
        if len(found) == 10 and latest_day(found).isoformat() != found:
            return None
    except (ValidationError, ValueError):
        return None
    return found


def decode(data: bytes, name: str, *, declared: str | None = None) -> str:
    """Text of the bytes: by byte order mark, as UTF-8, as declared, or as Windows-1252 when it looks like text.

    Raises:
        InputError: the bytes are not text.
    """
    encoding = next((found for bom, found in _BOMS.items() if data.startswith(bom)), None)
    for candidate in (encoding,) if encoding else ("utf-8", declared):
        if candidate is None or candidate.lower() in _WESTERN:
            continue
        try:
            text = data.decode(candidate)
        except (UnicodeDecodeError, LookupError):
            continue
        return _refuse_binary(text, name)
    if encoding or not _looks_western(data):
        raise InputError(f"{name!r} is not readable as text: save it as UTF-8")
    return _refuse_binary(data.decode("cp1252", "replace"), name)


def _looks_western(data: bytes) -> bool:
    """Whether bytes that are not UTF-8 are mostly ASCII, as a text in a Western code page is."""
    plain = sum(byte in b"\t\n\r" or 32 <= byte < 127 for byte in data)
    return plain >= 0.7 * len(data)


def _refuse_binary(text: str, name: str) -> str:
    if "\x00" in text or len(_CONTROLS.findall(text)) > 0.02 * len(text):
        raise InputError(f"{name!r} is binary, not text: give one of {_known()}")
    return text


def _known() -> str:
    return ", ".join(FORMATS)


def read_bytes(path: Path, *, max_bytes: int) -> bytes:
    """The bytes of the file; one more than `max_bytes` when there are more."""
    with open_source(path) as file:
        return file.read(max_bytes + 1)


@contextmanager
def open_source(path: Path) -> Iterator[BinaryIO]:
    """The file, open for reading bytes.

    Raises:
        InputError: missing, a folder, or not readable, also while it is being read.
    """
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise InputError(f"{str(path)!r} does not exist: check the path") from None
    except IsADirectoryError:
        raise InputError(f"{str(path)!r} is a folder: name a file in it") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read ({error}): check its name and permissions") from error


def _format(data: bytes, name: str) -> str:
    """Format by the first bytes, then by suffix; text when there is no suffix."""
    suffix = PurePath(name).suffix.lower()
    sniffed = _sniff(data)
    known = FORMATS.get(suffix) if suffix else "text"
    if sniffed == "old":
        raise InputError(f"{name!r} is in an old Office or rich text format: save it as .docx")
    if known is None and sniffed not in ("pdf", "html"):
        raise InputError(f"{name!r} has the unknown format {suffix!r}: give one of {_known()}")
    if known in ("pdf", "docx") and sniffed != known:
        raise InputError(f"{name!r} is called {suffix} but is no {suffix} file: export it again")
    return sniffed or known or "text"


def _sniff(data: bytes) -> str | None:
    if b"%PDF-" in data[:1024]:
        return "pdf"
    if data.startswith(b"PK\x03\x04"):
        return "docx"
    if data.startswith((b"\xd0\xcf\x11\xe0", b"{\\rtf")):
        return "old"
    return "html" if _HTML_START.match(data.removeprefix(b"\xef\xbb\xbf")[:4096]) else None


def _parse(data: bytes, form: str, name: str) -> _Content:
    readers: dict[str, Callable[[bytes, str], _Content]] = {
        "text": _read_text,
        "html": _read_html,
        "mhtml": _read_mhtml,
        "pdf": _read_pdf,
        "docx": _read_docx,
    }
    for logger in _NOISY:
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    try:
        return readers[form](data, name)
    except (InputError, ImportError):
        raise
    except Exception as error:
        raise InputError(
            f"{name!r} cannot be read as {form} ({type(error).__name__}): export it again or save it as text"
        ) from error


def _document(content: _Content, name: str, untitled: str) -> Document:
    text = content.text
    if not text.strip():
        raise InputError(f"{name!r} holds no text: give a file with text in it")
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"{name!r} has {len(text):,} characters, more than {MAX_CHARACTERS:,}: split it")
    sha256 = text_sha256(text)
    return Document(
        id=short_hash("document", sha256),
        text=text,
        title=short_title(content.title) or untitled or short_title(text),
        url=content.url,
        publisher=content.publisher,
        published=partial_date(content.published or ""),
        licence=content.licence,
        sha256=sha256,
        anchors=content.anchors,
    )


def _read_text(data: bytes, name: str) -> _Content:
    text = clean_text(decode(data, name))
    heading = _HEADING.search(text)
    return _Content(text, title=heading[1] if heading else "")


def _read_html(data: bytes, name: str) -> _Content:
    import trafilatura

    charset = _HTML_CHARSET.search(data[:4096])
    html = decode(data, name, declared=charset[1].decode("ascii") if charset else None)
    html = re.sub(r"^\s*<\?xml[^>]*>", "", html)
    if not _HTML_START.match(data[:4096]):
        html = f"<html><body>{html}</body></html>"
    found = trafilatura.bare_extraction(
        html, include_comments=False, with_metadata=True, date_extraction_params={"extensive_search": False}
    )
    text = (found.text if found else "") or trafilatura.baseline(html)[1]
    if not text.strip():
        raise InputError(f"{name!r} is HTML without text: save the page as text or PDF")
    if found is None:
        return _Content(clean_text(text))
    published, publisher = date_and_publisher(html)
    return _Content(
        clean_text(text),
        title=found.title or "",
        url=web_address(found.url),
        publisher=publisher,
        published=published,
        licence=found.license or None,
    )


def _read_mhtml(data: bytes, name: str) -> _Content:
    page, address = page_of(data, name)
    found = _read_html(page, name)
    return found._replace(url=found.url or web_address(address))


def _read_pdf(data: bytes, name: str) -> _Content:
    import pypdf

    reader = pypdf.PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not _opens(reader):
        raise InputError(f"{name!r} is encrypted: save a copy without a password")
    text, anchors = _join_pages(reader, name)
    if not text.strip():
        raise InputError(f"{name!r} is a PDF without text, perhaps a scan: run text recognition on it first")
    title = reader.metadata.title if reader.metadata else None
    return _Content(text, title=str(title or ""), anchors=anchors)


def _opens(reader: PdfReader) -> bool:
    from pypdf.errors import DependencyError

    try:
        return bool(reader.decrypt(""))
    except (DependencyError, NotImplementedError):
        return False


def _join_pages(reader: PdfReader, name: str) -> tuple[str, tuple[Anchor, ...]]:
    parts: list[str] = []
    anchors: list[Anchor] = []
    length = 0
    for number, page in enumerate(reader.pages, start=1):
        text = clean_text(page.extract_text().replace("\x00", "\ufffd")).strip()
        if not text:
            continue
        anchors.append(Anchor(name=f"page {number}", start=length))
        parts.append(text)
        length += len(text) + 2
        if length > MAX_CHARACTERS + 2:
            raise InputError(f"{name!r} has more than {MAX_CHARACTERS:,} characters: split it")
    return "\n\n".join(parts), tuple(anchors)


def _read_docx(data: bytes, name: str) -> _Content:
    import docx

    _check_archive(data, name)
    document = docx.Document(io.BytesIO(data))
    blocks = (clean_text(block).strip() for block in _word_blocks(document.element.body))
    text = "\n\n".join(block for block in blocks if block)
    if not text:
        raise InputError(f"{name!r} is a Word document without text: give a file with text in it")
    return _Content(text, title=document.core_properties.title or "")


def _check_archive(data: bytes, name: str) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile as error:
        raise InputError(f"{name!r} is a broken archive, no Word document: save it again") from error
    if not any(member.filename == "word/document.xml" for member in members):
        raise InputError(f"{name!r} is an archive but no Word document: give one of {_known()}")
    size = sum(member.file_size for member in members)
    if size > _MAX_UNPACKED:
        raise InputError(f"{name!r} unpacks to {size:,} bytes, more than {_MAX_UNPACKED:,}: save it as text")


def _word_blocks(parent: _Node) -> Iterator[str]:
    """Text of paragraphs and table rows in the order of the file; content controls are looked into."""
    for child in parent.iterchildren("{*}p", "{*}tbl", "{*}sdt", "{*}sdtContent"):
        kind = child.tag.rpartition("}")[2]
        if kind == "p":
            yield _paragraph(child)
        elif kind == "tbl":
            yield from _word_rows(child)
        else:
            yield from _word_blocks(child)


def _word_rows(table: _Node) -> Iterator[str]:
    for row in table.iterchildren("{*}tr"):
        cells = [" ".join(_word_blocks(cell)).strip() for cell in row.iterchildren("{*}tc")]
        yield " | ".join(cell for cell in cells if cell)


def _paragraph(paragraph: _Node) -> str:
    """Text with tracked insertions and links, without deletions and text boxes."""
    nodes = paragraph.xpath(
        f"descendant::{_WORD_NODES}[not(ancestor::w:txbxContent)][not(ancestor::w:moveFrom)][not(ancestor::w:tabs)]"
    )
    return "".join(_WORD_SIGNS.get(node.tag.rpartition("}")[2], node.text or "") for node in nodes)
