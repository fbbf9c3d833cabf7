"""Files made to break their reader: they are refused in words, within bounds, and reach nothing outside (T13)."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import zipfile
import zlib

import pytest
from lxml import etree

from agent.errors import InputError
from agent.ingest.read import read_document
from tests.ingest.files import _assembled, docx_of

CHILD = """
import resource, sys
from agent.errors import InputError
from agent.ingest.read import read_document
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
try:
    read_document(None, data=sys.stdin.buffer.read(), name=sys.argv[1])
except InputError as error:
    print("refused:", error)
"""


def in_a_child(data, name):
    """What a process of its own says, with one GiB of memory and twenty seconds."""
    done = subprocess.run([sys.executable, "-c", CHILD, name], input=data, capture_output=True, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()[-500:]


def pdf_bomb(size):
    packer = zlib.compressobj(9)
    packed = packer.compress(b"BT /F1 12 Tf (The bridge) Tj ET\n")
    packed += b"".join(packer.compress(b" " * 1_000_000) for _ in range(size // 1_000_000)) + packer.flush()
    return _assembled([
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 5 0 R /Resources << /Font << /F1 3 0 R >> >> >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed),
    ])  # fmt: skip


def word_with(document_type, paragraph):
    """A Word file whose text declares entities."""
    changed = io.BytesIO()
    plain = docx_of(lambda document: document.add_paragraph("MARK"))
    with zipfile.ZipFile(io.BytesIO(plain)) as old, zipfile.ZipFile(changed, "w") as new:
        for member in old.infolist():
            content = old.read(member)
            if member.filename == "word/document.xml":
                head, rest = content.split(b"?>", 1)
                content = head + b"?>" + document_type + rest.replace(b"MARK", paragraph)
            new.writestr(member, content)
    return changed.getvalue()


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (pdf_bomb(200_000_000), "a.pdf", "LimitReachedError"),
        (gzip.compress(bytes(50_000_000)), "a.gz", "unknown format"),
        (gzip.compress(bytes(50_000_000)), "a.txt", "not"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100, "a.txt", "not"),
        (b"a" * 20_000_001, "a.txt", "more than 20,000,000 bytes"),
    ],
    ids=["pdf", "gz", "gzip as text", "picture", "long word"],
)
def test_it_is_refused_within_a_gigabyte(data, name, reason):
    """With a sentence, not a traceback."""
    code, said, broke = in_a_child(data, name)
    assert (code, broke) == (0, "")
    assert said.startswith("refused: ")
    assert reason in said


def test_a_small_pdf_of_that_kind_is_read():
    """So it is its size for which the large one is refused."""
    assert read_document(None, data=pdf_bomb(1_000_000), name="a.pdf").text == "The bridge"


def test_a_deep_page_ends_in_a_text_or_an_error():
    """Nested so deep that a reader could overflow."""
    depth = 100_000
    page = b"<html><body>" + b"<div>" * depth + b"The bridge was closed in May, they said." + b"</div>" * depth
    code, _, broke = in_a_child(page, "a.html")
    assert (code, broke) == (0, "")


def test_a_word_file_opens_no_other_file(tmp_path):
    """An entity that names a file is not replaced by it."""
    (tmp_path / "secret.txt").write_text("the secret word")
    declared = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{tmp_path}/secret.txt">]>'.encode()
    data = word_with(declared, b"It says &e; here.")
    careless = etree.XMLParser(resolve_entities=True, load_dtd=True)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert b"secret word" in etree.tostring(etree.fromstring(archive.read("word/document.xml"), careless))
    try:
        text = read_document(None, data=data, name="a.docx").text
    except InputError as error:
        text = str(error)
    assert "secret word" not in text


def test_a_word_file_does_not_swell():
    """Entities of entities of entities: refused, or left as they are."""
    lines = [b'<!ENTITY a0 "lollollollollol">']
    lines += [b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10)]
    code, _, broke = in_a_child(word_with(b"<!DOCTYPE x [" + b"".join(lines) + b"]>", b"It says &a9; here."), "a.docx")
    assert (code, broke) == (0, "")
