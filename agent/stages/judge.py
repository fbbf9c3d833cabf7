"""Judging: what each passage says about a claim, and the words that show it.

`StanceJudge` is the role; here it is filled by a language model, one call for all passages of a claim. The model
says where it looked and what it thinks; code turns that into citations that are exact or drops it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field

from agent.domain import Citation, Claim, Document, Evidence, Hit, Passage, Span, Stance, StanceScores
from agent.llm.base import ChatModel, ChatRequest, Message, TokenLogprobs
from agent.llm.logprobs import choice_probabilities
from agent.llm.reply import ask, keyed_schema, parse_keyed
from agent.spans import passage_sentences
from agent.stages.cite import locate_quote
from agent.text import as_data, content_words, numbers
from prompts import load

QuoteBy = Literal["number", "words"]
_Stance = Literal["supports", "refutes", "neutral"]
_TOKENS_PER_PASSAGE = 80
_TITLE_CHARACTERS = 90


class Judgement(NamedTuple):
    """What a judge found: one piece of evidence a passage, and how many of its quotes do not exist."""

    evidence: tuple[Evidence, ...]
    dropped_citations: int


class StanceJudge(Protocol):
    """Says what each passage means for a claim."""

    @property
    def id(self) -> str:
        """Name of the model behind, for the run record."""
        ...

    async def judge(self, claim: Claim, hits: Sequence[Hit], documents: dict[str, Document]) -> Judgement:
        """Judge all hits of a claim.

        Raises:
            ModelError: no usable reply.
        """
        ...


class _ByNumber(BaseModel):
    """Reply for one passage: the number of a shown sentence, 0 for none."""

    model_config = ConfigDict(extra="forbid")
    sentence: int = Field(ge=0, le=20)
    stance: _Stance


class _ByWords(BaseModel):
    """Reply for one passage: copied words, empty for none."""

    model_config = ConfigDict(extra="forbid")
    quote: str
    stance: _Stance


@dataclass(frozen=True)
class Between:
    """What stands between outside text and a language model; only an evaluation takes something else."""

    shown: Callable[[str], str] = as_data
    """What the model sees of a text."""
    located: Callable[[str, Passage, Stance], Citation | None] = locate_quote
    """Where a quote it gave stands."""


BETWEEN = Between()


class LanguageModelJudge:
    """A language model as judge.

    Args:
        model: answers one request a claim.
        quote_by: `number` lets the model name the sentence (a small model copies badly), `words` lets it copy.
        shown_sentences: most sentences shown of one passage, those that share most with the claim.
        between: what outside text and quotes go through.
    """

    def __init__(
        self, model: ChatModel, *, quote_by: QuoteBy, shown_sentences: int, between: Between = BETWEEN
    ) -> None:
        self._between = between
        self._model = model
        self._quote_by: QuoteBy = quote_by
        self._shown_sentences = shown_sentences

    @property
    def id(self) -> str:
        """Id of the language model."""
        return self._model.id

    async def judge(self, claim: Claim, hits: Sequence[Hit], documents: dict[str, Document]) -> Judgement:
        """One call for all hits; a quote that is not in its passage is dropped and counted."""
        if not hits:
            return Judgement((), 0)
        shown = [choose_sentences(claim.text, hit.passage.text, limit=self._shown_sentences) for hit in hits]
        keys = [f"p{number}" for number in range(1, len(hits) + 1)]
        item: type[_ByWords | _ByNumber] = _ByWords if self._quote_by == "words" else _ByNumber
        show = self._between.shown
        texts = [[show(span.of(hit.passage.text)) for span in spans] for hit, spans in zip(hits, shown, strict=True)]
        heads = [show(_head(documents[hit.passage.document_id])) for hit in hits]
        request = self._request(claim, _render(heads, texts, numbered=item is _ByNumber), keys, item)
        items, reply = await ask(self._model, request, lambda text: parse_keyed(text, keys, item))
        scores = _scores(reply.logprobs, len(hits))
        found = [
            _evidence(claim, hit, self._cited(_quote(answer, hit, spans), hit, answer.stance), answer.stance, score)
            for hit, spans, answer, score in zip(hits, shown, items, scores, strict=True)
        ]
        return Judgement(tuple(evidence for evidence, _ in found), sum(dropped for _, dropped in found))

    def _cited(self, quote: str, hit: Hit, stance: _Stance) -> Citation | None:
        return self._between.located(quote, hit.passage, Stance(stance)) if quote.strip() else None

    def _request(self, claim: Claim, passages: str, keys: Sequence[str], item: type[BaseModel]) -> ChatRequest:
        turns = load(prompt_name(self._quote_by)).render(claim=as_data(claim.text), passages=passages)
        return ChatRequest(
            messages=tuple(Message(role=role, content=text) for role, text in turns),
            schema_name="stance",
            json_schema=keyed_schema(keys, item),
            max_tokens=_TOKENS_PER_PASSAGE * len(keys),
            wants_logprobs=True,
        )


def prompt_name(quote_by: QuoteBy) -> str:
    """Name of the prompt file for a way of pointing at evidence."""
    return "judge" if quote_by == "words" else "judge_by_number"


def choose_sentences(claim: str, passage: str, *, limit: int) -> tuple[Span, ...]:
    """The sentences of a passage that share most words with the claim (numbers twice), in their order."""
    spans = passage_sentences(passage)
    wanted, figures = set(content_words(claim)), numbers(claim)

    def shared(span: Span) -> int:
        text = span.of(passage)
        return len(wanted & set(content_words(text))) + len(figures & numbers(text))

    best = sorted(range(len(spans)), key=lambda i: (-shared(spans[i]), i))[:limit]
    return tuple(spans[i] for i in sorted(best))


def _head(document: Document) -> str:
    return ", ".join(part for part in (document.publisher, document.title, document.published) if part)


def _render(heads: Sequence[str], texts: Sequence[Sequence[str]], *, numbered: bool) -> str:
    lines: list[str] = []
    for number, (head, sentences) in enumerate(zip(heads, texts, strict=True), 1):
        lines.append(f"<p{number}> {head[:_TITLE_CHARACTERS]}")
        lines += [f"[{n}] {text}" if numbered else text for n, text in enumerate(sentences, 1)]
        lines.append(f"</p{number}>")
    return "\n".join(lines)


def _quote(answer: _ByNumber | _ByWords, hit: Hit, spans: Sequence[Span]) -> str:
    """The words the model pointed at; empty when it pointed at nothing that was shown."""
    if isinstance(answer, _ByWords):
        return answer.quote
    return spans[answer.sentence - 1].of(hit.passage.text) if 1 <= answer.sentence <= len(spans) else ""


def _evidence(
    claim: Claim, hit: Hit, citation: Citation | None, told: _Stance, scores: StanceScores | None
) -> tuple[Evidence, int]:
    """The evidence, and 1 when its quote had to be dropped: without one a stance cannot stand."""
    stance = Stance(told)
    dropped = int(citation is None and stance is not Stance.NEUTRAL)
    kept = Stance.NEUTRAL if dropped else stance
    evidence = Evidence(
        claim_id=claim.id,
        passage_id=hit.passage.id,
        document_id=hit.passage.document_id,
        span=hit.passage.span,
        origin=hit.origin,
        stance=kept,
        scores=None if dropped else scores,
        citation=None if kept is Stance.NEUTRAL else citation,
    )
    return evidence, dropped


def _scores(tokens: Sequence[TokenLogprobs], count: int) -> list[StanceScores | None]:
    """Stance probabilities of each passage; None for all when the server gave no or not all log-probabilities."""
    found = choice_probabilities(tokens, "stance", [stance.value for stance in Stance])
    if len(found) != count:
        return [None] * count
    return [StanceScores(**row) for row in found]
