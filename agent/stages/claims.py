"""The claims of a window: extracted, guarded, mended once where a guard stopped them, and what was said told apart.

A quotation holds two claims: that it was said, and what it says. The second is made from the first by code.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence

from agent.domain import Claim, ClaimKind, claim_id
from agent.errors import ModelError
from agent.llm.base import ChatModel
from agent.stages.extract import Extracted, Fits, Window, extract_window, reword
from agent.stages.guard import Guard, keep_entailed

_SAID = re.compile(
    r"^(?P<who>[^“”\"]{2,120}?) "
    r"(?:said|says|stated|states|claimed|claims|announced|insisted|warned|added|reported|wrote|confirmed|argued|declared"
    r"|explained|noted|told [^,“”\"]{2,60}?)"
    r"(?: (?:on|in) [^,“”\"]{3,30}?)? that (?P<what>[^“”\"]{12,})$"
)
_PERSONAL = re.compile(
    r"\b(?:i|we|you|my|our|your|me|us|mine|ours|yours|he|she|they|his|her|hers|their|theirs|him|them)\b", re.IGNORECASE
)
_DENIED = re.compile(r"\b(?:not|never|no|nobody|none|hardly|neither|nor|cannot|without)\b|n['’]t\b", re.IGNORECASE)
_POINTING = re.compile(r"^(?:it|this|that|these|those|there|such)\b", re.IGNORECASE)


async def claims_of(
    window: Window, model: ChatModel, guard: Guard | None, *, repair: bool = False, fits: Fits | None = None
) -> tuple[Extracted, ...]:
    """The ledger lines and claims of a window.

    Args:
        window: sentences that are sent in one call.
        model: that words the claims.
        guard: that says which of them follow from their sentences; None lets all pass.
        repair: whether the model may word those that were stopped once more, in one call for the window.
        fits: see `extract_window`.

    Raises:
        ConfigError: the model cannot be used at all.
    """
    found = await _kept(await extract_window(window, model, fits=fits), window, guard)
    stopped = [one for one in found if any(claim.replaced for claim in one.claims)]
    if repair and stopped:
        found = await _mended(found, stopped, window, model, guard)
    return tuple(with_contents(one) for one in found)


async def _kept(found: Sequence[Extracted], window: Window, guard: Guard | None) -> tuple[Extracted, ...]:
    return tuple(found) if guard is None else await asyncio.to_thread(keep_entailed, found, window, guard)


async def _mended(
    found: Sequence[Extracted], stopped: Sequence[Extracted], window: Window, model: ChatModel, guard: Guard | None
) -> tuple[Extracted, ...]:
    """With the second wording where it passes; as it was where it does not, or where there is none."""
    try:
        again = await _kept(await reword(stopped, window, model), window, guard)
    except ModelError:
        return tuple(found)
    new = {one.entry.sentence.index: one for one in again}
    return tuple(_merged(one, new.get(one.entry.sentence.index)) for one in found)


def _merged(old: Extracted, new: Extracted | None) -> Extracted:
    """What passed at first, what passed now, and the sentence itself only while a wording is still stopped."""
    if new is None:
        return old
    passed = [claim for claim in new.claims if not claim.is_sentence]
    stands = next(claim for claim in old.claims if claim.replaced)
    kept = [claim for claim in old.claims if not claim.is_sentence]
    fresh = [claim for claim in passed if claim.id not in {one.id for one in kept}]
    still = tuple(text for claim in new.claims for text in claim.replaced)
    if still or not fresh:
        all_stopped = tuple(dict.fromkeys((*stands.replaced, *still)))
        claims = (*kept, *fresh, stands.model_copy(update={"replaced": all_stopped}))
    else:
        claims = (*kept, fresh[0].model_copy(update={"replaced": stands.replaced}), *fresh[1:])
    return _with(old, claims)


def with_contents(one: Extracted) -> Extracted:
    """The same line; each claim that somebody said something is followed by what was said, if that stands alone."""
    return _with(one, tuple(_told(one.claims)))


def _told(claims: Sequence[Claim]) -> Iterator[Claim]:
    taken = {claim.id for claim in claims}
    for claim in claims:
        yield claim
        content = content_of(claim)
        if content and content.id not in taken:
            taken.add(content.id)
            yield content


def content_of(claim: Claim) -> Claim | None:
    """What a claim of the form "X said that ..." reports, as a claim of its own; None where it needs its speaker.

    A content that speaks of "we" or "his" would change its meaning without the one who says it.
    """
    found = _SAID.match(claim.text) if claim.kind is ClaimKind.QUOTE and not claim.is_sentence else None
    if found is None:
        return None
    what = found.group("what").strip()
    if _DENIED.search(found.group("who")):
        return None
    if _PERSONAL.search(what) or _POINTING.match(what):
        return None
    text = what[0].upper() + what[1:]
    update = {
        "id": claim_id(text, claim.sentence_index),
        "text": text,
        "kind": ClaimKind.OTHER,
        "speaker": found.group("who"),
        "content_of": claim.id,
        "replaced": (),
    }
    return claim.model_copy(update=update)


def _with(one: Extracted, claims: tuple[Claim, ...]) -> Extracted:
    entry = one.entry.model_copy(update={"claim_ids": tuple(claim.id for claim in claims)})
    return Extracted(entry, claims)
