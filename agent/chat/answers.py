"""Answers that code makes from the stored run: every statement points at what it rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from agent.chat.actions import Tell
from agent.chat.state import ClaimRef, QuoteRef, Ref, SentenceRef, State, Statement, Turn, is_held, quotes_held
from agent.chat.whatif import what_would_change
from agent.domain import Citation, Claim, Document, Evidence, Label, SentenceStatus, Stance, Verification
from agent.report.contract import State as Outcome
from agent.report.contract import state_of
from agent.report.markdown import NAMES, check_line, count, percent
from agent.stages.worth import worth

NOTHING = "The run holds nothing about it."
WHICH_CLAIM = "Which claim? Name its number, or open its card first."
_SHOWN = 4
_HELP = (
    "Ask about the run: why a verdict, what speaks against it, what is missing, what would change it, compare two"
    " sources, which claims matter. Or change what it sees: leave a source out, only until a date, add a source,"
    " check again, check a sentence of your own. A correction of yours is kept with its reason."
)
_GRAVITY = (Outcome.REFUTED, Outcome.CONFLICTING, Outcome.FAILED, Outcome.NOT_ENOUGH_EVIDENCE, Outcome.ABSTAINED)


def tell(action: Tell, state: State) -> Turn:
    """The desk's turn on a topic; what the run does not hold is left out, and nothing left is said so."""
    claim = state.claim(action.claim_id)
    if action.what in _GENERAL:
        said = tuple(_GENERAL[action.what](action, state))
        note = _NOTES.get(action.what, "")
        return _turn(said, state, note=note, claim_id=None)
    if claim is None:
        return Turn(who="desk", note=WHICH_CLAIM, offers=("Which claims matter most?", "Summary"))
    found = state.outcomes.get(claim.id)
    if found is None:
        return Turn(who="desk", note="This claim has not been checked yet.", claim_id=claim.id)
    if found.failure is not None:
        failed = Statement(
            text=f"The stage “{found.failure.stage}” failed, so there is no verdict: {found.failure.message}",
            refs=(ClaimRef(claim_id=claim.id),),
        )
        return _turn((failed,), state, claim_id=claim.id, offers=(f"Check claim {state.number_of(claim.id)} again",))
    said = tuple(_OF_CLAIM[action.what](claim, found, state))
    return _turn(said, state, claim_id=claim.id, offers=_offers(action.what, state.number_of(claim.id)))


def stands(claim: Claim, state: State) -> Statement:
    """The stored verdict of a claim, in one line."""
    found = state.outcomes.get(claim.id)
    sure = f", confidence {percent(found.verdict.confidence)}" if found and found.verdict else ""
    name = NAMES[state_of(found)]
    return Statement(
        text=f"Claim {state.number_of(claim.id)} is {name}{sure}: {claim.text}", refs=(ClaimRef(claim_id=claim.id),)
    )


def short(title: str) -> str:
    """A title inside a sentence of ours."""
    return title[:80].rstrip(" .")


def name_of(document: Document | None, fallback: str = "a source") -> str:
    """Publisher and date."""
    if document is None:
        return fallback
    name = document.publisher or document.title or document.id
    return f"{name} ({document.published})" if document.published else f"{name} (undated)"


def _turn(
    said: tuple[Statement, ...], state: State, *, note: str = "", claim_id: str | None, offers: tuple[str, ...] = ()
) -> Turn:
    kept = tuple(statement for statement in said if is_held(statement, state))
    return Turn(who="desk", note=note or ("" if kept else NOTHING), statements=kept, claim_id=claim_id, offers=offers)


def _offers(what: str, number: int) -> tuple[str, ...]:
    all_of = {
        "why": f"Why is claim {number} so?",
        "against": f"What speaks against claim {number}?",
        "missing": f"What is missing for claim {number}?",
        "plain": f"Explain claim {number} simply",
        "change": f"What would change claim {number}?",
    }
    return tuple(text for topic, text in all_of.items() if topic != what)[:3]


def quoted(cited: Citation, documents: Mapping[str, Document]) -> Statement:
    """Who says it and when, and the words."""
    name = name_of(documents.get(cited.document_id))
    return Statement(text=f"{name}: “{' '.join(cited.quote.split())}”", refs=(QuoteRef(citation=cited),))


def _side(found: Verification, stance: Stance) -> list[Evidence]:
    pieces = [piece for piece in found.evidence if piece.stance is stance and piece.citation]
    return sorted(pieces, key=lambda piece: -(piece.scores.of(stance) if piece.scores else 0.5))


def _why(claim: Claim, found: Verification, state: State) -> Iterator[Statement]:
    yield stands(claim, state)
    verdict = found.verdict
    assert verdict is not None
    for cited in verdict.rationale[:_SHOWN]:
        side = {Stance.SUPPORTS: "For", Stance.REFUTES: "Against", Stance.NEUTRAL: "Open"}[cited.stance]
        one = quoted(cited, state.documents)
        yield one.model_copy(update={"text": f"{side}: {one.text}"})
    if not verdict.rationale:
        read = count(len(found.evidence), "passage")
        yield Statement(text=f"{read} read; none of them decides it.", refs=(ClaimRef(claim_id=claim.id),))
    for check in found.checks:
        if not check.agrees:
            yield Statement(text=f"Check, {check_line(check)}.", refs=(ClaimRef(claim_id=claim.id),))


def _one_side(stance: Stance) -> Callable[[Claim, Verification, State], Iterator[Statement]]:
    def say(claim: Claim, found: Verification, state: State) -> Iterator[Statement]:
        pieces = _side(found, stance)
        for piece in pieces[:_SHOWN]:
            assert piece.citation is not None
            yield quoted(piece.citation, state.documents)
        if not pieces:
            word = "against" if stance is Stance.REFUTES else "for"
            yield Statement(
                text=f"No passage that was read speaks {word} claim {state.number_of(claim.id)}.",
                refs=(ClaimRef(claim_id=claim.id),),
            )

    return say


def _missing(claim: Claim, found: Verification, state: State) -> Iterator[Statement]:
    ref = (ClaimRef(claim_id=claim.id),)
    support, against = _side(found, Stance.SUPPORTS), _side(found, Stance.REFUTES)
    if not support:
        yield Statement(text="No source that says the same as the claim.", refs=ref)
    if not against:
        yield Statement(text="No source that contradicts it.", refs=ref)
    origins = len({piece.origin for piece in (*support, *against)})
    if origins == 1:
        yield Statement(text="A second independent origin: all quotes go back to one.", refs=ref)
    for check in found.checks:
        if not check.agrees and not check.quote_value:
            yield Statement(text=f"A source that gives the {check.kind} “{check.claim_value}”.", refs=ref)
    undated = [key for key in {hit.passage.document_id for hit in found.hits} if not state.documents[key].published]
    if undated:
        yield Statement(text=f"The dates of {count(len(undated), 'source')} that were read.", refs=ref)
    yield from _change(claim, found, state)


def _change(claim: Claim, found: Verification, state: State) -> Iterator[Statement]:
    for line in what_would_change(found, state.documents):
        yield Statement(text=line, refs=(ClaimRef(claim_id=claim.id),))


def _plain(claim: Claim, found: Verification, state: State) -> Iterator[Statement]:
    verdict = found.verdict
    assert verdict is not None
    told = {
        Label.SUPPORTED: "Sources say the same as this claim.",
        Label.REFUTED: "Sources say something else, so this claim does not hold up against them.",
        Label.CONFLICTING: "Some sources agree with this claim and others contradict it.",
        Label.NOT_ENOUGH_EVIDENCE: "We looked, and what we found does not settle it either way.",
    }[verdict.label]
    chance = (
        ""
        if verdict.confidence is None
        else f" In ten such cases we would expect to be right about {verdict.confidence * 10:.0f} times."
    )
    yield Statement(text=f"{told}{chance}", refs=(ClaimRef(claim_id=claim.id),))
    for cited in verdict.rationale[:2]:
        yield quoted(cited, state.documents)


def _independent(claim: Claim, found: Verification, state: State) -> Iterator[Statement]:
    groups: dict[str, list[Evidence]] = {}
    for piece in found.evidence:
        if piece.citation:
            groups.setdefault(piece.origin, []).append(piece)
    for pieces in groups.values():
        names = sorted({name_of(state.documents.get(piece.document_id)) for piece in pieces})
        refs = tuple(QuoteRef(citation=piece.citation) for piece in pieces if piece.citation)
        yield Statement(text=f"{'One origin' if len(names) > 1 else 'On its own'}: {'; '.join(names)}.", refs=refs)
    if not groups:
        yield Statement(text="No quote bears on it, so there is no origin.", refs=(ClaimRef(claim_id=claim.id),))


def _searched(claim: Claim, found: Verification, _: State) -> Iterator[Statement]:
    for query in found.queries:
        text = f"Round {query.round}, {query.purpose}: {query.text}"
        yield Statement(text=text, refs=(ClaimRef(claim_id=claim.id),))
    documents = len({hit.passage.document_id for hit in found.hits})
    read = f"{count(len(found.hits), 'passage')} of {count(documents, 'document')} read."
    yield Statement(text=read, refs=(ClaimRef(claim_id=claim.id),))


def _compare(action: Tell, state: State) -> Iterator[Statement]:
    chosen = action.document_ids[:2]
    if len(chosen) < 2 and action.claim_id in state.outcomes:
        cited = quotes_held(state.outcomes[action.claim_id])
        chosen = tuple(dict.fromkeys((*chosen, *(one.document_id for one in cited))))[:2]
    if len(chosen) < 2:
        return
    for key in chosen:
        for claim in state.claims:
            found = state.outcomes.get(claim.id)
            for one in quotes_held(found) if found else ():
                if one.document_id == key:
                    verb = {"supports": "supports", "refutes": "contradicts", "neutral": "leaves open"}[one.stance]
                    name, number = name_of(state.documents.get(key)), state.number_of(claim.id)
                    quote = " ".join(one.quote.split())
                    refs = (QuoteRef(citation=one), ClaimRef(claim_id=claim.id))
                    yield Statement(text=f"{name} {verb} claim {number}: “{quote}”", refs=refs)


def _matters(_: Tell, state: State) -> Iterator[Statement]:
    def rank(claim: Claim) -> tuple[int, float, float]:
        found = state.outcomes[claim.id]
        place = _GRAVITY.index(state_of(found)) if state_of(found) in _GRAVITY else len(_GRAVITY)
        sure = (found.verdict.confidence or 0) if found.verdict else 0
        return place, -sure * worth(claim), claim.sentence_index or 0

    checked = sorted((claim for claim in state.claims if claim.id in state.outcomes), key=rank)
    for claim in checked[:5]:
        yield stands(claim, state)


def _summary(_: Tell, state: State) -> Iterator[Statement]:
    counts = Counter(state_of(state.outcomes.get(claim.id)) for claim in state.claims)
    for outcome in Outcome:
        claims = [claim for claim in state.claims if state_of(state.outcomes.get(claim.id)) is outcome]
        if claims:
            numbers = ", ".join(str(state.number_of(claim.id)) for claim in claims)
            refs: tuple[Ref, ...] = tuple(ClaimRef(claim_id=claim.id) for claim in claims)
            yield Statement(text=f"{counts[outcome]} {NAMES[outcome]}: {numbers}", refs=refs)
    left = [entry for entry in state.entries if entry.status is not SentenceStatus.CHECKED]
    if left:
        refs = tuple(SentenceRef(index=entry.sentence.index) for entry in left)
        yield Statement(text=f"{count(len(left), 'sentence')} not checked; the article shows why.", refs=refs)


def _sources(_: Tell, state: State) -> Iterator[Statement]:
    uses: dict[str, list[Citation]] = {}
    for found in state.outcomes.values():
        for one in found.verdict.rationale if found.verdict else ():
            uses.setdefault(one.document_id, []).append(one)
    for key, cited in sorted(uses.items(), key=lambda item: (-len(item[1]), item[0]))[:8]:
        text = f"{name_of(state.documents.get(key))}: {count(len(cited), 'quote')}"
        yield Statement(text=text, refs=(QuoteRef(citation=cited[0]),))


def _nothing(_: Tell, state: State) -> Iterator[Statement]:  # noqa: ARG001 (one form for all)
    yield from ()


_NOTES = {
    "help": _HELP,
    "export": "Use Export above: a report in one file, Markdown, JSON or CSV, all made from the stored run.",
}
_GENERAL: dict[str, Callable[[Tell, State], Iterator[Statement]]] = {
    "compare": _compare,
    "matters": _matters,
    "summary": _summary,
    "sources": _sources,
    "help": _nothing,
    "export": _nothing,
}
_OF_CLAIM: dict[str, Callable[[Claim, Verification, State], Iterator[Statement]]] = {
    "why": _why,
    "against": _one_side(Stance.REFUTES),
    "for": _one_side(Stance.SUPPORTS),
    "missing": _missing,
    "change": _change,
    "plain": _plain,
    "independent": _independent,
    "searched": _searched,
}
