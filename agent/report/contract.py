"""The JSON form of a run, what a run comes to in numbers, and a check that needs nothing but the JSON.

The form is fixed (docs: the contract of the command line); other tools read it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

from agent.domain import (
    Citation,
    Claim,
    Data,
    Document,
    Evidence,
    Failure,
    Hit,
    Label,
    LedgerEntry,
    Result,
    Run,
    SentenceStatus,
    Verdict,
    Verification,
    text_sha256,
)
from agent.stages.facts import Facts, facts_of
from agent.stages.worth import worth

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class State(StrEnum):
    """What has become of a claim: one of the four labels, or why it has none."""

    REFUTED = "refuted"
    CONFLICTING = "conflicting"
    FAILED = "failed"
    NOT_ENOUGH_EVIDENCE = "not_enough_evidence"
    ABSTAINED = "abstained"
    LEFT = "left"
    SUPPORTED = "supported"


class Summary(Data):
    """A run in numbers: labels, abstentions, failures and claims left add up to `claims`."""

    claims: int
    labels: dict[Label, int]
    """Verdicts that stand; abstentions are counted apart."""
    abstentions: int
    failures: int
    left: int
    """Claims an interrupted run did not come to."""
    dropped_citations: int
    sentences: dict[SentenceStatus, int]


def state_of(verification: Verification | None) -> State:
    """What has become of a claim with this verification, None being none yet."""
    if verification is None:
        return State.LEFT
    if verification.verdict is None:
        return State.FAILED
    return State.ABSTAINED if verification.verdict.abstained else State(verification.verdict.label)


def pair_claims(result: Result) -> tuple[tuple[Claim, Verification | None], ...]:
    """Every claim with its verification, in the order of the ledger; None where the run did not get to it."""
    done = {verification.claim.id: verification for verification in result.verifications}
    claims = {claim.id: claim for claim in result.ledger.claims}
    claims |= {key: verification.claim for key, verification in done.items() if key not in claims}
    return tuple((claim, done.get(key)) for key, claim in claims.items())


def facts_of_result(result: Result) -> Facts:
    """What the article says of itself: date, author, place."""
    return facts_of(result.article, [entry.sentence for entry in result.ledger.entries])


def summarise(result: Result) -> Summary:
    """The run in numbers."""
    states = Counter(state_of(verification) for _, verification in pair_claims(result))
    statuses = Counter(entry.status for entry in result.ledger.entries)
    return Summary(
        claims=states.total(),
        labels={label: states[State(label)] for label in Label},
        abstentions=states[State.ABSTAINED],
        failures=states[State.FAILED],
        left=states[State.LEFT],
        dropped_citations=sum(verification.dropped_citations for verification in result.verifications),
        sentences={status: statuses[status] for status in SentenceStatus},
    )


def dumps(result: Result) -> str:
    """The JSON text of `to_json`: the same result gives the same bytes."""
    text = json.dumps(to_json(result), ensure_ascii=False, indent=2, allow_nan=False)
    return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def to_json(result: Result) -> dict[str, Any]:
    """The result as one object of plain values, in the form `factdesk verify --json` prints."""
    article = result.article
    return {
        "run": _run(result.run),
        "summary": summarise(result).model_dump(mode="json"),
        "article": {
            "id": article.id,
            "sha256": article.sha256,
            "title": article.title,
            "text": article.text,
            "facts": facts_of_result(result).model_dump(mode="json"),
        },
        "sentences": [_sentence(entry) for entry in result.ledger.entries],
        "claims": [_claim(claim, verification) for claim, verification in pair_claims(result)],
        "documents": {key: _document(document) for key, document in sorted(result.documents.items())},
    }


def _run(run: Run) -> dict[str, Any]:
    """The run record; its mappings sorted, so that their order cannot change the bytes."""
    return {
        "id": run.id,
        "started": run.started,
        "code_version": run.code_version,
        "profile": run.profile,
        "models": dict(sorted(run.models.items())),
        "prompts": dict(sorted(run.prompts.items())),
        "settings": dict(sorted(run.settings.items())),
        "store": run.store,
        "complete": run.complete,
        "usage": run.usage.model_dump(mode="json"),
    }


def _sentence(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "index": entry.sentence.index,
        "start": entry.sentence.span.start,
        "end": entry.sentence.span.end,
        "status": entry.status.value,
        "reason": entry.reason,
        "claim_ids": list(entry.claim_ids),
    }


def _claim(claim: Claim, verification: Verification | None) -> dict[str, Any]:
    """A claim and what was found for it; verdict and failure both null when the run did not get to it."""
    verdict = verification.verdict if verification else None
    failure = verification.failure if verification else None
    return {
        "id": claim.id,
        "text": claim.text,
        "sentence_index": claim.sentence_index,
        "start": claim.origin.start if claim.origin else None,
        "end": claim.origin.end if claim.origin else None,
        "kind": claim.kind.value,
        "speaker": claim.speaker,
        "replaced": list(claim.replaced),
        "content_of": claim.content_of,
        "worth": worth(claim),
        "verdict": _verdict(verdict) if verdict else None,
        "failure": _failure(failure) if failure else None,
        "evidence": [_evidence(row) for row in verification.evidence] if verification else [],
        "checks": [check.model_dump(mode="json") for check in verification.checks] if verification else [],
        "queries": _queries(verification),
        "hits": [_hit(hit) for hit in verification.hits] if verification else [],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "label": verdict.label.value,
        "confidence": verdict.confidence,
        "abstained": verdict.abstained,
        "justification": verdict.justification,
        "origins": verdict.origins,
        "citations": [_citation(citation) for citation in verdict.rationale],
    }


def _failure(failure: Failure) -> dict[str, Any]:
    return failure.model_dump(mode="json", exclude={"type"})


def _citation(citation: Citation) -> dict[str, Any]:
    return {
        "document_id": citation.document_id,
        "start": citation.span.start,
        "end": citation.span.end,
        "quote": citation.quote,
        "stance": citation.stance.value,
    }


def _evidence(row: Evidence) -> dict[str, Any]:
    """One judged passage; the score is the probability of the stance, null when the judge gives none."""
    return {
        "passage_id": row.passage_id,
        "document_id": row.document_id,
        "start": row.span.start,
        "end": row.span.end,
        "stance": row.stance.value,
        "score": row.scores.of(row.stance) if row.scores else None,
        "citation": _citation(row.citation) if row.citation else None,
    }


def _queries(verification: Verification | None) -> list[dict[str, Any]]:
    queries = verification.queries if verification else ()
    return [query.model_dump(mode="json", exclude={"claim_id"}) for query in queries]


def _hit(hit: Hit) -> dict[str, Any]:
    """A passage that was found, how, and by which queries."""
    place = {"passage_id": hit.passage.id, "document_id": hit.passage.document_id}
    return place | hit.model_dump(mode="json", exclude={"passage"})


def _document(document: Document) -> dict[str, Any]:
    fields = {"title", "publisher", "url", "published", "kind", "text"}
    return document.model_dump(mode="json", include=fields)


def verify_contract(data: dict[str, Any], documents: dict[str, str]) -> list[str]:
    """What in the JSON of a run does not hold, recomputed from it and the document texts; empty when all does.

    Checked: the article's hash; sentences tile the article; claims and sentences name each other; every
    citation is `text[start:end]` of a document judged for its claim; no claim has both verdict and failure.

    Args:
        data: what `to_json` gave, or `json.loads` of what `dumps` gave.
        documents: text by document id; `{id: row["text"] for id, row in data["documents"].items()}` will do.
    """
    parts: tuple[Callable[[], Iterator[str]], ...] = (
        lambda: _article_violations(data["article"]),
        lambda: _tiling_violations(data),
        lambda: _link_violations(data),
        lambda: _claim_violations(data, documents),
        lambda: _document_violations(data["documents"], documents),
    )
    return [violation for part in parts for violation in _guarded(part)]


def _guarded(part: Callable[[], Iterator[str]]) -> list[str]:
    """The violations of one part; data of another form is itself a violation, not a crash."""
    try:
        return list(part())
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        return [f"not in the form of `factdesk verify --json`: {type(error).__name__} {error}"]


def _article_violations(article: dict[str, Any]) -> Iterator[str]:
    if text_sha256(article["text"]) != article["sha256"]:
        yield f"article {article['id']!r}: sha256 is not that of its text"


def _tiling_violations(data: dict[str, Any]) -> Iterator[str]:
    """Sentences in order, none lost: between two of them, and at both ends, there is only white space."""
    text, end = data["article"]["text"], 0
    if not data["sentences"] and all(claim["sentence_index"] is None for claim in data["claims"]):
        return  # claims given without an article
    for position, sentence in enumerate(data["sentences"]):
        if sentence["index"] != position:
            yield f"sentence {sentence['index']!r} stands at place {position}"
        if not end <= sentence["start"] < sentence["end"] <= len(text):
            yield f"sentence {position}: span {sentence['start']}:{sentence['end']} overlaps or is out of range"
        yield from _gap_violations(text, end, sentence["start"])
        end = max(end, sentence["end"])
    yield from _gap_violations(text, end, len(text))


def _gap_violations(text: str, start: int, end: int) -> Iterator[str]:
    if (gap := text[start:end]).strip():
        yield f"article {start}:{end} is in no sentence: {gap[:60]!r}"


def _link_violations(data: dict[str, Any]) -> Iterator[str]:
    """A claim's sentence exists, holds the claim's span and names the claim; and the other way round."""
    sentences = {sentence["index"]: sentence for sentence in data["sentences"]}
    homes = {claim["id"]: claim["sentence_index"] for claim in data["claims"]}
    if len(homes) != len(data["claims"]):
        yield "two claims have the same id"
    for claim in data["claims"]:
        if claim["sentence_index"] is not None:
            yield from _home_violations(claim, sentences.get(claim["sentence_index"]))
    for index, sentence in sentences.items():
        for key in sentence["claim_ids"]:
            if homes.get(key) != index:
                yield f"sentence {index} names claim {key!r}, which is not a claim of it"


def _home_violations(claim: dict[str, Any], sentence: dict[str, Any] | None) -> Iterator[str]:
    place = f"claim {claim['id']!r}"
    if sentence is None:
        yield f"{place}: there is no sentence {claim['sentence_index']}"
        return
    if claim["id"] not in sentence["claim_ids"]:
        yield f"{place}: sentence {sentence['index']} does not name it"
    if claim["start"] is not None and not (sentence["start"] <= claim["start"] < claim["end"] <= sentence["end"]):
        yield f"{place}: span {claim['start']}:{claim['end']} is outside sentence {sentence['index']}"


def _claim_violations(data: dict[str, Any], documents: dict[str, str]) -> Iterator[str]:
    for claim in data["claims"]:
        place = f"claim {claim['id']!r}"
        if claim["verdict"] is not None and claim["failure"] is not None:
            yield f"{place}: has a verdict and a failure"
        judged = {row["document_id"] for row in claim["evidence"]}
        for citation in claim["verdict"]["citations"] if claim["verdict"] else ():
            if citation["document_id"] not in judged:
                yield f"{place}: cites document {citation['document_id']!r}, which was not judged for it"
            yield from _quote_violations(f"{place}: citation", citation, documents)
        for row in claim["evidence"]:
            if row["citation"] is not None:
                yield from _quote_violations(f"{place}: evidence", row["citation"], documents)
            elif row["stance"] != "neutral":
                yield f"{place}: evidence {row['passage_id']!r} {row['stance']} the claim without a citation"


def _quote_violations(place: str, citation: dict[str, Any], documents: dict[str, str]) -> Iterator[str]:
    key, start, end = citation["document_id"], citation["start"], citation["end"]
    if key not in documents:
        yield f"{place} points into document {key!r}, whose text is not there"
    elif not 0 <= start < end or documents[key][start:end] != citation["quote"]:
        yield f"{place} of document {key!r}: {citation['quote'][:60]!r} is not the text at {start}:{end}"


def _document_violations(rows: dict[str, Any], documents: dict[str, str]) -> Iterator[str]:
    for key, row in rows.items():
        if key in documents and row["text"] != documents[key]:
            yield f"document {key!r}: the text in the JSON is not the stored text"
