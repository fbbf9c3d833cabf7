"""What would change a verdict: the decision made again with one origin less, or with voices more."""

from __future__ import annotations

import math
from collections.abc import Mapping

from agent.domain import CheckKind, Document, Label, Stance, Verdict, Verification
from agent.stages.decide import Sides, likeliest, load_decision, sides_of

_VOICE = 0.9
"""How sure a further voice is taken to be."""
_MOST_VOICES = 5


def what_would_change(verification: Verification, documents: Mapping[str, Document]) -> tuple[str, ...]:
    """Sentences such as `Without UPI it would be Not Enough Evidence.`; computed, not written by a model."""
    verdict = verification.verdict
    if verdict is None:
        return ()
    lines = [*_without(verification, verdict, documents), *_with_more(verification, verdict)]
    blocked = [check for check in verification.checks if not check.agrees and check.kind is not CheckKind.INSTRUCTION]
    if blocked and verdict.label is not Label.SUPPORTED:
        one = blocked[0]
        value = f"says “{one.quote_value}”" if one.quote_value else "gives none"
        lines.append(
            f"A {one.kind} differs: the claim says “{one.claim_value}”, a source {value};"
            " a source with the claim's own value would count as support."
        )
    return tuple(lines)


def _without(verification: Verification, verdict: Verdict, documents: Mapping[str, Document]) -> list[str]:
    lines = []
    for origin in dict.fromkeys(piece.origin for piece in verification.evidence if piece.citation):
        rest = [piece for piece in verification.evidence if piece.origin != origin]
        label = _label(sides_of(rest, verification.checks, surest=load_decision().surest))
        if label is not verdict.label:
            ids = dict.fromkeys(piece.document_id for piece in verification.evidence if piece.origin == origin)
            names = [documents[key].publisher or documents[key].title or key for key in ids if key in documents]
            lines.append(f"Without {' and '.join(dict.fromkeys(names)) or 'one origin'} it would be {label.shown}.")
    return lines


def _with_more(verification: Verification, verdict: Verdict) -> list[str]:
    lines = []
    sides = sides_of(verification.evidence, verification.checks, surest=load_decision().surest)
    for stance, verb in ((Stance.SUPPORTS, "supports"), (Stance.REFUTES, "contradicts")):
        for number in range(1, _MOST_VOICES + 1):
            weight = -number * math.log(1 - _VOICE)
            more = (weight, 0.0) if stance is Stance.SUPPORTS else (0.0, weight)
            label = _label(Sides(sides.support + more[0], sides.against + more[1]))
            if label is not verdict.label:
                who = "one more independent source" if number == 1 else f"{number} more independent sources"
                verbs = verb if number == 1 else verb.removesuffix("s")
                lines.append(f"With {who} that plainly {verbs} it, it would be {label.shown}.")
                break
    return lines


def _label(sides: Sides) -> Label:
    weights = {Stance.SUPPORTS: sides.support, Stance.REFUTES: sides.against}
    stances = {stance for stance, weight in weights.items() if weight}
    return likeliest(load_decision().probabilities(sides), stances)
