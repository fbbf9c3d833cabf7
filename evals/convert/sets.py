"""A converter for each public set, from the files its authors publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

from agent.domain import Label, Stance
from agent.errors import InputError
from evals.convert.write import Builder, ConvertReport, field, items, objects, read_rows

_NEI = Label.NOT_ENOUGH_EVIDENCE
_LABELS = {
    "SUPPORTS": Label.SUPPORTED, "SUPPORT": Label.SUPPORTED, "SUPPORTED": Label.SUPPORTED, "REFUTES": Label.REFUTED,
    "REFUTED": Label.REFUTED, "CONTRADICT": Label.REFUTED, "NOT ENOUGH INFO": _NEI, "NOT_ENOUGH_INFO": _NEI,
    "NOT ENOUGH EVIDENCE": _NEI, "NOT_SUPPORTED": _NEI, "PARTIALLY_SUPPORTED": _NEI, "DISPUTED": Label.CONFLICTING,
    "CONFLICTING EVIDENCE/CHERRYPICKING": Label.CONFLICTING,
}  # fmt: skip
_STANCES = {
    "SUPPORTS": Stance.SUPPORTS, "SUPPORT": Stance.SUPPORTS, "REFUTES": Stance.REFUTES, "CONTRADICT": Stance.REFUTES,
    "NOT_ENOUGH_INFO": Stance.NEUTRAL,
}  # fmt: skip


def averitec(files: Sequence[Path], out: Path) -> ConvertReport:
    """AVeriTeC (Schlichtkrull et al. 2023), `dev.json` or `train.json`: a document for each answer."""
    builder = Builder("averitec")
    for path in files:
        for number, row in enumerate(read_rows(path)):
            label = _label(row, "label", path)
            fields = {"speaker": row.get("speaker"), "date": _day(row.get("claim_date"))}
            evidence = builder.case(f"{path.stem}-{number}", str(field(row, "claim", path)), label, **fields)
            for question in objects(field(row, "questions", path)):
                for answer in objects(question.get("answers")):
                    _answer(builder, evidence, str(question.get("question", "")), answer)
    return builder.write(out, title="AVeriTeC", licence="CC BY-NC 4.0")


def _answer(builder: Builder, evidence: list[dict[str, object]], question: str, answer: Mapping[str, object]) -> None:
    """An answer as a passage; what means nothing without its question gets it in front."""
    text, kind = str(answer.get("answer", "")).strip(), str(answer.get("answer_type", ""))
    if kind == "Unanswerable" or not text:
        builder.dropped["questions without an answer"] += 1
        return
    explained = f"{text}. {answer.get('boolean_explanation') or ''}".strip() if kind == "Boolean" else text
    whole = explained if kind == "Extractive" and len(text.split()) > 12 else f"{question} {explained}"
    url = answer.get("source_url")
    name = builder.document(whole, title=str(url or ""), url=str(url) if url else None)
    builder.cite(evidence, name, whole, None)


def scifact(files: Sequence[Path], out: Path) -> ConvertReport:
    """SciFact (Wadden et al. 2020): `corpus.jsonl` and `claims_dev.jsonl` or `claims_train.jsonl`."""
    corpus = [path for path in files if "corpus" in path.name]
    if not corpus or len(corpus) == len(files):
        raise InputError("scifact wants two files: corpus.jsonl and claims_dev.jsonl (or claims_train.jsonl)")
    builder = Builder("scifact")
    texts: dict[str, tuple[str, list[str]]] = {}
    for row in read_rows(corpus[0]):
        sentences = [str(sentence).strip() for sentence in items(field(row, "abstract", corpus[0]))]
        name = builder.document(" ".join(sentences), title=str(row.get("title", "")))
        texts[str(field(row, "doc_id", corpus[0]))] = name, sentences
    for path in files:
        for row in read_rows(path) if path not in corpus else ():
            found = field(row, "evidence", path)
            sets = {name: objects(value) for name, value in found.items()} if isinstance(found, dict) else {}
            labels = {str(one.get("label")) for values in sets.values() for one in values}
            label = _LABELS[labels.pop()] if len(labels) == 1 else Label.CONFLICTING if labels else _NEI
            evidence = builder.case(f"{path.stem}-{row['id']}", str(field(row, "claim", path)), label)
            _rationales(builder, evidence, sets, texts)
    return builder.write(out, title="SciFact", licence="CC BY 4.0 (claims), ODC-By 1.0 (abstracts)")


def _rationales(
    builder: Builder,
    evidence: list[dict[str, object]],
    sets: Mapping[str, list[dict[str, object]]],
    texts: Mapping[str, tuple[str, list[str]]],
) -> None:
    """The sentences of each alternative rationale, numbered as one group."""
    group = 0
    for document, rationales in sets.items():
        name, sentences = texts[document]
        for rationale in rationales:
            for index in items(rationale.get("sentences")):
                stance = _STANCES[str(rationale.get("label"))]
                builder.cite(evidence, name, sentences[int(str(index))], stance, group=group)
            group += 1


def fever(files: Sequence[Path], out: Path) -> ConvertReport:
    """FEVER (Thorne et al. 2018): `paper_dev.jsonl` or another claims file, and the `wiki-*.jsonl` pages."""
    pages = [path for path in files if path.name.startswith("wiki")]
    if not pages or len(pages) == len(files):
        raise InputError("fever wants a claims file such as paper_dev.jsonl and the wiki-*.jsonl pages")
    builder = Builder("fever")
    claims = [(path, row) for path in files if path not in pages for row in read_rows(path)]
    wanted = {str(place[2]) for _, row in claims for place in _places(row) if place[2]}
    lines: dict[str, tuple[str, list[str]]] = {}
    for path in pages:
        for row in read_rows(path):
            page = str(field(row, "id", path))
            if page in wanted:
                sentences = [line.split("\t")[1] for line in str(row.get("lines", "")).split("\n") if "\t" in line]
                lines[page] = builder.document(str(row.get("text", "")), title=page.replace("_", " ")), sentences
    for path, row in claims:
        label = _label(row, "label", path)
        evidence = builder.case(str(field(row, "id", path)), str(field(row, "claim", path)), label)
        stance = Stance.SUPPORTS if label is Label.SUPPORTED else Stance.REFUTES
        for group, places in enumerate(items(row.get("evidence"))):
            for place in items(places):
                _sentence(builder, evidence, items(place), lines, stance=stance, group=group)
    return builder.write(out, title="FEVER", licence="CC BY-SA 3.0")


def _places(row: Mapping[str, object]) -> list[list[object]]:
    return [items(place) for places in items(row.get("evidence")) for place in items(places) if len(items(place)) == 4]


def _sentence(  # noqa: PLR0913 (a place in a page is what it is)
    builder: Builder,
    evidence: list[dict[str, object]],
    place: list[object],
    lines: Mapping[str, tuple[str, list[str]]],
    *,
    stance: Stance,
    group: int,
) -> None:
    if len(place) != 4 or place[2] is None:
        return
    name, sentences = lines.get(str(place[2]), ("", []))
    number = int(str(place[3]))
    if number >= len(sentences):
        builder.dropped["evidence whose page or sentence is not in the pages given"] += 1
        return
    builder.cite(evidence, name, sentences[number], stance, group=group)


def fever_symmetric(files: Sequence[Path], out: Path) -> ConvertReport:
    """Fever-Symmetric (Schuster et al. 2019): `fever_symmetric_*.jsonl`; evidence is one sentence."""
    builder = Builder("fever_symmetric")
    for path in files:
        for row in read_rows(path):
            label = _label(row, "gold_label" if "gold_label" in row else "label", path)
            text = str(row.get("evidence_sentence") or field(row, "evidence", path))
            evidence = builder.case(f"{path.stem}-{row.get('id')}", str(field(row, "claim", path)), label)
            stance = Stance.SUPPORTS if label is Label.SUPPORTED else Stance.REFUTES
            builder.cite(evidence, builder.document(text), text, stance)
    return builder.write(out, title="Fever-Symmetric", licence="CC BY-SA 3.0", evidence="gold")


def climate_fever(files: Sequence[Path], out: Path) -> ConvertReport:
    """Climate-FEVER (Diggelmann et al. 2020): `climate-fever-dataset-*.jsonl`; evidence is one sentence each."""
    builder = Builder("climate_fever")
    for path in files:
        for row in read_rows(path):
            label = _label(row, "claim_label", path)
            evidence = builder.case(str(field(row, "claim_id", path)), str(field(row, "claim", path)), label)
            for piece in objects(field(row, "evidences", path)):
                text = str(piece.get("evidence", ""))
                name = builder.document(text, title=str(piece.get("article", "")))
                builder.cite(evidence, name, text, _STANCES.get(str(piece.get("evidence_label"))))
    return builder.write(out, title="Climate-FEVER", licence="none stated by the authors")


def fool_me_twice(files: Sequence[Path], out: Path) -> ConvertReport:
    """FoolMeTwice (Eisenschlos et al. 2021): `dev.jsonl`; the document is the gold evidence of the claim."""
    builder = Builder("fm2")
    for path in files:
        for row in read_rows(path):
            label = _label(row, "label", path)
            evidence = builder.case(f"{path.stem}-{row.get('id')}", str(field(row, "text", path)), label)
            stance = Stance.SUPPORTS if label is Label.SUPPORTED else Stance.REFUTES
            for piece in objects(field(row, "gold_evidence", path)):
                text = str(piece.get("text", ""))
                title = str(row.get("wikipedia_page", "")).replace("_", " ")
                builder.cite(evidence, builder.document(text, title=title), text, stance, group=0)
    return builder.write(out, title="FoolMeTwice", licence="see the authors' repository")


def wice(files: Sequence[Path], out: Path) -> ConvertReport:
    """WiCE (Kamoi et al. 2023): `claim/dev.jsonl` or `subclaim/dev.jsonl`; the document is the cited page."""
    builder = Builder("wice")
    for path in files:
        for number, row in enumerate(read_rows(path)):
            sentences = [str(sentence) for sentence in items(field(row, "evidence", path))]
            label = _label(row, "label", path)
            evidence = builder.case(f"{path.stem}-{number}", str(field(row, "claim", path)), label)
            name = builder.document(" ".join(sentences))
            for group, indexes in enumerate(items(row.get("supporting_sentences"))):
                for index in items(indexes):
                    builder.cite(evidence, name, sentences[int(str(index))], Stance.SUPPORTS, group=group)
    return builder.write(out, title="WiCE", licence="see the authors' repository")


def _label(row: Mapping[str, object], name: str, path: Path) -> Label:
    value = str(field(row, name, path)).strip().upper()
    if value not in _LABELS:
        raise InputError(f"{str(path)!r} holds the label {row[name]!r}: wanted one of {', '.join(sorted(_LABELS))}")
    return _LABELS[value]


def _day(value: object) -> str | None:
    """AVeriTeC writes 25-8-2020."""
    parts = str(value or "").split("-")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        return None
    day, month, year = (int(part) for part in parts)
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


CONVERTERS: Mapping[str, Callable[[Sequence[Path], Path], ConvertReport]] = {
    "averitec": averitec,
    "scifact": scifact,
    "fever": fever,
    "fever_symmetric": fever_symmetric,
    "climate_fever": climate_fever,
    "fool_me_twice": fool_me_twice,
    "wice": wice,
}
