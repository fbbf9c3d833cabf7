"""A result as one HTML file that needs nothing else: no script, no request, a policy that forbids both.

All outside text passes Jinja2's autoescape and `clean_text`; the template decides how it looks, this module
what is shown.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from agent.domain import (
    Check,
    Claim,
    Document,
    LedgerEntry,
    Result,
    SentenceStatus,
    Stance,
    Verdict,
    Verification,
)
from agent.report.contract import State, Summary, facts_of_result, pair_claims, state_of, summarise
from agent.report.markdown import (
    NAMES,
    SYMBOLS,
    Quote,
    check_line,
    clean_text,
    count,
    origins_line,
    percent,
    quotes_of,
    run_facts,
    stance_title,
    stances_in_order,
    summary_line,
    web_link,
)
from agent.report.notes import Notes
from agent.report.searched import Look, looks_of

if TYPE_CHECKING:
    from jinja2 import Environment

_CONTEXT = 200
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")


@dataclass(frozen=True)
class Context:
    """A quote with what stands around it in its passage."""

    before: str
    quote: str
    after: str


@dataclass(frozen=True)
class QuoteView:
    """A quote as it is shown."""

    context: Context
    document: Document | None
    document_id: str
    link: str | None
    place: str
    anchor: str
    repeats: str
    """Title of an earlier document of the same origin, such as the wire report this is a copy of."""
    is_cited: bool


@dataclass(frozen=True)
class QuoteGroup:
    """The quotes of one stance: first those that carry the verdict, the others folded away."""

    stance: Stance
    title: str
    shown: tuple[QuoteView, ...]
    folded: tuple[QuoteView, ...]


@dataclass(frozen=True)
class Card:
    """A claim with all that was found for it."""

    number: int
    claim: Claim
    state: State
    sentence: str
    verification: Verification | None
    verdict: Verdict | None
    origins: str
    reading: str
    groups: tuple[QuoteGroup, ...]
    undecided: tuple[SourceView, ...]
    """Documents that were read and do not bear on the claim."""
    looks: tuple[Look, ...]
    mismatches: tuple[Check, ...]
    matches: tuple[Check, ...]
    notes: tuple[str, ...]
    """Where else it stands, and how it was worded."""

    @property
    def anchor(self) -> str:
        """Its id on the page."""
        return f"claim-{self.number}"


@dataclass(frozen=True)
class SentenceView:
    """A sentence of the article with the cards of its claims, and the gravest of their states."""

    entry: LedgerEntry
    cards: tuple[Card, ...]
    state: State | None
    lead: Card | None
    """The card of the gravest state, where a click on the sentence leads."""


@dataclass(frozen=True)
class Paragraph:
    """Sentences that stand together."""

    sentences: tuple[SentenceView, ...]
    is_heading: bool


@dataclass(frozen=True)
class Bar:
    """One bar of the chart, which is also the legend and the filter."""

    state: State
    number: int
    share: float


@dataclass(frozen=True)
class SourceView:
    """A document with the numbers of the claims that cite it."""

    document: Document
    link: str | None
    cards: tuple[Card, ...]


def to_html(result: Result) -> str:
    """The whole report as one self-contained page; the same result gives the same bytes."""
    notes = Notes(result)
    cards = tuple(
        card_of(number, claim, verification, result=result, notes=notes)
        for number, (claim, verification) in enumerate(pair_claims(result), 1)
    )
    summary, style = summarise(result), _read("report.css")
    page = environment().from_string(_read("report.html.j2"))
    return page.render(
        article=result.article,
        article_link=web_link(result.article.url),
        bars=_bars(summary),
        cards=cards,
        facts=run_facts(result),
        told=facts_of_result(result),
        paragraphs=_paragraphs(result, cards),
        ledger=_sentences(result, cards),
        result=result,
        sources=_sources(result, cards),
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        summary=summary,
        summary_line=summary_line(result),
        urgent=tuple(card for card in cards if card.state in {State.REFUTED, State.CONFLICTING}),
    )


@lru_cache(maxsize=4)
def _read(name: str) -> str:
    return files("agent.report").joinpath("templates", name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Strict templates: a missing name is an error, and every value printed is cleaned and escaped."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    def clean(value: object) -> object:
        return clean_text(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=clean, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": percent, "plural": count, "check_line": check_line}
    environment.globals |= {"NAMES": NAMES, "SYMBOLS": SYMBOLS, "State": State, "Status": SentenceStatus}
    return environment


def card_of(number: int, claim: Claim, verification: Verification | None, *, result: Result, notes: Notes) -> Card:
    """All that is shown of one claim."""
    verdict = verification.verdict if verification else None
    checks = verification.checks if verification else ()
    return Card(
        number=number,
        claim=claim,
        state=state_of(verification),
        sentence=claim.origin.of(result.article.text) if claim.origin else "",
        verification=verification,
        verdict=verdict,
        origins=origins_line(verdict) if verdict else "",
        reading=_reading(verification) if verification else "",
        groups=tuple(_groups(verification, result.documents)) if verification else (),
        undecided=_undecided(verification, result.documents) if verification else (),
        looks=looks_of(verification, result.documents) if verification else (),
        mismatches=tuple(check for check in checks if not check.agrees),
        matches=tuple(check for check in checks if check.agrees),
        notes=notes.of(claim),
    )


def _reading(verification: Verification) -> str:
    """`5 passages of 4 documents read, 2 do not decide it`."""
    rows = verification.evidence
    documents = len({row.document_id for row in rows})
    neutral = sum(1 for row in rows if row.stance is Stance.NEUTRAL)
    line = f"{count(len(rows), 'passage')} of {count(documents, 'document')} read"
    return f"{line}, {neutral} without bearing on the claim" if neutral else line


def _undecided(verification: Verification, documents: dict[str, Document]) -> tuple[SourceView, ...]:
    """Documents of the neutral passages, those left out that a quote was taken from."""
    quoted = {row.document_id for row in verification.evidence if row.citation}
    ids = dict.fromkeys(row.document_id for row in verification.evidence if row.document_id not in quoted)
    return tuple(_source(documents[key], ()) for key in ids if key in documents)


def _groups(verification: Verification, documents: dict[str, Document]) -> Iterator[QuoteGroup]:
    """Quotes by stance. What carries the verdict is never folded away, nor is the first quote of a side."""
    quotes = quotes_of(verification, documents)
    for stance in stances_in_order(verification.verdict):
        side = [quote for quote in quotes if quote.citation.stance is stance]
        first = max(sum(1 for quote in side if quote.in_rationale), 1)
        views = tuple(_quote(quote, side[:place]) for place, quote in enumerate(side))
        if side:
            yield QuoteGroup(
                stance=stance,
                title=stance_title(stance, verification.verdict),
                shown=views[:first],
                folded=views[first:],
            )


def _quote(quote: Quote, earlier: list[Quote]) -> QuoteView:
    citation, document = quote.citation, quote.document
    return QuoteView(
        context=_context(quote),
        document=document,
        document_id=citation.document_id,
        link=web_link(document.url) if document else None,
        place=f"characters {citation.span.start:,}–{citation.span.end:,}",
        anchor=_anchor_name(document, citation.span.start),
        repeats=_repeats(quote, earlier),
        is_cited=quote.in_rationale,
    )


def _repeats(quote: Quote, earlier: list[Quote]) -> str:
    """Title of the first earlier document of the same origin; empty when this is the first."""
    origin = quote.evidence.origin if quote.evidence else None
    same = (
        other.document.title or other.document.id
        for other in earlier
        if other.document and other.evidence and other.evidence.origin == origin
        if other.document != quote.document
    )
    return next(same, "")


def _anchor_name(document: Document | None, start: int) -> str:
    """The last place the source names before `start`, such as `page 3`; empty when it names none."""
    anchors = document.anchors if document else ()
    before = [anchor for anchor in anchors if anchor.start <= start]
    return max(before, key=lambda anchor: anchor.start).name if before else ""


def _context(quote: Quote) -> Context:
    """The quote with up to 200 characters of its passage on each side, cut at a blank."""
    citation, document = quote.citation, quote.document
    if document is None or citation.span.of(document.text) != citation.quote:
        return Context(before="", quote=citation.quote, after="")
    span, passage = citation.span, quote.evidence.span if quote.evidence else citation.span
    before = document.text[min(passage.start, span.start) : span.start]
    after = document.text[span.end : max(passage.end, span.end)]
    return Context(before=_tail(before), quote=citation.quote, after=_head(after))


def _tail(text: str) -> str:
    cut = text[-_CONTEXT:]
    return text if len(text) <= _CONTEXT else "… " + (cut.split(maxsplit=1) or [""])[-1]


def _head(text: str) -> str:
    cut = text[:_CONTEXT]
    return text if len(text) <= _CONTEXT else (cut.rsplit(maxsplit=1) or [""])[0] + " …"


def _sentences(result: Result, cards: tuple[Card, ...]) -> tuple[SentenceView, ...]:
    by_sentence: dict[int, list[Card]] = {}
    for card in cards:
        if card.claim.sentence_index is not None:
            by_sentence.setdefault(card.claim.sentence_index, []).append(card)
    return tuple(_sentence(entry, tuple(by_sentence.get(entry.sentence.index, ()))) for entry in result.ledger.entries)


def _sentence(entry: LedgerEntry, cards: tuple[Card, ...]) -> SentenceView:
    gravity = list(State)
    lead = min(cards, key=lambda card: gravity.index(card.state), default=None)
    return SentenceView(entry=entry, cards=cards, state=lead.state if lead else None, lead=lead)


def _paragraphs(result: Result, cards: tuple[Card, ...]) -> tuple[Paragraph, ...]:
    """The article by blank lines, or by line breaks where it has no blank lines."""
    text = result.article.text
    is_break = _BLANK_LINE.search if _BLANK_LINE.search(text.strip()) else re.compile("\n").search
    groups: list[list[SentenceView]] = []
    end = 0
    for view in _sentences(result, cards):
        span = view.entry.sentence.span
        if not groups or is_break(text[end : span.start]):
            groups.append([])
        groups[-1].append(view)
        end = span.end
    return tuple(_paragraph(tuple(group)) for group in groups)


def _paragraph(sentences: tuple[SentenceView, ...]) -> Paragraph:
    last = sentences[-1].entry.sentence.text.rstrip("\"'”’») ")
    return Paragraph(sentences=sentences, is_heading=len(sentences) == 1 and last[-1:] not in ".!?…:;")


def _bars(summary: Summary) -> tuple[Bar, ...]:
    """The four labels always, the other states when there are any."""
    numbers = {State(label): number for label, number in summary.labels.items()}
    others = {
        State.ABSTAINED: summary.abstentions,
        State.FAILED: summary.failures,
        State.LEFT: summary.left,
    }
    numbers |= {state: number for state, number in others.items() if number}
    most = max(numbers.values()) or 1
    return tuple(Bar(state, number, round(100 * number / most, 1)) for state, number in numbers.items())


def _sources(result: Result, cards: tuple[Card, ...]) -> tuple[SourceView, ...]:
    """Every document a passage was read of, the most cited first."""
    citing: dict[str, list[Card]] = {key: [] for key in result.documents}
    for card in cards:
        rationale = card.verdict.rationale if card.verdict else ()
        for key in sorted({citation.document_id for citation in rationale} & citing.keys()):
            citing[key].append(card)
    uses = Counter({key: len(cited) for key, cited in citing.items()})
    order = sorted(citing, key=lambda key: (-uses[key], result.documents[key].title, key))
    return tuple(_source(result.documents[key], tuple(citing[key])) for key in order)


def _source(document: Document, cards: tuple[Card, ...]) -> SourceView:
    return SourceView(document=document, link=web_link(document.url), cards=cards)
