"""The logic of a conversation: (state, message) to (state, what is wanted of the outside). Pure; no framework.

A verdict enters only with `ClaimDone`, which comes from the pipeline. Nothing that is said can change one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from agent.chat import actions as act
from agent.chat.answers import NOTHING, WHICH_CLAIM, stands, tell
from agent.chat.find import find_in_run
from agent.chat.state import (
    Change,
    Controls,
    Correction,
    Phase,
    State,
    Statement,
    Turn,
    is_held,
    quotes_held,
    without_repeats,
)
from agent.domain import Claim, Data, Document, LedgerEntry, Run, Usage, Verification
from agent.events import ClaimDone, ClaimStarted, Event, RunStarted, SentenceDone, Waiting

LONGEST_MESSAGE = 20_000
_LAST = 1_000_000
"""Where claims without a sentence stand among the others."""
_HELD = "The run holds this:"
_BUSY = "A check is running. Stop it, or wait until it is done, then say it again."


class Said(Data):
    """The user said something, perhaps with a claim's card open."""

    text: str
    claim_id: str | None = None


class Begun(Data):
    """A check of an article begins."""

    article: Document
    run: Run | None = None
    """Once it is known what it will be run with."""


class Checking(Data):
    """A check of these claims begins, again or for the first time."""

    claims: tuple[Claim, ...]


class Found(Data):
    """The documents that hits of a verdict to come point into."""

    documents: dict[str, Document]


class Ended(Data):
    """A check is over, as a whole."""

    run: Run
    usage: Usage


class Broke(Data):
    """A check could not go on."""

    reason: str


class Paid(Data):
    """What a model's words in the conversation cost."""

    usage: Usage


class Stopped(Data):
    """The user stopped the check."""


class Set(Data):
    """Controls were changed."""

    controls: Controls


class Told(Data):
    """Something outside was done: a fixed word of code about it."""

    note: str
    offers: tuple[str, ...] = ()


class Corrected(Data):
    """A correction was kept."""

    claim_id: str
    correction: Correction


class Quoted(Data):
    """The store's sentences for an open turn; those that are not in a document of the run are left out."""

    turn: int
    statements: tuple[Statement, ...]


class Wrote(Data):
    """A model wrote a statement for an open turn; it is kept only when it rests on the run."""

    turn: int
    statement: Statement


class Written(Data):
    """The model is done with an open turn."""

    turn: int


class Chosen(Data):
    """The model chose an action for an open turn; None: it knows none."""

    turn: int
    action: act.Tell | None


Message = (
    Said
    | Begun
    | Checking
    | Found
    | Ended
    | Broke
    | Paid
    | Stopped
    | Set
    | Told
    | Corrected
    | Quoted
    | Wrote
    | Written
    | Chosen
    | Event
)


class Recheck(Data):
    """Wanted: a new run of these claims."""

    claims: tuple[Claim, ...]


class TakeIn(Data):
    """Wanted: a text into the sources."""

    text: str


class Keep(Data):
    """Wanted: a correction as an evaluation case."""

    claim_id: str
    correction: Correction


class Prose(Data):
    """Wanted: quotes of the store, a model's words on quotes, or its choice of an action when there are none."""

    turn: int
    question: str


Want = Recheck | TakeIn | Keep | Prose | None


class Step(NamedTuple):
    """What a message made of the state, and what is wanted of the outside."""

    state: State
    want: Want = None


def step(state: State, message: Message) -> Step:
    """Take one message."""
    if isinstance(message, Said):
        return _said(state, message)
    if isinstance(message, Chosen):
        return Step(_chosen(state, message))
    return Step(_happened(state, message))


def _happened(state: State, message: Message) -> State:  # noqa: C901, PLR0911, PLR0912 (one line a message)
    match message:
        case Begun():
            run = state.run or message.run
            return state.model_copy(update={"phase": Phase.CHECKING, "article": message.article, "run": run})
        case Checking():
            return _checking(state, message.claims)
        case Found():
            return state.model_copy(update={"documents": state.documents | message.documents})
        case RunStarted():
            return state.model_copy(update={"sentences": message.sentences})
        case SentenceDone():
            return _sentence(state, message.entry, message.claims)
        case ClaimStarted():
            return _update_running(_with_claims(state, (message.claim,)), message.claim.id)
        case ClaimDone():
            return _outcome(state, message.verification)
        case Waiting():
            return state.model_copy(update={"waiting": message.what})
        case Ended() | Broke() | Stopped():
            return _over(state, message)
        case Paid():
            return state.model_copy(update={"usage": state.usage + message.usage})
        case Set():
            return state.model_copy(update={"controls": message.controls})
        case Told():
            return _say(state, Turn(who="desk", note=message.note, offers=message.offers))
        case Corrected():
            return _corrected(state, message)
        case Quoted():
            return _quoted(state, message)
        case Wrote():
            return _wrote(state, message)
        case Written():
            return _close(state, message.turn)
    return state


def _checking(state: State, claims: Sequence[Claim]) -> State:
    fresh = _with_claims(state, claims)
    ids = tuple(claim.id for claim in claims)
    before = {key: fresh.outcomes[key] for key in ids if key in fresh.outcomes}
    return fresh.model_copy(update={"phase": Phase.CHECKING, "running": ids, "before": before})


def _with_claims(state: State, claims: Sequence[Claim]) -> State:
    """The state with these claims among its own, in the order of the article; the user's own come last."""
    known = {claim.id for claim in state.claims}
    new = [claim for claim in claims if claim.id not in known]
    if not new:
        return state
    order = sorted((*state.claims, *new), key=lambda one: _LAST if one.sentence_index is None else one.sentence_index)
    return state.model_copy(update={"claims": tuple(order)})


def _sentence(state: State, entry: LedgerEntry, claims: Sequence[Claim]) -> State:
    others = [one for one in state.entries if one.sentence.index != entry.sentence.index]
    entries = sorted((*others, entry), key=lambda one: one.sentence.index)
    fresh = state.model_copy(update={"entries": tuple(entries), "waiting": ""})
    return _with_claims(fresh, claims)


def _update_running(state: State, claim_id: str) -> State:
    return state.model_copy(update={"running": tuple(dict.fromkeys((*state.running, claim_id)))})


def _outcome(state: State, found: Verification) -> State:
    """A verdict of the pipeline; the only way one comes in."""
    key = found.claim.id
    fresh = _with_claims(state, (found.claim,))
    running = tuple(one for one in fresh.running if one != key)
    fresh = fresh.model_copy(
        update={"outcomes": fresh.outcomes | {key: found}, "running": running, "waiting": "", "subject": fresh.subject}
    )
    if key not in state.before:
        is_of_article = found.claim.sentence_index is not None
        return fresh if is_of_article else _say(fresh, tell(act.Tell(what="why", claim_id=key), fresh))
    before = dict(state.before)
    old = before.pop(key)
    fresh = fresh.model_copy(update={"before": before})
    return _say(fresh, Turn(who="desk", changes=(_change(old, found),), claim_id=key))


def _change(old: Verification, new: Verification) -> Change:
    was, now = quotes_held(old), quotes_held(new)
    return Change(
        claim_id=new.claim.id,
        before=old,
        after=new,
        came=tuple(one for one in now if one not in was),
        went=tuple(one for one in was if one not in now),
    )


def _over(state: State, message: Ended | Broke | Stopped) -> State:
    rest = {"running": (), "before": {}, "waiting": ""}
    if isinstance(message, Ended):
        run = state.run or message.run
        usage = state.usage + message.usage
        return state.model_copy(update=rest | {"phase": Phase.DONE, "run": run, "usage": usage})
    phase = Phase.FAILED if isinstance(message, Broke) else Phase.STOPPED
    fresh = state.model_copy(update=rest | {"phase": phase})
    note = message.reason if isinstance(message, Broke) else "Stopped. What was finished is kept."
    return _say(fresh, Turn(who="desk", note=note))


def _corrected(state: State, message: Corrected) -> State:
    fresh = state.model_copy(update={"corrections": state.corrections | {message.claim_id: message.correction}})
    label = message.correction.label.shown
    note = f"Kept as an evaluation case: you say {label}. The verdict of the run stands beside it."
    return _say(fresh, Turn(who="desk", note=note, claim_id=message.claim_id))


def _say(state: State, turn: Turn) -> State:
    subject = turn.claim_id or state.subject
    return state.model_copy(update={"turns": (*state.turns, turn), "subject": subject})


def _replace(state: State, number: int, turn: Turn) -> State:
    turns = (*state.turns[:number], turn, *state.turns[number + 1 :])
    return state.model_copy(update={"turns": turns})


def _open_turn(state: State, number: int) -> Turn | None:
    if not 0 <= number < len(state.turns) or not state.turns[number].is_open:
        return None
    return state.turns[number]


def _quoted(state: State, message: Quoted) -> State:
    turn = _open_turn(state, message.turn)
    if turn is None:
        return state
    held = [one for one in message.statements if is_held(one, state)]
    new = without_repeats(held, turn.statements)
    fresh = turn.model_copy(update={"statements": (*turn.statements, *new), "note": _HELD if new else turn.note})
    return _replace(state, message.turn, fresh)


def _wrote(state: State, message: Wrote) -> State:
    turn = _open_turn(state, message.turn)
    if turn is None or not is_held(message.statement, state):
        return state
    return _replace(state, message.turn, turn.model_copy(update={"statements": (*turn.statements, message.statement)}))


def _close(state: State, number: int) -> State:
    turn = _open_turn(state, number)
    if turn is None:
        return state
    note = turn.note if turn.statements or turn.changes else NOTHING
    return _replace(state, number, turn.model_copy(update={"is_open": False, "note": note}))


def _chosen(state: State, message: Chosen) -> State:
    turn = _open_turn(state, message.turn)
    if turn is None:
        return state
    if message.action is None:
        return _close(state, message.turn)
    told = tell(message.action, state)
    if told.note == WHICH_CLAIM:  # the question named none, and neither did the model
        return _close(state, message.turn)
    fresh = _replace(state, message.turn, told)
    return fresh.model_copy(update={"subject": told.claim_id or state.subject})


def _said(state: State, message: Said) -> Step:
    text = message.text.strip()[:LONGEST_MESSAGE]
    if not text:
        return Step(state)
    if state.claim(message.claim_id) is not None:
        state = state.model_copy(update={"subject": message.claim_id})
    action = act.choose(text, state)
    heard = _say(state, Turn(who="you", note=text, claim_id=None))
    return _answer(heard, action)


def _answer(state: State, action: act.Action) -> Step:
    match action:
        case act.Tell():
            return Step(_say(state, tell(action, state)))
        case act.Pressed():
            return Step(_say(state, _unmoved(action, state)))
        case act.Ask():
            return _ask(state, action.question)
        case act.Correct():
            return _correct(state, action)
    return _do(state, action)


def _do(state: State, action: act.Action) -> Step:
    """What changes sources, settings or verdicts: not while a check is running."""
    if state.phase is Phase.CHECKING:
        return Step(_say(state, Turn(who="desk", note=_BUSY)))
    match action:
        case act.CheckNew(text=text):
            claim = _own_claim(text)
            return Step(
                _say(state, Turn(who="desk", note="Checking your statement.", claim_id=None)), Recheck(claims=(claim,))
            )
        case act.CheckAgain(claim_ids=ids):
            return _check_again(state, ids)
        case act.LeaveOut(document_ids=ids):
            hidden = tuple(dict.fromkeys((*state.controls.hidden, *ids[:1])))
            controls = state.controls.model_copy(update={"hidden": hidden})
            return _limited(state, controls, _claims_with(state, ids[0]))
        case act.Until(day=day):
            return _limited(state, state.controls.model_copy(update={"as_of": day}), state.claims)
        case act.AddText(text=text):
            if len(text) >= 20:
                return Step(state, TakeIn(text=text))
            how = "Paste the text after “add source:”, or use Sources above for files, dates and publishers."
            return Step(_say(state, Turn(who="desk", note=how)))
    return Step(state)


def _check_again(state: State, ids: Sequence[str]) -> Step:
    claims = tuple(claim for claim in state.claims if claim.id in ids) if ids else state.claims
    if not claims:
        return Step(_say(state, Turn(who="desk", note=WHICH_CLAIM)))
    names = ", ".join(str(state.number_of(claim.id)) for claim in claims[:6])
    note = f"Checking {'all claims' if len(claims) == len(state.claims) else f'claim {names}'} again."
    return Step(_say(state, Turn(who="desk", note=note)), Recheck(claims=claims))


def _limited(state: State, controls: Controls, claims: Sequence[Claim]) -> Step:
    """New settings, and a new run of the claims they bear on."""
    fresh = state.model_copy(update={"controls": controls})
    if not claims:
        return Step(_say(fresh, Turn(who="desk", note="Noted. No claim of the run rests on it.")))
    which = "1 claim" if len(claims) == 1 else f"{len(claims)} claims"
    return Step(_say(fresh, Turn(who="desk", note=f"Noted. Checking {which} again.")), Recheck(claims=tuple(claims)))


def _claims_with(state: State, document_id: str) -> tuple[Claim, ...]:
    return tuple(
        claim
        for claim in state.claims
        if claim.id in state.outcomes
        and any(hit.passage.document_id == document_id for hit in state.outcomes[claim.id].hits)
    )


def _own_claim(text: str) -> Claim:
    from agent.domain import claim_id

    own = " ".join(text.split())[:600]
    return Claim(id=claim_id(own, None), text=own)


def _ask(state: State, question: str) -> Step:
    """A free question: what the run holds, at once; then what the store holds, and a model's words on it."""
    found = find_in_run(question, state)
    note = _HELD if found else ""
    turn = Turn(who="desk", note=note, statements=found, is_open=True)
    fresh = _say(state, turn)
    return Step(fresh, Prose(turn=len(fresh.turns) - 1, question=question))


def _unmoved(action: act.Pressed, state: State) -> Turn:
    claim = state.claim(action.claim_id)
    note = "Verdicts are drawn from the stored run. New evidence or other settings can change one; words here cannot."
    said = (stands(claim, state),) if claim else ()
    number = state.number_of(claim.id) if claim else 1
    offers = ("Add source: …", f"Correct claim {number} to … because …", f"What would change claim {number}?")
    return Turn(who="desk", note=note, statements=said, claim_id=action.claim_id if claim else None, offers=offers)


def _correct(state: State, action: act.Correct) -> Step:
    claim = state.claim(action.claim_id)
    if claim is None or claim.id not in state.outcomes or state.outcomes[claim.id].verdict is None:
        return Step(_say(state, Turn(who="desk", note=WHICH_CLAIM)))
    if action.label is None or not action.why:
        how = (
            f"A correction wants a label and a reason: “Correct claim {state.number_of(claim.id)} to refuted because …”"
        )
        return Step(_say(state, Turn(who="desk", note=how, claim_id=claim.id)))
    return Step(state, Keep(claim_id=claim.id, correction=Correction(label=action.label, why=action.why)))
