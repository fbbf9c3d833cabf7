"""All corpora as one suite: the claims of each set are searched in the documents of all.

    python -m evals.joint --data ../shared/data --out all_corpora
    factdesk eval run all_corpora --stage retrieve --solver reranked

A user's store holds more than the sources of one question. Ids of claims, groups and documents carry the name of their
set, so that none is taken for another; the half of a claim is the half it has in its own set, and only claims of one
half are written: run the suite with `--half all`. What other sets say on a claim counts as not gold, so the figures
are, if anything, too low.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from agent.domain import Document
from agent.errors import AgentError, InputError
from evals.cases import ClaimCase, Half
from evals.runs import write_whole
from evals.suites import ABOUT, CLAIMS, CORPUS, load_suite

NAME = "all_corpora"
SETS = (
    "averitec", "climate_fever", "factcheck_bench", "feverous_text", "fool_me_twice", "scifact", "wice_citations",
)  # fmt: skip
"""All whose documents can be searched: those of fever_symmetric contradict each other on purpose."""
_NO_PUBLISHERS = frozenset({"research abstract (S2ORC)", "web page cited by Wikipedia (Common Crawl)", "unknown"})
"""What sets say where they do not know who published a document: each is of somebody else. Its address, if it has one,
is that of the collection."""


def write_joint(data: Path, out: Path, *, half: Half = "reporting", sets: Sequence[str] = SETS) -> Path:
    """Write the suite of all sets that are there; returns its folder.

    Raises:
        InputError: none of them is there, or one cannot be read.
    """
    there = [name for name in sets if (data / name / CLAIMS).is_file()]
    if not there:
        raise InputError(f"{str(data)!r} holds none of {', '.join(sets)}: docs/data.md says where they are had")
    claims: list[str] = []
    corpus: list[str] = []
    for name in there:
        suite = load_suite(data / name, half=half)
        claims += _lines(_claim(name, case) for case in suite.claims)
        corpus += _lines(_document(name, document) for document in suite.corpus.values())
    out.mkdir(parents=True, exist_ok=True)
    about = {"title": f"Claims of {len(there)} sets, half {half}, in the documents of all", "origin": ", ".join(there)}
    write_whole(out / CLAIMS, "".join(claims))
    write_whole(out / CORPUS, "".join(corpus))
    write_whole(out / ABOUT, json.dumps(about, indent=2) + "\n")
    return out


def _lines(rows: Iterable[dict[str, object]]) -> list[str]:
    return [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]


def _claim(name: str, case: ClaimCase) -> dict[str, object]:
    row = case.model_dump(mode="json", exclude_none=True)
    evidence = [piece | {"doc_id": f"{name}:{piece['doc_id']}"} for piece in row["evidence"]]
    return row | {"id": f"{name}:{case.id}", "group_id": f"{name}:{case.group_id or case.id}", "evidence": evidence}


def _document(name: str, document: Document) -> dict[str, object]:
    fields = {"title", "url", "publisher", "published", "kind", "licence", "text"}
    row = document.model_dump(mode="json", include=fields, exclude_none=True)
    if document.publisher in _NO_PUBLISHERS:
        row = {field: value for field, value in row.items() if field not in {"publisher", "url"}}
    return {"id": f"{name}:{document.id}"} | row


def main() -> int:
    """Write the suite and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--out", type=Path, default=Path(NAME), help="folder of the suite")
    parser.add_argument("--half", choices=("tuning", "reporting"), default="reporting")
    given = parser.parse_args()
    try:
        suite = load_suite(write_joint(given.data, given.out, half=given.half))
    except AgentError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{given.out}: {len(suite.claims)} claims, {len(suite.corpus)} documents")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
