"""What the page is told, as plain values: a snapshot, what has changed since, a claim's card. Text only, no markup."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agent.chat.answers import name_of
from agent.chat.state import Change, ClaimRef, QuoteRef, State, Turn, as_result
from agent.chat.whatif import what_would_change
from agent.domain import Citation, Claim, Document, Verification
from agent.errors import InputError
from agent.report.contract import state_of
from agent.report.html import QuoteView, card_of
from agent.report.markdown import NAMES, SYMBOLS, check_line, clean_text, percent, web_link
from agent.report.notes import Notes

Patch = tuple[str, dict[str, Any]]


def snapshot(state: State) -> dict[str, Any]:
    """The whole conversation."""
    article = state.article
    return {
        "status": status_of(state),
        "article": None if article is None else {"title": clean_text(article.title), "parts": list(_parts(state))},
        "sentences": [_sentence(state, entry.sentence.index) for entry in state.entries],
        "claims": [_claim(state, claim) for claim in state.claims],
        "turns": [turn_of(state, number) for number in range(len(state.turns))],
        "controls": state.controls.model_dump(mode="json"),
    }


def patches(old: State, new: State) -> Iterator[Patch]:
    """What a page that shows the old state must be told to show the new one."""
    if old.article != new.article or old.sentences != new.sentences:
        yield "article", {"title": clean_text(new.article.title) if new.article else "", "parts": list(_parts(new))}
    known = {entry.sentence.index: entry for entry in old.entries}
    for entry in new.entries:
        if known.get(entry.sentence.index) is not entry:
            yield "sentence", _sentence(new, entry.sentence.index)
    yield from _claim_patches(old, new)
    for number, turn in enumerate(new.turns):
        if number >= len(old.turns) or old.turns[number] is not turn:
            yield "turn", turn_of(new, number)
    if old.controls != new.controls:
        yield "controls", new.controls.model_dump(mode="json")
    if status_of(old) != status_of(new):
        yield "status", status_of(new)


def _claim_patches(old: State, new: State) -> Iterator[Patch]:
    places = {claim.id: place for place, claim in enumerate(old.claims)}
    for place, claim in enumerate(new.claims):
        is_same = places.get(claim.id) == place and old.outcomes.get(claim.id) is new.outcomes.get(claim.id)
        is_same = is_same and old.corrections.get(claim.id) == new.corrections.get(claim.id)
        if not is_same or (claim.id in old.running) != (claim.id in new.running):
            yield "claim", _claim(new, claim)


def status_of(state: State) -> dict[str, Any]:
    """How far the check is."""
    usage = state.usage
    return {
        "phase": state.phase.value,
        "waiting": clean_text(state.waiting),
        "sentences": len(state.sentences),
        "read": len(state.entries),
        "claims": len(state.claims),
        "checked": sum(claim.id in state.outcomes and claim.id not in state.running for claim in state.claims),
        "model_calls": usage.model_calls,
        "tokens": usage.prompt_tokens + usage.completion_tokens,
        "seconds": usage.seconds,
        "cost": usage.cost,
    }


def _parts(state: State) -> Iterator[dict[str, Any]]:
    """The article's text in pieces, so that the page never counts characters."""
    text, at = state.article.text if state.article else "", 0
    for sentence in state.sentences:
        if sentence.span.start > at:
            yield {"text": clean_text(text[at : sentence.span.start])}
        yield {"text": clean_text(sentence.text), "sentence": sentence.index}
        at = sentence.span.end
    if text[at:].strip():
        yield {"text": clean_text(text[at:])}


def _sentence(state: State, index: int) -> dict[str, Any]:
    entry = next(entry for entry in state.entries if entry.sentence.index == index)
    return {"index": index, "status": entry.status.value, "reason": clean_text(entry.reason), "claims": entry.claim_ids}


def _claim(state: State, claim: Claim) -> dict[str, Any]:
    found = state.outcomes.get(claim.id)
    correction = state.corrections.get(claim.id)
    return {
        "id": claim.id,
        "number": state.number_of(claim.id),
        "text": clean_text(claim.text),
        "sentence": claim.sentence_index,
        "is_running": claim.id in state.running or (found is None and state.phase.value == "checking"),
        "correction": None
        if correction is None
        else {"label": correction.label.shown, "why": clean_text(correction.why)},
    } | _outcome(found)


def _outcome(found: Verification | None) -> dict[str, Any]:
    outcome = state_of(found)
    verdict = found.verdict if found else None
    return {
        "state": outcome.value,
        "name": NAMES[outcome] if found else "Not checked yet",
        "symbol": SYMBOLS[outcome],
        "confidence": percent(verdict.confidence) if verdict else "",
    }


def turn_of(state: State, number: int) -> dict[str, Any]:
    """One turn of the conversation."""
    turn: Turn = state.turns[number]
    return {
        "number": number,
        "who": turn.who,
        "note": clean_text(turn.note),
        "statements": [
            {"text": clean_text(one.text), "refs": [_ref(ref, state) for ref in one.refs]} for one in turn.statements
        ],
        "changes": [_changed(change, state) for change in turn.changes],
        "offers": turn.offers,
        "is_open": turn.is_open,
    }


def _ref(ref: Any, state: State) -> dict[str, Any]:
    match ref:
        case ClaimRef(claim_id=key):
            return {"type": "claim", "claim": key, "label": f"claim {state.number_of(key)}"}
        case QuoteRef(citation=cited):
            return _cited(cited, state)
    return {"type": "sentence", "sentence": ref.index, "label": f"sentence {ref.index + 1}"}


def _cited(cited: Citation, state: State) -> dict[str, Any]:
    name = clean_text(name_of(state.documents.get(cited.document_id)))
    place = {"document": cited.document_id, "start": cited.span.start, "end": cited.span.end}
    return {"type": "quote", "label": name, "quote": clean_text(cited.quote), "stance": cited.stance.value} | place


def _changed(change: Change, state: State) -> dict[str, Any]:
    number = state.number_of(change.claim_id) if state.claim(change.claim_id) else 0
    return {
        "claim": change.claim_id,
        "number": number,
        "before": _outcome(change.before),
        "after": _outcome(change.after),
        "came": [_cited(cited, state) for cited in change.came],
        "went": [_cited(cited, state) for cited in change.went],
    }


def claim_card(state: State, claim_id: str) -> dict[str, Any]:
    """All that is shown of one claim.

    Raises:
        InputError: there is no such claim.
    """
    claim, result = state.claim(claim_id), as_result(state)
    if claim is None or result is None:
        raise InputError(f"no claim {claim_id!r} in this conversation")
    found = state.outcomes.get(claim_id)
    card = card_of(state.number_of(claim_id), claim, found, result=result, notes=Notes(result))
    groups = [
        {
            "stance": group.stance.value,
            "title": group.title,
            "shown": [_quote(view) for view in group.shown],
            "folded": [_quote(view) for view in group.folded],
        }
        for group in card.groups
    ]
    return _claim(state, claim) | {
        "origin": clean_text(card.sentence),
        "speaker": clean_text(claim.speaker or ""),
        "kind": claim.kind.value,
        "notes": [clean_text(note) for note in card.notes],
        "justification": clean_text(card.verdict.justification) if card.verdict else "",
        "abstained": bool(card.verdict and card.verdict.abstained),
        "failure": clean_text(found.failure.message) if found and found.failure else "",
        "stage": found.failure.stage if found and found.failure else "",
        "groups": groups,
        "origins": card.origins,
        "reading": card.reading,
        "differs": [clean_text(check_line(check)) for check in card.mismatches],
        "agrees": [clean_text(check_line(check)) for check in card.matches],
        "queries": [clean_text(query.text) for query in found.queries] if found else [],
        "undecided": [clean_text(name_of(source.document)) for source in card.undecided],
        "would_change": [clean_text(line) for line in what_would_change(found, state.documents)] if found else [],
    }


def _quote(view: QuoteView) -> dict[str, Any]:
    document = view.document
    start, _, end = view.place.removeprefix("characters ").replace(",", "").partition("–")
    return {
        "before": clean_text(view.context.before),
        "quote": clean_text(view.context.quote),
        "after": clean_text(view.context.after),
        "document": view.document_id,
        "start": int(start),
        "end": int(end),
        "repeats": clean_text(view.repeats),
    } | (about(document) if document else {"title": view.document_id})


def about(document: Document) -> dict[str, Any]:
    """What is known of a source, without its text."""
    return {
        "id": document.id,
        "title": clean_text(document.title or document.id),
        "publisher": clean_text(document.publisher or ""),
        "published": document.published or "",
        "kind": document.kind.value,
        "url": web_link(document.url) or "",
    }


def source_page(document: Document, start: int, end: int) -> dict[str, Any]:
    """A source cut at a quote: the page highlights the middle without counting characters.

    Raises:
        InputError: there is no such place in the text.
    """
    if not 0 <= start <= end <= len(document.text):
        raise InputError(f"characters {start} to {end} are not in document {document.id!r}")
    text = document.text
    cut = {"before": text[:start], "quote": text[start:end], "after": text[end:]}
    return about(document) | {name: clean_text(part) for name, part in cut.items()}
