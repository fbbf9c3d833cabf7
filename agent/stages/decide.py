"""Decision: from evidence and checks to a label, a confidence and a justification, by plain rules.

Every independent origin has one vote a side, as heavy as its surest passage. One side alone gives its label; two
sides conflict unless one outweighs the other threefold. Support that a deterministic check contradicts does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agent.domain import Check, Citation, Document, Evidence, Label, Stance, Verdict

OUTWEIGHS = 3.0
"""A side this many times heavier than the other decides: a lone contrary voice does not make a conflict."""
PRIOR_WEIGHT = 1.0
"""Weight of not knowing, in units of one certain origin: see `confidence_of`."""
_UNSCORED_WEIGHT = 0.75
_SHOWN_QUOTES = 3


def decide(
    evidence: Sequence[Evidence],
    checks: Sequence[Check],
    documents: dict[str, Document],
    *,
    abstain_below: float = 0,
) -> Verdict:
    """The verdict on the claim the evidence is about. Pure: the order of the evidence does not matter."""
    blocked = {check.passage_id for check in checks if not check.agrees}
    support = _of_stance(evidence, Stance.SUPPORTS, without=blocked)
    against = _of_stance(evidence, Stance.REFUTES)
    label = _label(_weight(support), _weight(against))
    cited = _cited(label, support, against)
    confidence = confidence_of(label, _weight(support), _weight(against))
    return Verdict(
        label=label,
        confidence=confidence,
        abstained=confidence < abstain_below,
        rationale=tuple(piece.citation for piece in cited if piece.citation is not None),
        justification=_justification(support, against, _blocked_support(evidence, blocked), documents),
        origins=len({piece.origin for piece in cited}),
    )


def confidence_of(label: Label, support: float, against: float) -> float:
    """Share of the weight that speaks for the label, with one origin's weight of not knowing added.

    For a label that rests on one side this is `w / (w + w_other + 1)`, moved up by half of the prior; a conflict is
    as sure as its weaker side; without evidence it is what is left when nothing was found, one half. It orders
    verdicts; it is not yet calibrated on gold.
    """
    total = support + against + PRIOR_WEIGHT
    if label is Label.NOT_ENOUGH_EVIDENCE:
        return 0.5
    weight = 2 * min(support, against) if label is Label.CONFLICTING else max(support, against)
    return round(min(1.0, (weight + PRIOR_WEIGHT / 2) / total), 4)


def check_verdict(verdict: Verdict, evidence: Sequence[Evidence], documents: dict[str, Document]) -> None:
    """Prove that a verdict rests on its evidence.

    Raises:
        ValueError: a citation is of no evidence, is not in its document, or the label lacks its citations. It means
            a defect of ours, not of the model.
    """
    known = {piece.citation for piece in evidence}
    for citation in verdict.rationale:
        if citation not in known:
            raise ValueError(f"citation of document {citation.document_id!r} belongs to no evidence of the claim")
        if citation.span.of(documents[citation.document_id].text) != citation.quote:
            raise ValueError(f"quote {citation.quote!r} is not at its place in document {citation.document_id!r}")
    stances = {citation.stance for citation in verdict.rationale}
    if missing := _needed(verdict.label) - stances:
        raise ValueError(f"label {verdict.label} has no citation that {sorted(missing)} the claim")


def _needed(label: Label) -> set[Stance]:
    return {
        Label.SUPPORTED: {Stance.SUPPORTS},
        Label.REFUTED: {Stance.REFUTES},
        Label.CONFLICTING: {Stance.SUPPORTS, Stance.REFUTES},
        Label.NOT_ENOUGH_EVIDENCE: set[Stance](),
    }[label]


def _of_stance(evidence: Iterable[Evidence], stance: Stance, without: Iterable[str] = ()) -> list[Evidence]:
    """Evidence of one stance, surest first."""
    left_out = set(without)
    found = [piece for piece in evidence if piece.stance is stance and piece.passage_id not in left_out]
    return sorted(found, key=lambda piece: (-_strength(piece), piece.passage_id))


def _blocked_support(evidence: Iterable[Evidence], blocked: set[str]) -> list[Evidence]:
    return [piece for piece in _of_stance(evidence, Stance.SUPPORTS) if piece.passage_id in blocked]


def _strength(piece: Evidence) -> float:
    return _UNSCORED_WEIGHT if piece.scores is None else piece.scores.of(piece.stance)


def _weight(evidence: Sequence[Evidence]) -> float:
    """Sum over origins of the strength of their surest piece."""
    best: dict[str, float] = {}
    for piece in evidence:
        best[piece.origin] = max(best.get(piece.origin, 0.0), _strength(piece))
    return sum(sorted(best.values()))


def _label(support: float, against: float) -> Label:
    if support == 0 and against == 0:
        return Label.NOT_ENOUGH_EVIDENCE
    if support >= OUTWEIGHS * against:
        return Label.SUPPORTED
    if against >= OUTWEIGHS * support:
        return Label.REFUTED
    return Label.CONFLICTING


def _cited(label: Label, support: list[Evidence], against: list[Evidence]) -> list[Evidence]:
    """The rationale: the deciding side first; a lone contrary voice is cited too, so that nobody overlooks it."""
    return against + support if label is Label.REFUTED else support + against


def _justification(
    support: list[Evidence],
    against: list[Evidence],
    blocked: list[Evidence],
    documents: dict[str, Document],
) -> str:
    """What speaks for and against, each part with its quote: made by code, so it says nothing that is not cited."""
    parts = [_side(support, "support", documents), _side(against, "contradict", documents)]
    if blocked:
        names = ", ".join(sorted({_name(documents[piece.document_id]) for piece in blocked}))
        parts.append(f"Not counted as support, because a number, date, name or negation differs: {names}.")
    said = " ".join(part for part in parts if part)
    return said or "Passages were read, and none of them decides the claim."


def _side(evidence: list[Evidence], verb: str, documents: dict[str, Document]) -> str:
    if not evidence:
        return ""
    count = len({piece.origin for piece in evidence})
    quotes = "; ".join(_quoted(piece, documents) for piece in evidence[:_SHOWN_QUOTES])
    return (
        f"{count} independent {'origin' if count == 1 else 'origins'} {verb}{'s' if count == 1 else ''} it: {quotes}."
    )


def _quoted(piece: Evidence, documents: dict[str, Document]) -> str:
    citation: Citation | None = piece.citation
    assert citation is not None  # evidence with a stance always has one
    return f"{_name(documents[piece.document_id])}: “{' '.join(citation.quote.split()).rstrip('.')}”"


def _name(document: Document) -> str:
    name = document.publisher or document.title or document.id
    return f"{name} ({document.published})" if document.published else name
