"""Guard of extraction: a claim that its sentence does not entail is replaced by the sentence, and marked.

A language model adds what it knows and drops what it finds awkward. The words of a claim are compared with those of the
article in `extract`; whether its meaning follows is asked of a cross-encoder here.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Protocol

from agent.domain import Claim, claim_id, short_hash
from agent.errors import ModelError
from agent.stages.extract import Extracted, Window, failed
from agent.stages.stance import PairScorer, raw_scores
from agent.text import visible

LEAST = 0.2
"""Least probability of support that lets a claim pass: measured by `evals.training.guard`, see the model card."""
_CONTEXT_CHARACTERS = 240


class Guard(Protocol):
    """Says which claims follow from their premises."""

    @property
    def id(self) -> str:
        """Name of the guard, with all that can change what it lets pass."""
        ...

    def passes(self, pairs: Sequence[tuple[str, str]]) -> Sequence[bool]:
        """Whether each premise entails its claim."""
        ...


class EntailmentGuard:
    """Lets a claim pass where a cross-encoder finds that its premise may support it."""

    def __init__(self, scorer: PairScorer, *, least: float = LEAST) -> None:
        self._scorer = scorer
        self._least = least

    @property
    def id(self) -> str:
        """Id of the scorer and the threshold."""
        return f"{self._scorer.id}>={self._least}"

    def passes(self, pairs: Sequence[tuple[str, str]]) -> Sequence[bool]:
        """Whether the scorer gives support its least probability.

        Raises:
            ModelError: the scorer gave no probabilities.
        """
        return [bool(row[0] >= self._least) for row in raw_scores(self._scorer, pairs)]


class RecordedGuard:
    """Stops what was stopped when a run was made: a replay needs no model."""

    def __init__(self, name: str, stopped: Iterable[tuple[str, str]]) -> None:
        """Take sentences, each with a wording that was stopped there: it may have passed at another one."""
        self.id = name
        self._stopped: dict[str, list[str]] = {}
        for sentence, wording in stopped:
            self._stopped.setdefault(wording, []).append(visible(sentence))

    def passes(self, pairs: Sequence[tuple[str, str]]) -> Sequence[bool]:
        """Whether each claim passed at the time; a premise ends with its sentence."""
        return [not any(premise.endswith(one) for one in self._stopped.get(claim, ())) for premise, claim in pairs]


def keep_entailed(extracted: Sequence[Extracted], window: Window, guard: Guard) -> tuple[Extracted, ...]:
    """The same ledger lines; of their claims only those that their sentences entail, and the sentence for the rest.

    When the guard cannot read the claims, their sentences have failed.
    """
    worded = [(one, claim.text) for one in extracted for claim in one.claims if not claim.is_sentence]
    try:
        passed = guard.passes([(premise_of(one, window), text) for one, text in worded]) if worded else ()
    except ModelError as error:
        unread = {one.entry.sentence.index for one, _ in worded}
        return tuple(
            failed(one.entry.sentence, str(error)) if one.entry.sentence.index in unread else one for one in extracted
        )
    stopped = {
        (one.entry.sentence.index, text)
        for (one, text), is_entailed in zip(worded, passed, strict=True)
        if not is_entailed
    }
    return tuple(_kept(one, stopped) for one in extracted)


def premise_of(one: Extracted, window: Window) -> str:
    """What a claim may follow from: the sentence, behind the title and as much of the text before it as fits."""
    at = one.entry.sentence.index
    before = " ".join(other.text for other in (*window.before, *window.sentences) if other.index < at)
    context = visible(f"{window.title}. {before[-_CONTEXT_CHARACTERS:]}").lstrip(". ")
    return f"{context} {visible(one.entry.sentence.text)}".strip()


def _kept(one: Extracted, all_stopped: Container[tuple[int, str]]) -> Extracted:
    index = one.entry.sentence.index
    stopped = [claim for claim in one.claims if not claim.is_sentence and (index, claim.text) in all_stopped]
    if not stopped:
        return one
    kept = [claim for claim in one.claims if claim not in stopped]
    own = next((claim for claim in kept if claim.is_sentence), None) or _own_claim(one, stopped[0])
    texts = [claim.text for claim in stopped]
    marked = own.model_copy(update={"replaced": tuple(dict.fromkeys((*own.replaced, *texts)))})
    claims = (*(claim for claim in kept if not claim.is_sentence), marked)
    entry = one.entry.model_copy(update={"claim_ids": tuple(claim.id for claim in claims)})
    return Extracted(entry, claims)


def _own_claim(one: Extracted, stopped: Claim) -> Claim:
    text = visible(one.entry.sentence.text)
    update = {"id": claim_id(text, one.entry.sentence.index), "text": text, "is_sentence": True, "speaker": None}
    return stopped.model_copy(update=update)


def guard_id(guard: Guard | None) -> str:
    """What a run records of its guard."""
    return "none" if guard is None else f"{guard.id}+{short_hash(str(_CONTEXT_CHARACTERS))[:4]}"
