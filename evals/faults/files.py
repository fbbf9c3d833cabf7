"""A small PDF, Word file and web page, to be read over and over: a reader that leaks shows in a soak."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.domain import Document
from agent.ingest.read import read_document

_TEXT = "The mill in Norvik made 7 tons of flour in 2018, the harbour office said. Bakers in Velmar like rye."


def write_files(folder: Path) -> tuple[Path, ...]:
    """One of each form, with the same text."""
    import docx

    folder.mkdir(parents=True)
    paths = folder / "a.pdf", folder / "b.docx", folder / "c.html"
    paths[0].write_bytes(_pdf(_TEXT))
    word = docx.Document()
    word.add_paragraph(_TEXT)
    word.save(str(paths[1]))
    page = f"<html><head><title>Mill</title></head><body><article><p>{_TEXT}</p></article></body></html>"
    paths[2].write_text(page, encoding="utf-8")
    return paths


def read(paths: Sequence[Path]) -> Iterator[Document]:
    """Each as a source."""
    for path in paths:
        document = read_document(path)
        assert "7 tons of flour" in document.text, path
        yield document.model_copy(update={"id": path.name})


def _pdf(line: str) -> bytes:
    """One page, written byte by byte."""
    shown = f"BT /F1 12 Tf 72 720 Td ({line}) Tj ET".encode()
    bodies = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 5 0 R /Resources << /Font << /F1 3 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(shown), shown),
    )
    out, table = b"%PDF-1.4\n", b"0000000000 65535 f \n"
    for number, body in enumerate(bodies, start=1):
        table += b"%010d 00000 n \n" % len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    end = b"xref\n0 6\n%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (table, len(out))
    return out + end
