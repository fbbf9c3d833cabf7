"""A result as Markdown, for pasting into a document, a ticket or a repository.

Text from outside (articles, sources, models) cannot form Markdown or HTML here: it is escaped, and only
absolute http and https addresses become links. What all forms for people share stands here too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote as percent_encode
from urllib.parse import urlsplit

from agent.domain import (
    Check,
    CheckKind,
    Citation,
    Claim,
    Data,
    Document,
    Evidence,
    Label,
    Result,
    SourceKind,
    Stance,
    Verdict,
    Verification,
)
from agent.report.contract import State, pair_claims, state_of, summarise
from agent.report.notes import Notes
from agent.report.searched import Search, looks_of

SYMBOLS = {
    State.SUPPORTED: "✓",
    State.REFUTED: "✗",
    State.NOT_ENOUGH_EVIDENCE: "?",
    State.CONFLICTING: "⇄",
    State.ABSTAINED: "–",
    State.FAILED: "!",
    State.LEFT: "…",
}
NAMES = {State(label): label.shown for label in Label} | {
    State.ABSTAINED: "Abstained",
    State.FAILED: "Failed",
    State.LEFT: "Not reached",
}
STANCE_NAMES = {
    Stance.SUPPORTS: "Supports the claim",
    Stance.REFUTES: "Speaks against the claim",
    Stance.NEUTRAL: "Does not decide it",
}

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]")
_SPECIAL = re.compile(r"([\\`*_{}\[\]|~!$#])")
_BLOCK_START = re.compile(r"^(?:(\d+)([.)])|([-+=>:]))")
_ADDRESS = re.compile(r"https?://[^\s\x00-\x20\\<>\"`{}^]+\Z", re.IGNORECASE)


class Quote(Data):
    """A citation with all that is shown beside it."""

    citation: Citation
    document: Document | None
    """None when the run does not hold the document."""
    evidence: Evidence | None
    """The judged passage the quote stands in, where there is one."""
    in_rationale: bool


def clean_text(text: str) -> str:
    """The text without characters that are not seen but change what is: controls, bidi overrides, tags."""
    return _UNSEEN.sub("", text)


def web_link(url: str | None) -> str | None:
    """The address if it is absolute, http or https, names a host and hides no user name; else None."""
    address = clean_text(url or "").strip()
    if not _ADDRESS.match(address):
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return address if parts.hostname and "@" not in parts.netloc else None


def quotes_of(verification: Verification, documents: dict[str, Document]) -> tuple[Quote, ...]:
    """All located quotes, those of the rationale first; each place is listed once."""
    verdict = verification.verdict
    rationale = verdict.rationale if verdict else ()
    rows = {_place(row.citation): row for row in reversed(verification.evidence) if row.citation}
    judged = [row.citation for row in verification.evidence if row.citation]
    kept = {_place(citation): citation for citation in (*rationale, *judged)}
    cited = {_place(citation) for citation in rationale}
    return tuple(
        Quote(
            citation=citation,
            document=documents.get(citation.document_id),
            evidence=rows.get(place),
            in_rationale=place in cited,
        )
        for place, citation in kept.items()
    )


def _place(citation: Citation) -> tuple[str, int, int]:
    return citation.document_id, citation.span.start, citation.span.end


def stances_in_order(verdict: Verdict | None) -> tuple[Stance, Stance, Stance]:
    """The stance that carries the verdict first, then the counter-evidence."""
    if verdict and verdict.label is Label.REFUTED:
        return Stance.REFUTES, Stance.SUPPORTS, Stance.NEUTRAL
    return Stance.SUPPORTS, Stance.REFUTES, Stance.NEUTRAL


def stance_title(stance: Stance, verdict: Verdict | None) -> str:
    """Heading over the quotes of one stance; the side that lost is called counter-evidence."""
    is_decided = verdict is not None and verdict.label in {Label.SUPPORTED, Label.REFUTED}
    is_counter = is_decided and stance is stances_in_order(verdict)[1]
    name = STANCE_NAMES[stance]
    return f"Counter-evidence: {name[0].lower()}{name[1:]}" if is_counter else name


def origins_line(verdict: Verdict) -> str:
    """`2 documents, 1 independent origin`, of the rationale."""
    documents = len({citation.document_id for citation in verdict.rationale})
    return f"{count(documents, 'document')}, {count(verdict.origins, 'independent origin')}"


def count(number: int, noun: str) -> str:
    """`1 claim`, `1,200 claims`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(confidence: float | None) -> str:
    """A probability for reading, `87%`."""
    return "not given" if confidence is None else f"{confidence:.0%}"


def summary_line(result: Result) -> str:
    """The run in short: `25 claims: 18 supported, 2 refuted. 14 of 16 sentences checked.`."""
    summary = summarise(result)
    numbers = [(summary.labels[label], State(label)) for label in Label]
    numbers += [
        (summary.abstentions, State.ABSTAINED),
        (summary.failures, State.FAILED),
        (summary.left, State.LEFT),
    ]
    shown = ", ".join(f"{number} {_in_summary(state)}" for number, state in numbers if number)
    line = count(summary.claims, "claim") + (f": {shown}." if shown else ".")
    if result.ledger.entries:
        checked = sum(1 for entry in result.ledger.entries if entry.status.value == "checked")
        line += f" {checked} of {count(len(result.ledger.entries), 'sentence')} checked."
    return line


def _in_summary(state: State) -> str:
    return NAMES[state].lower() if state is State.LEFT else state.value.replace("_", " ")


def check_line(check: Check) -> str:
    """A comparison in words."""
    if check.kind is CheckKind.INSTRUCTION:
        return f"set aside, because a passage gives its reader orders: {check.quote_value}"
    value = f"the source says {check.quote_value}" if check.quote_value else "the source gives none"
    return f"{check.kind.value}: the claim says {check.claim_value}, {value}"


def escape(text: str) -> str:
    """Outside text on one line, with nothing left that Markdown or HTML reads as its own."""
    line = " ".join(clean_text(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _SPECIAL.sub(r"\\\1", line)
    return _BLOCK_START.sub(lambda found: f"{found[1] or ''}\\{found[2] or found[3]}", line)


def to_markdown(result: Result) -> str:
    """The whole report; the same result gives the same text."""
    parts = (
        _head(result),
        _overview(result),
        _claims(result),
        _ledger(result),
        _failures(result),
        _run(result),
    )
    return "\n".join(line for part in parts for line in part).rstrip("\n") + "\n"


def _head(result: Result) -> Iterator[str]:
    article = result.article
    facts = [escape(text) for text in (article.publisher, article.published, article.url) if text]
    yield f"# {escape(article.title) or 'Report'}"
    yield ""
    if facts:
        yield " · ".join(facts)
        yield ""
    if not result.run.complete:
        yield "**This run was interrupted: what it did not come to is marked.**"
        yield ""
    yield f"**{summary_line(result)}**"
    yield ""


def _overview(result: Result) -> Iterator[str]:
    yield "| # | Verdict | Confidence | Claim |"
    yield "| --: | --- | --: | --- |"
    for number, (claim, verification) in enumerate(pair_claims(result), 1):
        verdict = verification.verdict if verification else None
        state = state_of(verification)
        confidence = percent(verdict.confidence) if verdict else ""
        yield f"| {number} | {SYMBOLS[state]} {NAMES[state]} | {confidence} | {escape(claim.text)} |"
    yield ""


def _claims(result: Result) -> Iterator[str]:
    yield "## Claims"
    yield ""
    notes = Notes(result)
    for number, (claim, verification) in enumerate(pair_claims(result), 1):
        yield f"### {number}. {escape(claim.text)}"
        yield ""
        yield from _claim_facts(claim, result, notes)
        yield from _outcome(verification, result)


def _claim_facts(claim: Claim, result: Result, notes: Notes) -> Iterator[str]:
    if claim.origin is not None:
        yield f"Sentence {claim.sentence_index}: “{escape(claim.origin.of(result.article.text))}”"
        yield ""
    if claim.speaker:
        yield f"Said by {escape(claim.speaker)}."
        yield ""
    for note in notes.of(claim):
        yield f"{escape(note)}."
        yield ""


def _outcome(verification: Verification | None, result: Result) -> Iterator[str]:
    state = state_of(verification)
    if verification is None:
        yield f"**{SYMBOLS[state]} {NAMES[state]}**: the run ended before this claim."
        yield ""
    elif verification.failure is not None:
        failure = verification.failure
        place = f"in stage {escape(failure.stage)} ({failure.kind.value})"
        yield f"**{SYMBOLS[state]} {NAMES[state]}** {place}: {escape(failure.message)}"
        yield ""
    elif verification.verdict is not None:
        yield from _verdict(verification.verdict, state)
        yield from _quotes(verification, result.documents)
        yield from _mismatches(verification)
    if verification is not None:
        yield from _searched(verification, result.documents)


def _verdict(verdict: Verdict, state: State) -> Iterator[str]:
    leaning = f" (leaning {verdict.label.shown})" if verdict.abstained else ""
    yield f"**{SYMBOLS[state]} {NAMES[state]}**{leaning}, confidence {percent(verdict.confidence)}; " + (
        origins_line(verdict)
    )
    yield ""
    yield escape(verdict.justification)
    yield ""


def _quotes(verification: Verification, documents: dict[str, Document]) -> Iterator[str]:
    quotes = quotes_of(verification, documents)
    for stance in stances_in_order(verification.verdict):
        chosen = [quote for quote in quotes if quote.citation.stance is stance]
        if chosen:
            yield f"{stance_title(stance, verification.verdict)}:"
            yield ""
            yield from (_quote(quote) for quote in chosen)
            yield ""


def _quote(quote: Quote) -> str:
    place = f"{quote.citation.span.start}:{quote.citation.span.end}"
    return f"- “{escape(quote.citation.quote)}” ({_source(quote)}, characters {place})"


def _source(quote: Quote) -> str:
    document = quote.document
    if document is None:
        return f"document {escape(quote.citation.document_id)}"
    facts = [document.publisher or "publisher unknown", document.published or "date unknown"]
    facts += [] if document.kind is SourceKind.OTHER else [document.kind.value]
    return ", ".join([_link(document), *(escape(fact) for fact in facts)])


def _link(document: Document) -> str:
    title, address = escape(document.title or document.id), web_link(document.url)
    return f"[{title}](<{percent_encode(address, safe=_URL_SAFE)}>)" if address else title


_URL_SAFE = "/:?#[]@!$&'()*+,;=%~-._"


def _mismatches(verification: Verification) -> Iterator[str]:
    lines = [f"- {escape(check_line(check))}" for check in verification.checks if not check.agrees]
    if lines:
        yield "Checks that do not agree:"
        yield ""
        yield from lines
        yield ""


def _searched(verification: Verification, documents: dict[str, Document]) -> Iterator[str]:
    looks = looks_of(verification, documents)
    if not looks:
        return
    yield "What was searched:"
    yield ""
    for look in looks:
        why = f", because {look.reason}" if look.reason else ""
        yield f"- Round {look.number}{why}: {count(look.passages, 'new passage')}"
        for search in look.searches:
            yield f"    - “{escape(search.query.text)}” ({search.query.purpose.value}){_finds(search)}"
    yield ""


def _finds(search: Search) -> str:
    if search.found is None:
        return ""
    names = (f"{escape(find.name)}{f' ({find.stance.value})' if find.stance else ''}" for find in search.found)
    return f": {'; '.join(names) or 'nothing new'}"


def _ledger(result: Result) -> Iterator[str]:
    yield "## Ledger of sentences"
    yield ""
    yield "| # | Status | Claims | Reason | Sentence |"
    yield "| --: | --- | --: | --- | --- |"
    for entry in result.ledger.entries:
        cells = (
            str(entry.sentence.index),
            entry.status.value.replace("_", " "),
            str(len(entry.claim_ids)),
            escape(entry.reason),
            escape(entry.sentence.text),
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


def _failures(result: Result) -> Iterator[str]:
    summary = summarise(result)
    yield "## Not decided"
    yield ""
    yield f"- {count(summary.failures, 'failure')}, {count(summary.left, 'claim')} not reached"
    yield f"- {count(summary.abstentions, 'abstention')}"
    yield f"- {count(summary.dropped_citations, 'citation')} dropped: the quote is not in its passage"
    for verification in result.verifications:
        if failure := verification.failure:
            yield f"- {escape(verification.claim.text)}: {escape(failure.stage)}, {escape(failure.message)}"
    yield ""


def _run(result: Result) -> Iterator[str]:
    yield "## Run"
    yield ""
    for name, value in run_facts(result):
        yield f"- {escape(name)}: {escape(value)}"


def run_facts(result: Result) -> tuple[tuple[str, str], ...]:
    """Name and value of all that is needed to run it again, and what it cost."""
    run, usage = result.run, result.run.usage
    cost = "unknown" if usage.cost is None else f"{usage.cost:.4f} USD"
    return (
        ("Run", run.id),
        ("Started", run.started),
        ("Complete", "yes" if run.complete else "no, interrupted"),
        ("factdesk", run.code_version),
        ("Profile", run.profile),
        *((f"Model, {role}", model) for role, model in sorted(run.models.items())),
        ("Store snapshot", run.store),
        ("Article SHA-256", result.article.sha256),
        *((f"Prompt {name}", sha256) for name, sha256 in sorted(run.prompts.items())),
        *(
            (f"Setting {name}", "not set" if value is None else str(value))
            for name, value in sorted(run.settings.items())
        ),
        ("Model calls", f"{usage.model_calls:,}"),
        ("Tokens", _tokens(result)),
        ("Time", f"{usage.seconds:.1f} s"),
        ("Cost", cost),
    )


def _setting(value: str | float | bool | None) -> str:  # noqa: FBT001 - a setting is of any plain type
    return "not set" if value is None else str(value)


def _tokens(result: Result) -> str:
    usage = result.run.usage
    return f"{usage.prompt_tokens:,} prompt ({usage.cached_tokens:,} cached), {usage.completion_tokens:,} completion"
