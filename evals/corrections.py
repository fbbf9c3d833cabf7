"""Corrections by people, kept as cases of a suite of their own, apart from any benchmark."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from agent.domain import Citation, Document, Label, Stance, Verification
from agent.errors import InputError
from evals.runs import write_whole
from evals.suites import CLAIMS, CORPUS

_SIDES = {
    Label.SUPPORTED: {Stance.SUPPORTS},
    Label.REFUTED: {Stance.REFUTES},
    Label.CONFLICTING: {Stance.SUPPORTS, Stance.REFUTES},
    Label.NOT_ENOUGH_EVIDENCE: set[Stance](),
}


def add_case(  # noqa: PLR0913 (what a correction consists of)
    folder: Path,
    verification: Verification,
    documents: Mapping[str, Document],
    *,
    label: Label,
    why: str,
    who: str = "",
) -> str:
    """Keep a corrected verdict as a case; the same claim corrected again replaces its case.

    The citations of the verdict whose stance goes with the new label become the case's evidence, and all documents that
    were read become its corpus, so that the case can be run as it was.

    Returns:
        Id of the case.

    Raises:
        InputError: no reason is given, or the claim was never verified.
    """
    if not why.strip():
        raise InputError("a correction wants its reason: give it with --why")
    verdict = verification.verdict
    if verdict is None:
        raise InputError(f"claim {verification.claim.id!r} has no verdict to correct: verify it first")
    name = f"correction-{verification.claim.id}"
    read = {hit.passage.document_id for hit in verification.hits} | {one.document_id for one in verdict.rationale}
    case = {
        "id": name,
        "text": verification.claim.text,
        "label": label.value,
        "speaker": verification.claim.speaker,
        "evidence": [_piece(citation) for citation in verdict.rationale if citation.stance in _SIDES[label]],
        "group_id": name,
        "tags": ["correction"],
        "correction": {
            "was": verdict.label.value,
            "why": why.strip(),
            "who": who,
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_row(documents[key]) for key in sorted(read) if key in documents]
    _merge(folder / CORPUS, rows)  # documents first: a case must never name one that is not there
    _merge(folder / CLAIMS, [case])
    return name


def _piece(citation: Citation) -> dict[str, str]:
    return {"doc_id": citation.document_id, "quote": citation.quote, "stance": citation.stance.value}


def _row(document: Document) -> dict[str, object]:
    return document.model_dump(mode="json", include={"id", "title", "text", "url", "publisher", "published", "kind"})


def _merge(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Put rows into a file of JSON lines, in place of those of the same id."""
    new = {row["id"] for row in rows}
    kept = [row for row in _read(path) if row["id"] not in new]
    lines = (json.dumps(row, ensure_ascii=False) for row in (*kept, *rows))
    write_whole(path, "".join(f"{line}\n" for line in lines))


def _read(path: Path) -> Iterable[dict[str, object]]:
    if not path.is_file():
        return []
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except ValueError as error:
        raise InputError(f"{str(path)!r} is broken ({error}): mend it, or name another folder with --suite") from None
