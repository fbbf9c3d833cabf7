"""What all converters share: gathering cases and documents, grouping cases that share evidence, writing the suite."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from agent.domain import Data, Label, Stance, short_hash
from agent.errors import InputError
from evals.runs import write_whole

Row = Mapping[str, object]


class ConvertReport(Data):
    """What a conversion kept and what it left out."""

    claims: int
    documents: int
    dropped: dict[str, int]
    """Reason to count."""


class Builder:
    """Gathers a suite; documents with the same text are one."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._documents: dict[str, dict[str, object]] = {}
        self._cases: list[dict[str, object]] = []
        self.dropped: Counter[str] = Counter()

    def document(self, text: str, *, title: str = "", url: str | None = None) -> str:
        """Keep a document; returns its id, derived from its title and text."""
        name = f"{self._prefix}-{short_hash(title, text)[:12]}"
        self._documents.setdefault(
            name, {"id": name, "title": title, "text": text, "url": url, "published": None, "source": ""}
        )
        return name

    def case(self, name: str, text: str, label: Label, **fields: object) -> list[dict[str, object]]:
        """Keep a claim; returns the list its evidence goes to."""
        evidence: list[dict[str, object]] = []
        self._cases.append(
            {"id": f"{self._prefix}-{name}", "text": text.strip(), "label": label.value, "evidence": evidence} | fields
        )
        return evidence

    def cite(
        self, evidence: list[dict[str, object]], document: str, quote: str, stance: Stance | None, **fields: object
    ) -> None:
        """Add a quote; one that is not in its document is left out and counted."""
        if not quote.strip() or quote not in str(self._documents[document]["text"]):
            self.dropped["quotes that are not in their document"] += 1
            return
        evidence.append({"doc_id": document, "quote": quote, "stance": stance.value if stance else None} | fields)

    def write(self, out: Path, *, title: str, licence: str, **about: object) -> ConvertReport:
        """Write the folder; cases that share a document are one group."""
        if not self._cases:
            raise InputError(f"no claim was found for {title}: are these its official files? docs/data.md names them")
        groups = _groups(self._cases)
        out.mkdir(parents=True, exist_ok=True)
        write_whole(out / "corpus.jsonl", _lines(self._documents.values()))
        cases = ({"group_id": group} | case for case, group in zip(self._cases, groups, strict=True))
        write_whole(out / "claims.jsonl", _lines(cases))
        origin = "Converted by `factdesk eval convert` from the official files."
        facts = {"title": title, "licence": licence, "origin": origin} | about
        write_whole(out / "suite.json", json.dumps(facts, indent=2) + "\n")
        return ConvertReport(claims=len(self._cases), documents=len(self._documents), dropped=dict(self.dropped))


def read_rows(path: Path) -> Iterator[dict[str, object]]:
    """Objects of a JSON Lines file, or of a JSON file that holds a list of them.

    Raises:
        InputError: the file is neither.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = json.loads(text) if text.lstrip().startswith("[") else map(json.loads, filter(None, text.splitlines()))
        for row in rows:
            if not isinstance(row, dict):
                raise InputError(f"{str(path)!r} is not of the form wanted: it holds {type(row).__name__}, not objects")
            yield row
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read as JSON: {error}") from None


def field(row: Row, name: str, path: Path) -> object:
    """A field the official form has.

    Raises:
        InputError: it is not there, so this is another file.
    """
    if name not in row:
        raise InputError(f"{str(path)!r} has no field {name!r}: is it the official file? docs/data.md names them")
    return row[name]


def items(value: object) -> list[object]:
    """A list, whatever stands there."""
    return list(value) if isinstance(value, (list, tuple)) else []


def objects(value: object) -> list[dict[str, object]]:
    """The objects of a list."""
    return [item for item in items(value) if isinstance(item, dict)]


def _lines(rows: Iterable[Mapping[str, object]]) -> str:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def _groups(cases: list[dict[str, object]]) -> list[str]:
    """Group of each case: cases that share a document, over any number of steps, are one (union-find)."""
    parent = list(range(len(cases)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    first: dict[object, int] = {}
    for number, case in enumerate(cases):
        for piece in objects(case["evidence"]):
            other = first.setdefault(piece["doc_id"], number)
            parent[root(number)] = root(other)
    return [f"g-{short_hash(str(cases[root(number)]['id']))[:10]}" for number in range(len(cases))]
