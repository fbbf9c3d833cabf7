"""A folder of fifty files of mixed kinds about invented places, some of them broken; the same every time."""

from __future__ import annotations

import json
from pathlib import Path

from tests.ingest.files import docx_of, mhtml_of, pdf_of

_PLACES = (  # noqa: SIM905 (words are easier to read than a list of strings)
    "Velm Orsk Tarnau Norvik Lisk Habern Quill Dorrow Estmar Fenby Gallin Hoxted Irrel Jastow Kelm Lurden Mosk"
    " Nantry Ossel Pravik Rusk Selby Torrin Umber Vask Wendle Yarrow Zelm Aldun Birk Corva Dulm Erren Falk Gorse"
    " Hald Ivel Jorn Kask Lomm Mirk Nevin Olm Pask Quern Rilm Sorn Tave"
).split()
_THINGS = "bridge", "mill", "school", "harbour", "library", "dam", "market", "station"


class Mixed:
    """What was written: a fact for each document that must come in, and the files that cannot be used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: list[str] = []
        self.broken: set[str] = set()
        folder.mkdir()

    def fact(self) -> str:
        """A sentence that no other document says."""
        number = len(self.facts)
        place, thing = _PLACES[number], _THINGS[number % len(_THINGS)]
        self.facts.append(f"The {thing} of {place} cost {1370 + 41 * number} crowns and was opened by the mayor.")
        return self.facts[-1]

    def write(self, name: str, content: str | bytes, *, is_broken: bool = False) -> None:
        """One file; broken ones are remembered."""
        (self.folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        if is_broken:
            self.broken.add(name)

    def rows(self, count: int) -> list[dict[str, str]]:
        """Documents of a list."""
        return [{"title": f"Row {n}", "published": "2016-09-17", "text": self.fact()} for n in range(count)]


def make_mixed(folder: Path) -> Mixed:
    """Fifty files, one of them a Parquet file where pyarrow is installed, else one more text."""
    mixed = Mixed(folder)
    for n in range(11):
        mixed.write(f"note{n}.txt", mixed.fact())
    for n in range(7):
        mixed.write(f"page{n}.md", f"# Report {n}\n\n{mixed.fact()}\n")
    for n in range(8):
        mixed.write(f"web{n}.html", _page(mixed.fact(), n))
    for n in range(4):
        mixed.write(f"print{n}.pdf", pdf_of("A page before.", mixed.fact()))
    for n in range(4):
        text = mixed.fact()
        mixed.write(f"word{n}.docx", docx_of(lambda document, text=text: document.add_paragraph(text)))
    for n in range(2):
        mixed.write(f"saved{n}.mhtml", mhtml_of(_page(mixed.fact(), 20 + n)))
    _write_lists(mixed)
    _write_broken(mixed)
    return mixed


def _page(text: str, number: int) -> str:
    return (
        f"<!DOCTYPE html><html><head><title>Page {number}</title>"
        f'<meta property="og:site_name" content="Gazette {number}">'
        f'<meta property="article:published_time" content="2016-05-{number + 1:02}T10:00:00Z"></head>'
        f"<body><nav>Home News</nav><article><h1>Page {number}</h1><p>{text}</p>"
        "<p>Readers wrote to us about it in great number, and we printed the best of their letters.</p>"
        "</article></body></html>"
    )


def _write_lists(mixed: Mixed) -> None:
    for n in range(2):
        lines = [json.dumps(row) for row in mixed.rows(2)]
        mixed.write(f"list{n}.jsonl", "\n".join([*lines, '{"title": "no text"}']))
    mixed.broken |= {"list0.jsonl", "list1.jsonl"}
    mixed.write("list.json", json.dumps(mixed.rows(1)))
    row = mixed.rows(1)[0]
    mixed.write("table.csv", f"title,published,text\n{row['title']},{row['published']},{row['text']}\n")
    mixed.write(
        "news.rss",
        f"<rss><channel><title>Wire</title><item><title>One</title><description>{mixed.fact()}</description>"
        f"</item><item><title>Two</title><description>{mixed.fact()}</description></item></channel></rss>",
    )
    mixed.write(
        "news.atom",
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>Atom</title><entry><title>One</title>'
        f"<published>2016-05-02T00:00:00Z</published><content>{mixed.fact()}</content></entry></feed>",
    )
    try:
        import pyarrow as pa
        from pyarrow.parquet import write_table
    except ImportError:
        mixed.write("instead.txt", mixed.fact())
    else:
        write_table(pa.Table.from_pylist(mixed.rows(1)), mixed.folder / "table.parquet")


def _write_broken(mixed: Mixed) -> None:
    broken = {
        "empty.txt": b"",
        "binary.txt": bytes(range(256)) * 4,
        "broken.pdf": pdf_of("Lost.")[:60],
        "broken.docx": b"PK\x03\x04 no archive",
        "broken.xml": b"<rss><channel>",
        "picture.png": b"\x89PNG\x00",
        "other.csv": b"name,colour\na,red\n",
    }
    for name, content in broken.items():
        mixed.write(name, content, is_broken=True)
