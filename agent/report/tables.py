"""A result as tables for other tools: CSV, one row a claim, and ClaimReview JSON-LD (schema.org)."""

from __future__ import annotations

import csv
import io
from typing import Any

from agent.domain import Claim, Document, Label, Result, Verdict, Verification
from agent.report.contract import pair_claims, state_of
from agent.report.markdown import Quote, quotes_of, web_link
from agent.report.notes import Notes
from agent.stages.worth import worth

_FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Full-width signs, too: spreadsheets of East Asia read them as the narrow ones."""
_RATINGS = {Label.REFUTED: 1, Label.CONFLICTING: 3, Label.SUPPORTED: 5}

COLUMNS = (
    "number",
    "id",
    "claim",
    "sentence_index",
    "start",
    "end",
    "sentence",
    "kind",
    "speaker",
    "content_of",
    "same_as",
    "worth",
    "state",
    "label",
    "confidence",
    "abstained",
    "justification",
    "citations",
    "origins",
    "passages_read",
    "checks_differing",
    "dropped_citations",
    "first_quote",
    "first_quote_publisher",
    "first_quote_published",
    "first_quote_url",
    "failure_stage",
    "failure_kind",
    "failure_message",
)


def to_csv(result: Result) -> str:
    """One row a claim, with a header; no cell can be read as a formula by a spreadsheet."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(COLUMNS)
    for row in claim_rows(result):
        writer.writerow([safe_cell(row[column]) for column in COLUMNS])
    return table.getvalue()


def claim_rows(result: Result) -> list[dict[str, Any]]:
    """One row a claim, with a value or None for each of `COLUMNS`."""
    notes = Notes(result)
    rows = (_row(*pair, result=result, notes=notes) | {"number": n} for n, pair in enumerate(pair_claims(result), 1))
    return [{column: row.get(column) for column in COLUMNS} for row in rows]


def safe_cell(value: object) -> object:
    """The value, with an apostrophe before text that a spreadsheet would run."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_START) else value


def _row(claim: Claim, verification: Verification | None, *, result: Result, notes: Notes) -> dict[str, Any]:
    first = notes.first_of(claim)
    row: dict[str, Any] = {
        "id": claim.id,
        "claim": claim.text,
        "sentence_index": claim.sentence_index,
        "kind": claim.kind.value,
        "speaker": claim.speaker,
        "content_of": claim.content_of,
        "same_as": first.id if first else None,
        "worth": worth(claim),
        "state": state_of(verification).value,
    }
    if claim.origin is not None:
        row |= {"start": claim.origin.start, "end": claim.origin.end}
        row |= {"sentence": claim.origin.of(result.article.text)}
    if verification is not None:
        row |= _work(verification, result.documents) | _outcome(verification)
    return row


def _work(verification: Verification, documents: dict[str, Document]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "passages_read": len(verification.evidence),
        "checks_differing": sum(1 for check in verification.checks if not check.agrees),
        "dropped_citations": verification.dropped_citations,
    }
    quotes = quotes_of(verification, documents)
    return row | _first_quote(quotes[0]) if quotes else row


def _first_quote(quote: Quote) -> dict[str, Any]:
    document = quote.document
    return {
        "first_quote": quote.citation.quote,
        "first_quote_publisher": document.publisher if document else None,
        "first_quote_published": document.published if document else None,
        "first_quote_url": web_link(document.url) if document else None,
    }


def _outcome(verification: Verification) -> dict[str, Any]:
    if (failure := verification.failure) is not None:
        return {
            "failure_stage": failure.stage,
            "failure_kind": failure.kind.value,
            "failure_message": failure.message,
        }
    verdict = verification.verdict
    assert verdict is not None
    return {
        "label": verdict.label.value,
        "confidence": verdict.confidence,
        "abstained": "true" if verdict.abstained else "false",
        "justification": verdict.justification,
        "citations": len(verdict.rationale),
        "origins": verdict.origins,
    }


def to_claimreview(result: Result) -> list[dict[str, Any]]:
    """ClaimReview objects (https://schema.org/ClaimReview) of the claims that have a verdict.

    Ratings run from 1 (refuted) over 3 (conflicting) to 5 (supported). Not enough evidence and abstentions
    are no place on that scale: they have a name and no value.
    """
    return [
        _review(claim, verification, verdict, result=result)
        for claim, verification in pair_claims(result)
        if verification is not None and (verdict := verification.verdict) is not None
    ]


def _review(claim: Claim, verification: Verification, verdict: Verdict, *, result: Result) -> dict[str, Any]:
    cited = {
        quote.citation.document_id: quote
        for quote in reversed(quotes_of(verification, result.documents))
        if quote.in_rationale
    }
    return {
        "@context": "https://schema.org",
        "@type": "ClaimReview",
        "identifier": claim.id,
        "datePublished": result.run.started[:10],
        "author": {"@type": "Organization", "name": "factdesk (automated)"},
        "claimReviewed": claim.text,
        "reviewBody": verdict.justification,
        "reviewRating": _rating(verdict),
        "itemReviewed": _item(claim, result.article),
        "citation": [_source(quote) for _, quote in sorted(cited.items())],
    }


def _rating(verdict: Verdict) -> dict[str, Any]:
    name = "Abstained" if verdict.abstained else verdict.label.shown
    rating: dict[str, Any] = {"@type": "Rating", "alternateName": name}
    if not verdict.abstained and verdict.label in _RATINGS:
        rating |= {"ratingValue": _RATINGS[verdict.label], "worstRating": 1, "bestRating": 5}
    return rating


def _item(claim: Claim, article: Document) -> dict[str, Any]:
    appearance = {"@type": "CreativeWork", "name": article.title, "url": web_link(article.url)}
    item: dict[str, Any] = {"@type": "Claim", "appearance": _known(appearance)}
    if claim.speaker:
        item["author"] = {"@type": "Thing", "name": claim.speaker}
    return item


def _source(quote: Quote) -> dict[str, Any]:
    document = quote.document
    row: dict[str, Any] = {"@type": "CreativeWork", "text": quote.citation.quote}
    if document is not None:
        row |= {"name": document.title, "url": web_link(document.url), "datePublished": document.published}
        if document.publisher:
            row["publisher"] = {"@type": "Organization", "name": document.publisher}
    return _known(row)


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """The row without what is unknown."""
    return {name: value for name, value in row.items() if value}
