"""Extraction: which sentences can be checked, and the claims in them, each tied to its sentence.

The model answers by sentence number with a kind and claims; code decides the status, guards the claims and falls
back on the sentence itself. Selection, disambiguation and decomposition follow Claimify (Metropolitansky & Larson
2025); the ledger accounts for every sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from agent.domain import (
    Claim,
    ClaimKind,
    Data,
    LedgerEntry,
    Sentence,
    SentenceStatus,
    Span,
    claim_id,
)
from agent.errors import ModelError
from agent.llm.base import ChatModel, ChatRequest, Message
from agent.llm.reply import ask, keyed_schema, parse_keyed
from agent.text import STOP_WORDS, as_data, content_words, numbers, visible
from prompts import load

SKIPPED_BELOW = 0.35
"""Chance of holding something to check below which a sentence is not sent to the language model."""
SURE_FROM = 0.5
"""Chance from which the language model is not believed when it says that there is nothing to check."""
MOST_CLAIMS = 4
"""Claims the model may find in one sentence."""
_LONGEST_CLAIM = 600
_CONTEXT_SENTENCES = 2
_CONTEXT_CHARACTERS = 700
_TOKENS_PER_SENTENCE = 220
_SHARED_WORDS = 0.6
_MISPLACED = 1.5
_UNKNOWN: Mapping[int, float] = MappingProxyType({})

_Kind = Literal[
    "event", "quantity", "quote", "causal", "comparison", "law", "biography",
    "opinion", "intent", "prediction", "question", "instruction", "boilerplate", "ambiguous",
]  # fmt: skip
_REASONS = {
    "opinion": "an opinion or a judgement of value",
    "intent": "says what somebody wants, knows or means to do",
    "prediction": "about the future",
    "question": "a question",
    "instruction": "a request or an instruction",
    "boilerplate": "not part of the text proper",
    "ambiguous": "it cannot be told from the article what it is about",
}
_ATTRIBUTION = ("said", "says", "told", "wrote", "claimed", "stated", "announced", "suggested", "questioned", "called")


class _Extraction(BaseModel):
    """What the model says of one sentence."""

    model_config = ConfigDict(extra="forbid")
    kind: _Kind
    claims: list[str] = Field(max_length=MOST_CLAIMS)


class _Rewording(BaseModel):
    """Claims of one sentence, worded once more."""

    model_config = ConfigDict(extra="forbid")
    claims: list[str] = Field(max_length=MOST_CLAIMS)


class Window(Data):
    """Sentences that are sent in one call, with the article before them."""

    title: str
    """With place and date of the article, as far as it says them."""
    before: tuple[Sentence, ...]
    sentences: tuple[Sentence, ...]
    chances: dict[int, float] = Field(default_factory=dict)
    """Of holding something to check, by the index of the sentence, as far as known."""


Fits = Callable[[str, Sentence, Window], bool]
"""Whether a wording of the model is let pass as a claim of a sentence."""


class Extracted(NamedTuple):
    """One sentence's line of the ledger, and its claims."""

    entry: LedgerEntry
    claims: tuple[Claim, ...]


def plan_windows(
    sentences: Sequence[Sentence],
    title: str,
    *,
    size: int,
    first: int | None = None,
    chances: Mapping[int, float] = _UNKNOWN,
) -> tuple[Window, ...]:
    """Cut the article into windows for one call each.

    Args:
        sentences: of the article.
        title: of the article, with what else of it a claim may need.
        size: most sentences of a window.
        first: most of the first window, if fewer.
        chances: of holding something to check; sentences below `SKIPPED_BELOW` are in no window.
    """
    asked = [one for one in sentences if chances.get(one.index, 1.0) >= SKIPPED_BELOW]
    starts = [0, *range(min(first or size, size), len(asked), size)]
    cuts = [asked[at:end] for at, end in pairwise([*starts, len(asked)]) if at < end]
    return tuple(_window(cut, sentences, title, chances) for cut in cuts)


def _window(cut: Sequence[Sentence], sentences: Sequence[Sentence], title: str, chances: Mapping[int, float]) -> Window:
    """What stands before the last sentence of a window and is not in it was before, too: it may say who "he" is."""
    inside = {sentence.index for sentence in cut}
    return Window(
        title=title,
        before=tuple(one for one in sentences if one.index < cut[-1].index and one.index not in inside),
        sentences=tuple(cut),
        chances={index: chances[index] for index in inside if index in chances},
    )


async def extract_window(window: Window, model: ChatModel, *, fits: Fits | None = None) -> tuple[Extracted, ...]:
    """The ledger lines and claims of a window's sentences; when the model fails, all of them have failed.

    Args:
        window: what is sent in one call.
        model: that words the claims.
        fits: which wordings are let pass; None: those that bring nothing new and belong to their sentence.

    Raises:
        ConfigError: the model cannot be used at all.
    """
    keys = [f"s{number}" for number in range(1, len(window.sentences) + 1)]
    try:
        items, _ = await ask(model, _request(window, keys), lambda text: parse_keyed(text, keys, _Extraction))
    except ModelError as error:
        return tuple(failed(sentence, str(error)) for sentence in window.sentences)
    pairs = zip(window.sentences, items, strict=True)
    return tuple(_extracted(sentence, item, window, fits or _fits) for sentence, item in pairs)


def _request(window: Window, keys: Sequence[str]) -> ChatRequest:
    prompt = load("extract")
    turns = prompt.render(
        title=as_data(window.title) or "(none)",
        before=_context(window) or "(start)",
        sentences="\n".join(f"[{n}] {as_data(s.text)}" for n, s in enumerate(window.sentences, 1)),
    )
    return _chat(turns, "extraction", keyed_schema(keys, _Extraction), len(keys))


def _chat(turns: Sequence[tuple[str, str]], name: str, schema: dict[str, Any], sentences: int) -> ChatRequest:
    return ChatRequest(
        messages=tuple(Message(role=role, content=text) for role, text in turns),
        schema_name=name,
        json_schema=schema,
        max_tokens=_TOKENS_PER_SENTENCE * sentences,
    )


async def reword(stopped: Sequence[Extracted], window: Window, model: ChatModel) -> tuple[Extracted, ...]:
    """The same sentences with another wording of the claims that were stopped; the guards of words hold for it, too.

    Raises:
        ConfigError: the model cannot be used at all.
        ModelError: it failed.
    """
    keys = [f"s{number}" for number in range(1, len(stopped) + 1)]
    lines = (f"[{n}] {as_data(one.entry.sentence.text)}\nFailed: {_failed_of(one)}" for n, one in enumerate(stopped, 1))
    turns = load("repair").render(
        title=as_data(window.title) or "(none)", before=_context(window) or "(start)", sentences="\n".join(lines)
    )
    request = _chat(turns, "repair", keyed_schema(keys, _Rewording), len(keys))
    items, _ = await ask(model, request, lambda text: parse_keyed(text, keys, _Rewording))
    return tuple(_reworded(one, item, window) for one, item in zip(stopped, items, strict=True))


def _failed_of(one: Extracted) -> str:
    return " | ".join(as_data(text) for claim in one.claims for text in claim.replaced)


def _reworded(one: Extracted, item: _Rewording, window: Window) -> Extracted:
    kind = next(claim.kind for claim in one.claims if claim.replaced)
    texts = [text for text in (" ".join(claim.split()) for claim in item.claims) if text]
    return Extracted(one.entry, _claims(one.entry.sentence, texts, kind, window, _fits))


def _context(window: Window) -> str:
    """The last sentences before the window, as one line; the title says what it is all about."""
    chosen = window.before[-_CONTEXT_SENTENCES:]
    return " ".join(as_data(sentence.text)[:_CONTEXT_CHARACTERS] for sentence in chosen)


def failed(sentence: Sentence, reason: str) -> Extracted:
    """The ledger line of a sentence whose claims could not be found."""
    return unchecked(sentence, SentenceStatus.FAILED, reason)


def unchecked(sentence: Sentence, status: SentenceStatus, reason: str, *, chance: float | None = None) -> Extracted:
    """The ledger line of a sentence without claims."""
    return Extracted(LedgerEntry(sentence=sentence, status=status, reason=reason, chance=chance), ())


def _extracted(sentence: Sentence, item: _Extraction, window: Window, fits: Fits) -> Extracted:
    texts = [text for text in (" ".join(claim.split()) for claim in item.claims) if text]
    chance = window.chances.get(sentence.index)
    if not visible(sentence.text):
        return unchecked(sentence, SentenceStatus.NOT_CHECKABLE, "nothing in it can be read", chance=chance)
    if item.kind == "ambiguous":
        return unchecked(sentence, SentenceStatus.AMBIGUOUS, _readings(texts, sentence, window), chance=chance)
    if item.kind in _REASONS and not texts and (chance is None or chance < SURE_FROM):
        return unchecked(sentence, SentenceStatus.NOT_CHECKABLE, _REASONS[item.kind], chance=chance)
    kind = ClaimKind.OTHER if item.kind in _REASONS else ClaimKind(item.kind)
    claims = _claims(sentence, texts, kind, window, fits)
    ids = tuple(claim.id for claim in claims)
    entry = LedgerEntry(sentence=sentence, status=SentenceStatus.CHECKED, reason="", claim_ids=ids, chance=chance)
    return Extracted(entry, claims)


def _readings(texts: Sequence[str], sentence: Sentence, window: Window) -> str:
    """Why a sentence is ambiguous: what it may mean, where the model says so in the article's own words."""
    reason = _REASONS["ambiguous"]
    told = [claim.text for claim in _claims(sentence, texts, ClaimKind.OTHER, window, _fits) if not claim.is_sentence]
    return f"{reason}: “{'” or “'.join(told)}”" if len(told) > 1 else reason


def _claims(sentence: Sentence, texts: Sequence[str], kind: ClaimKind, window: Window, fits: Fits) -> tuple[Claim, ...]:
    """One claim for each text that passes the guards; the sentence itself, once, for all that do not or for none."""
    own = visible(sentence.text)
    kept: dict[frozenset[str], str] = {}
    stopped: list[str] = []
    for text in texts:
        if fits(text, sentence, window):
            kept.setdefault(frozenset(content_words(text)), text)
        else:
            stopped.append(text)
    if stopped or not kept:
        kept[frozenset(content_words(own))] = own
    return tuple(_claim(text, sentence, kind, stopped if text == own else ()) for text in kept.values())


def _fits(text: str, sentence: Sentence, window: Window) -> bool:
    """The guards of words: nothing that the article does not have, and nothing of another sentence."""
    others = [other.text for other in (*window.before, *window.sentences) if other is not sentence]
    return _is_grounded(text, (window.title, sentence.text, *others)) and _belongs(text, sentence.text, others)


def _claim(text: str, sentence: Sentence, kind: ClaimKind, stopped: Sequence[str]) -> Claim:
    return Claim(
        id=claim_id(text, sentence.index),
        text=text,
        sentence_index=sentence.index,
        origin=sentence.span,
        kind=kind,
        speaker=_speaker(text) if kind is ClaimKind.QUOTE else None,
        is_sentence=text == visible(sentence.text),
        replaced=tuple(dict.fromkeys(stopped)),
    )


def _is_grounded(text: str, known: Sequence[str]) -> bool:
    """Whether a claim is whole, and brings no number and hardly a word that none of the known texts has."""
    if len(text) > _LONGEST_CLAIM or _is_broken_off(text):
        return False
    if any(all(number not in _numbers(one) for one in known) for number in numbers(text)):
        return False
    words, given = content_words(text), frozenset[str]().union(*(_words(one) for one in known))
    return bool(words) and sum(word in given for word in words) >= _SHARED_WORDS * len(words)


def _belongs(text: str, own: str, others: Sequence[str]) -> bool:
    """Whether a claim is about its own sentence: none of the others holds clearly more of its words."""
    words = _words(text)
    here = len(words & _words(own))
    return here > 0 and all(len(words & _words(other)) <= here * _MISPLACED for other in others)


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    """The content words of a sentence; a long article asks for those of each of its sentences again and again."""
    return frozenset(content_words(visible(text)))


@lru_cache(maxsize=4096)
def _numbers(text: str) -> frozenset[str]:
    return numbers(visible(text))


def _is_broken_off(text: str) -> bool:
    """Whether a text ends in the middle: with a comma, a colon, or a word that needs another."""
    last = text.rsplit(maxsplit=1)[-1].casefold()
    return last.endswith((",", ";", ":", "-")) or last in STOP_WORDS or last in _ATTRIBUTION


def _speaker(text: str) -> str | None:
    """Who a claim says said it: the words before the first verb of saying."""
    words = text.split()
    at = next((i for i, word in enumerate(words) if word.strip(",") in _ATTRIBUTION), 0)
    return " ".join(words[:at]).strip(",") or None if at <= 10 else None


def leave_out(sentences: Sequence[Sentence]) -> tuple[Extracted, ...]:
    """Ledger lines of sentences past the limit of the run: they failed, and say why."""
    return tuple(failed(sentence, "left out: past the limit of sentences (max_sentences)") for sentence in sentences)


def as_one_claim(text: str) -> Extracted:
    """The ledger line and the claim of a text that is itself a claim, as the user gave it."""
    start = len(text) - len(text.lstrip())
    sentence = Sentence(index=0, span=Span(start=start, end=len(text.rstrip())), text=text.strip())
    own = visible(text)
    claim = Claim(id=claim_id(own, 0), text=own, sentence_index=0, origin=sentence.span, is_sentence=True)
    entry = LedgerEntry(sentence=sentence, status=SentenceStatus.CHECKED, reason="", claim_ids=(claim.id,))
    return Extracted(entry, (claim,))
