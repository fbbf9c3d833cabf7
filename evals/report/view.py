"""What a report shows of a run: its facts, and a card for each case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.domain import Check, Citation, Document, Stance, Verification
from agent.errors import InputError
from evals.cases import ArticleAttackCase, ArticleCase, AttackCase, Case, ClaimCase, GoldPiece, SentenceCase
from evals.record import CaseScore, Manifest, Outcome, Results, Spent
from evals.rescore import task_of_run
from evals.runs import RunFolder
from evals.work import cases_of

MOST_WRONG, MOST_RIGHT = 1000, 200
"""Cases shown with their evidence when there are more than both together."""


@dataclass(frozen=True)
class QuoteView:
    """A quote with where it is from."""

    text: str
    stance: str
    document_id: str
    title: str = ""
    publisher: str = ""
    published: str = ""


@dataclass(frozen=True)
class CaseView:
    """One case for reading."""

    score: CaseScore
    text: str
    context: str = ""
    tags: tuple[str, ...] = ()
    justification: str = ""
    quotes: tuple[QuoteView, ...] = ()
    gold: tuple[QuoteView, ...] = ()
    gold_claims: tuple[str, ...] = ()
    found_claims: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    searched: tuple[str, ...] = ()
    hits: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """`failed`, `unscored`, `right`, `wrong`, or `scored` where nothing is classified."""
        if self.score.failure:
            return "failed"
        if self.score.unscored:
            return "unscored"
        right = self.score.is_right
        return "scored" if right is None else "right" if right else "wrong"


@dataclass(frozen=True)
class RunView:
    """A finished run with what its report needs."""

    manifest: Manifest
    results: Results
    scores: tuple[CaseScore, ...]
    spent: Spent
    cases: tuple[CaseView, ...]
    """Those shown with their evidence, wrong ones first, surest first; see `chosen`."""
    missing: str = ""
    """Why the suite's own texts are not shown."""

    @property
    def by_id(self) -> dict[str, CaseView]:
        """Cases shown, by id."""
        return {case.score.case_id: case for case in self.cases}


def view_of(run: RunFolder, *, also: Iterable[str] = ()) -> RunView:
    """All that is shown of a run.

    Args:
        run: finished.
        also: ids of cases to show besides the chosen ones.

    Raises:
        InputError: the run was broken off.
    """
    scores, manifest = run.scores(), run.manifest
    cases, corpus, missing = _suite(manifest)
    wanted = {score.case_id: score for score in chosen(scores, also)}
    views: dict[str, CaseView] = {}
    for outcome in run.outcomes() if wanted else ():
        if outcome.repeat == 1 and outcome.case_id in wanted:
            case = cases.get(outcome.case_id)
            views[outcome.case_id] = case_view(wanted[outcome.case_id], outcome, case, corpus)
    shown = tuple(views[name] for name in wanted if name in views)
    return RunView(manifest, run.results, scores, run.spent, shown, missing)


def chosen(scores: Sequence[CaseScore], also: Iterable[str] = ()) -> tuple[CaseScore, ...]:
    """The cases to show: failed, unscored and wrong ones, surest first, then right ones; all when they are few."""
    extra = set(also)
    ordered = sorted(scores, key=_rank)
    if len(ordered) <= MOST_WRONG + MOST_RIGHT:
        return tuple(ordered)
    wrong = [score for score in ordered if _rank(score)[0] < 3]
    right = [score for score in ordered if _rank(score)[0] == 3]
    kept = wrong[:MOST_WRONG] + right[:MOST_RIGHT]
    names = {score.case_id for score in kept}
    return (*kept, *(score for score in ordered if score.case_id in extra - names))


def _rank(score: CaseScore) -> tuple[int, float, str]:
    group = 0 if score.failure else 1 if score.unscored else 2 if score.is_right is False else 3
    return group, -(score.confidence or 0), score.case_id


def _suite(manifest: Manifest) -> tuple[dict[str, Case], Mapping[str, Document], str]:
    """Cases and documents of the run's suite; where it is gone or changed, none and why."""
    try:
        task = task_of_run(manifest)
    except InputError as error:
        return {}, {}, str(error)
    return {case.id: case for case in cases_of(task)}, task.suite.corpus, ""


def case_view(score: CaseScore, outcome: Outcome, case: Case | None, corpus: Mapping[str, Document]) -> CaseView:
    """One case for reading, from what was kept of it."""
    done = outcome.verification
    verdict = done.verdict if done else None
    citations = list(verdict.rationale) if verdict else [one.citation for one in outcome.evidence if one.citation]
    return CaseView(
        score=score,
        text=_text(case, done),
        context=case.context or "" if isinstance(case, SentenceCase) else "",
        tags=case.tags if isinstance(case, ClaimCase) else (),
        justification=verdict.justification if verdict else "",
        quotes=tuple(_cited(citation, corpus) for citation in citations),
        gold=tuple(_gold(case, corpus)),
        gold_claims=case.claims or () if isinstance(case, SentenceCase) else (),
        found_claims=tuple(claim.text for claim in outcome.claims or ()),
        checks=done.checks if done else (),
        searched=tuple(query.text for query in done.queries) if done else (),
        hits=tuple(_hits(outcome, corpus)),
    )


def _text(case: Case | None, done: Verification | None) -> str:
    if isinstance(case, (AttackCase, ArticleAttackCase, ArticleCase)):
        return case.claim
    if isinstance(case, (ClaimCase, SentenceCase)):
        return case.text
    if case is not None:
        return case.claim.text
    return done.claim.text if done else ""


def _cited(citation: Citation, corpus: Mapping[str, Document]) -> QuoteView:
    return _quote(citation.quote, citation.stance.value, citation.document_id, corpus)


def _gold(case: Case | None, corpus: Mapping[str, Document]) -> Iterator[QuoteView]:
    pieces: Sequence[GoldPiece] = case.evidence if isinstance(case, ClaimCase) else ()
    for piece in pieces:
        yield _quote(piece.quote, piece.stance.value if piece.stance else "", piece.doc_id, corpus)


def _quote(text: str, stance: str, name: str, corpus: Mapping[str, Document]) -> QuoteView:
    document = corpus.get(name)
    if document is None:
        return QuoteView(text, stance, name)
    return QuoteView(text, stance, name, document.title, document.publisher or "", document.published or "")


def _hits(outcome: Outcome, corpus: Mapping[str, Document]) -> Iterator[str]:
    """One line a passage found: rank, document, the ranks it had in each search, and its stance."""
    done = outcome.verification
    stances: dict[str, Stance] = {one.passage_id: one.stance for one in done.evidence} if done else {}
    for hit in (*(done.hits if done else ()), *outcome.hits):
        name = hit.passage.document_id
        title = corpus[name].title if name in corpus else ""
        ranks = ", ".join(
            f"{what} {rank}"
            for what, rank in (("by meaning", hit.dense_rank), ("by words", hit.lexical_rank))
            if rank is not None
        )
        ranks += f", re-ranked {hit.reranked:.2f}" if hit.reranked is not None else ""
        stance = f" · {stances[hit.passage.id].value}" if hit.passage.id in stances else ""
        yield f"{hit.rank}. {title or name}{f' ({ranks})' if ranks else ''}{stance}"
