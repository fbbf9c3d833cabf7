"""Decision: from evidence and checks to a label, a confidence and a justification, by a small fitted model.

Every independent origin has one vote a side, as heavy as its surest passage. The weight of a side is the negative log
of the chance that all its origins are wrong, if they were wrong independently (noisy-or; Pearl 1988). A softmax over
the four labels, linear in the two weights, gives the probabilities; its parameters are fitted on gold and kept as JSON.
A label must rest on citations of its side, and support that a deterministic check contradicts does not count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

from pydantic import Field

from agent.domain import Check, CheckKind, Citation, Data, Document, Evidence, Fit, Label, Stance, Verdict

_UNSCORED = 0.75
"""Probability of a stance whose judge gave none."""
_SHOWN_QUOTES = 3
FIRM = 0.5
"""What the other origins say with at least this probability, no single one turns into its opposite."""
_STANCE_OF = {Label.SUPPORTED: Stance.SUPPORTS, Label.REFUTED: Stance.REFUTES}
_OPPOSITE = {Label.SUPPORTED: Label.REFUTED, Label.REFUTED: Label.SUPPORTED}


class DecisionModel(Data):
    """Parameters of the decision: logits of the labels from the weights of the two sides."""

    version: Literal[1] = 1
    own: float = Field(gt=0)
    """What a side's weight adds to the logit of its own label, and the lighter side's to that of a conflict."""
    nothing: float
    """Logit of not enough evidence."""
    conflict: float
    """Logit of a conflict when both sides weigh nothing."""
    surest: float = Field(default=0.98, gt=0, lt=1)
    """A judge that is surer than this is taken to be as sure as this."""
    fitted: Fit | None = None

    def probabilities(self, sides: Sides) -> dict[Label, float]:
        """Probability of each label."""
        lighter = min(sides.support, sides.against)
        logits = {
            Label.SUPPORTED: self.own * sides.support,
            Label.REFUTED: self.own * sides.against,
            Label.NOT_ENOUGH_EVIDENCE: self.nothing,
            Label.CONFLICTING: 2 * self.own * lighter + self.conflict,
        }
        most = max(logits.values())
        shares = {label: math.exp(logit - most) for label, logit in logits.items()}
        total = sum(shares.values())
        return {label: share / total for label, share in shares.items()}


class Sides(NamedTuple):
    """Weights of the two sides, each from 0 up."""

    support: float
    against: float


def decide(
    evidence: Sequence[Evidence],
    checks: Sequence[Check],
    documents: dict[str, Document],
    *,
    abstain_below: float = 0,
) -> Verdict:
    """The verdict on the claim the evidence is about: the likeliest label that its evidence can carry.

    Pure: the order of the evidence does not matter. The confidence is the probability of the label.
    """
    blocked = {check.passage_id for check in checks if not check.agrees}
    support = _of_stance(evidence, Stance.SUPPORTS, without=blocked)
    against = _of_stance(evidence, Stance.REFUTES)
    model = load_decision()
    chances = model.probabilities(sides_of(evidence, checks, surest=model.surest))
    label = likeliest(chances, {piece.stance for piece in (*support, *against)})
    if _rests_on_one(label, evidence, checks, model):
        label = Label.CONFLICTING
    aside = {check.passage_id for check in checks if check.kind is CheckKind.INSTRUCTION}
    confidence = round(chances[label], 4)
    cited = _cited(label, support, against)
    return Verdict(
        label=label,
        confidence=confidence,
        abstained=confidence < abstain_below,
        rationale=tuple(piece.citation for piece in cited if piece.citation is not None),
        justification=_justification(
            support,
            against,
            _blocked_support(evidence, blocked),
            [piece for piece in evidence if piece.passage_id in aside],
            documents,
        ),
        origins=len({piece.origin for piece in cited}),
    )


@cache
def load_decision() -> DecisionModel:
    """The parameters that come with the package."""
    path = files("agent.stages").joinpath("decision.json")
    return DecisionModel.model_validate_json(path.read_text(encoding="utf-8"))


def likeliest(chances: Mapping[Label, float], stances: AbstractSet[Stance]) -> Label:
    """The likeliest label that evidence of these stances can carry."""
    return max((label for label in Label if _needed(label) <= stances), key=lambda label: chances[label])


def _rests_on_one(label: Label, evidence: Sequence[Evidence], checks: Sequence[Check], model: DecisionModel) -> bool:
    """Whether the label is that of a single origin, and what all others say is firmly its opposite.

    Who plants a text near a claim is read as very sure; one voice, however sure, makes a conflict and no verdict. What
    the same origin says against its own side stays: a planted text could else quote its opponents and take them along.
    """
    opposite = _OPPOSITE.get(label)
    if opposite is None:
        return False
    deciding = {piece.origin for piece in evidence if piece.stance is _STANCE_OF[label]}
    others = (
        [piece for piece in evidence if piece.origin != origin or piece.stance is not _STANCE_OF[label]]
        for origin in deciding
    )
    sides = (sides_of(rest, checks, surest=model.surest) for rest in others)
    return any(
        chances[opposite] >= FIRM and max(chances.values()) == chances[opposite]
        for chances in map(model.probabilities, sides)
    )


def sides_of(evidence: Sequence[Evidence], checks: Sequence[Check], *, surest: float) -> Sides:
    """Weights of the two sides of a claim's evidence."""
    blocked = {check.passage_id for check in checks if not check.agrees}
    support = _of_stance(evidence, Stance.SUPPORTS, without=blocked)
    return Sides(_weight(support, surest), _weight(_of_stance(evidence, Stance.REFUTES), surest))


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
    return _UNSCORED if piece.scores is None else piece.scores.of(piece.stance)


def _weight(evidence: Iterable[Evidence], surest: float) -> float:
    """Minus the log of the chance that the surest piece of every origin is wrong, as much of it as its kind counts."""
    best: dict[str, float] = {}
    for piece in evidence:
        voice = -piece.weight * math.log(1 - min(_strength(piece), surest))
        best[piece.origin] = max(best.get(piece.origin, 0.0), voice)
    return sum(sorted(best.values()))


def _cited(label: Label, support: list[Evidence], against: list[Evidence]) -> list[Evidence]:
    """The rationale: the deciding side first; a lone contrary voice is cited too, so that nobody overlooks it."""
    return against + support if label is Label.REFUTED else support + against


def _justification(
    support: list[Evidence],
    against: list[Evidence],
    blocked: list[Evidence],
    aside: list[Evidence],
    documents: dict[str, Document],
) -> str:
    """What speaks for and against, each part with its quote: made by code, so it says nothing that is not cited."""
    parts = [_side(support, "support", documents), _side(against, "contradict", documents)]
    if blocked:
        names = ", ".join(sorted({_name(documents[piece.document_id]) for piece in blocked}))
        parts.append(f"Not counted as support, because a number, date, name or negation differs: {names}.")
    if aside:
        names = ", ".join(sorted({_name(documents[piece.document_id]) for piece in aside}))
        parts.append(f"Set aside, because a passage gives its reader orders: {names}.")
    parts.append(_lighter([*support, *against], documents))
    said = " ".join(part for part in parts if part)
    return said or "Passages were read, and none of them decides the claim."


def _lighter(evidence: list[Evidence], documents: dict[str, Document]) -> str:
    """Which sources count less than others, and how much; empty when all count alike."""
    lighter = {piece.document_id: piece.weight for piece in evidence if piece.weight != 1}
    names = sorted(f"{_name(documents[key])} ({documents[key].kind.value}, {lighter[key]:g})" for key in lighter)
    return f"Counted less, by the kind of source: {', '.join(names)}." if names else ""


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
