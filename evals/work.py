"""What a plan comes to on a suite: stage, evidence, cases, and the solver that works on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar, get_args

from agent.desk import embedder_of, reranker_of, sentence_classifier, shipped_reranker, small_judge
from agent.domain import Data
from agent.errors import ConfigError, InputError
from agent.ingest.private import open_documents
from agent.llm.base import ChatReply, ChatRequest, ClosableModel
from agent.pipeline import Deps
from agent.settings import Settings
from agent.small.base import Embedder
from agent.sources import StoreSources
from agent.stages.judge import LanguageModelJudge, StanceJudge, prompt_name
from agent.stages.retrieve import Reranker
from agent.store.base import PassageStore, TimeLimit
from agent.store.memory import MemoryStore
from evals.attacks import load_article_attacks, load_attacks, plant
from evals.cases import (
    ArticleAttackCase,
    ArticleCase,
    AttackCase,
    Case,
    ClaimCase,
    Half,
    SentenceCase,
    StanceCase,
    Suite,
    SuiteKind,
)
from evals.defences import Defence, unused
from evals.passages import GoldPassages
from evals.record import EvidenceFrom, Outcome, Stage
from evals.solvers.article import ArticleSolver
from evals.solvers.article_attack import ArticleAttackSolver
from evals.solvers.attack import AttackSolver, Fooled
from evals.solvers.base import Solver
from evals.solvers.baselines import BASELINES, NEEDS_MODEL, baseline
from evals.solvers.extract import ClassifierSolver, ExtractSolver
from evals.solvers.one_call import PASSAGES
from evals.solvers.retrieve import BM25, FUSED, RERANKED, SEARCHES, RetrieveSolver
from evals.solvers.stance import StanceSolver
from evals.solvers.variants import VARIANTS
from evals.solvers.verdict import GoldSources, Search, SearchedSources, SourcesOf, VerdictSolver, WithheldSources
from evals.suites import ITEMS, find_suite, load_suite, picker

CaseT = TypeVar("CaseT", bound=Case)
PIPELINE = "pipeline"
CLASSIFIER = "classifier"
_SOLVERS: dict[str, tuple[str, ...]] = {
    "verdict": BASELINES,
    "extract": (CLASSIFIER, *VARIANTS),
    "retrieve": SEARCHES,
}
FOOLED: tuple[Fooled, ...] = get_args(Fooled)
"""Solvers of attacks: the pipeline with a judge that does what the attacker wants."""
_ATTACKS = frozenset({SuiteKind.ADVERSARIAL, SuiteKind.INJECTION})
_SEARCHED = frozenset({"retrieved", "withheld"})
_RANKED = 20
"""Passages looked at in the retrieve stage, so that ten documents come of them."""
_STAGES: dict[SuiteKind, tuple[Stage, ...]] = {
    SuiteKind.CLAIMS: ("verdict", "retrieve", "stance"),
    SuiteKind.SENTENCES: ("extract",),
    SuiteKind.ADVERSARIAL: ("all", "extract"),
}
"""What `all` means (the first), and what can be asked for."""


class Plan(Data):
    """What to run."""

    suite: Path
    """Folder or name."""
    half: Half = "all"
    limit: int | None = None
    stage: Stage = "all"
    evidence: EvidenceFrom | None = None
    """None: as the suite wants it; see `evidence_of`."""
    solver: str = PIPELINE
    """`pipeline`, or the name of a baseline."""
    repeats: int = 1
    """Times each case is worked on, every time with fresh model calls."""
    workers: int = 4
    """Cases worked on at once."""
    without: tuple[Defence, ...] = ()
    """Attacks: defences that are switched off."""


@dataclass(frozen=True)
class Task:
    """A plan on its suite, with nothing left open."""

    plan: Plan
    suite: Suite
    stage: Stage
    evidence: EvidenceFrom | None


@dataclass(frozen=True)
class Parts:
    """Models in place of those the settings name."""

    embedder: Callable[[Settings], Embedder] = embedder_of
    model: ClosableModel | None = None


@dataclass(frozen=True)
class Place:
    """Where evidence is looked for, and with what."""

    store: PassageStore
    embedder: Embedder


def task_of(plan: Plan, suite: Suite) -> Task:
    """The plan with its stage and evidence settled.

    Raises:
        InputError: the suite has no such stage or evidence, or there is no such baseline.
    """
    allowed = _STAGES.get(suite.kind, ("all",))
    if plan.stage not in {"all", *allowed}:
        raise InputError(
            f"stage {plan.stage!r} cannot be run on {suite.name!r}, which holds {suite.kind.value}: give one of"
            f" {', '.join(dict.fromkeys(('all', *allowed)))}"
        )
    stage = allowed[0] if plan.stage == "all" else plan.stage
    is_attack = suite.kind in _ATTACKS and stage == "all"
    if plan.solver not in (PIPELINE, *(FOOLED if is_attack else _SOLVERS.get(stage, ()))):
        raise InputError(
            f"solver {plan.solver!r} cannot be run at stage {stage!r} of {suite.name!r}: give {PIPELINE}, for claims"
            f" one of {', '.join(BASELINES)}, for their search one of {', '.join(SEARCHES)}, for sentences one of"
            f" {', '.join(_SOLVERS['extract'])}, for attacks on evidence {' or '.join(FOOLED)}"
        )
    if plan.without and not is_attack:
        raise InputError(
            f"defences can be switched off only for attacks on evidence, not at {stage!r} of {suite.name!r}"
        )
    if plan.solver != PIPELINE and plan.evidence == "withheld":
        raise InputError(f"evidence 'withheld' is for the {PIPELINE}, not for solver {plan.solver!r}")
    return Task(plan, suite, stage, evidence_of(suite, stage, plan.evidence))


def evidence_of(suite: Suite, stage: Stage, asked: EvidenceFrom | None) -> EvidenceFrom | None:
    """Where verdicts get their evidence: as asked, as `suite.json` says, or as the claims allow.

    Claims that stand twice with different labels differ only by their document, so a search cannot tell them apart:
    they get the passages gold names. All others get what the search finds.

    Raises:
        InputError: other evidence than the search's is asked for where the search is what is scored.
    """
    if stage == "retrieve" and asked in {"gold", "withheld"}:
        raise InputError(f"evidence {asked!r} leaves nothing to retrieve: leave --evidence away at stage 'retrieve'")
    if stage == "retrieve":
        return "retrieved"
    if stage != "verdict":
        return None
    if asked or suite.about.evidence:
        return asked or suite.about.evidence
    texts = {(case.text, case.label) for case in suite.claims}
    return "gold" if len({text for text, _ in texts}) < len(texts) else "retrieved"


def cases_of(task: Task) -> tuple[Case, ...]:
    """The cases of the stage, in the order of the suite."""
    suite, plan = task.suite, task.plan
    if suite.kind is SuiteKind.CLAIMS:
        return tuple(GoldPassages(suite.corpus).stance_cases(suite)) if task.stage == "stance" else suite.claims
    if suite.kind is SuiteKind.SENTENCES:
        return suite.sentences
    if suite.kind is SuiteKind.ARTICLE:
        return suite.gold
    pick = picker(plan.half, plan.limit)
    if task.stage == "extract":
        return pick(load_article_attacks(suite.folder))
    planted = plant(load_suite(find_suite("smoke")), suite.folder) if (suite.folder / ITEMS).is_file() else ()
    found = (*load_attacks(suite.folder), *planted)
    return pick(case for case in found if case.gives_orders or plan.solver not in FOOLED)


@contextmanager
def open_place(task: Task, settings: Settings, parts: Parts, waiting: Callable[[str], None]) -> Iterator[Place]:
    """The store of the suite's documents, filled if it is searched; else an empty one."""
    embedder = parts.embedder(settings)
    if task.evidence not in _SEARCHED and task.suite.kind is not SuiteKind.ARTICLE:
        yield Place(MemoryStore([], embedder=embedder), embedder)
        return
    documents = tuple(task.suite.corpus.values())
    waiting(f"{len(documents)} documents of {task.suite.name} are taken into a store (once)")
    with open_documents(documents, embedder, settings.cache_dir / "suites", lambda _: None) as store:
        yield Place(store, embedder)


def model_of(task: Task, settings: Settings, parts: Parts) -> ClosableModel | None:
    """The language model in place of the one the settings name: the one given, or none where none is called."""
    return parts.model or (None if prompts_of(task, settings) else _NoModel())


def prompts_of(task: Task, settings: Settings) -> tuple[str, ...]:
    """The prompts a task sends to a language model; none: it calls none."""
    if task.plan.solver in VARIANTS:
        return ("extract", "repair") if task.plan.solver == "repair" else ("extract",)
    if task.plan.solver not in (PIPELINE, *FOOLED):
        return (task.plan.solver,) if task.plan.solver in NEEDS_MODEL else ()
    extracts = task.stage == "extract" or task.suite.kind is SuiteKind.ARTICLE
    asks = settings.judge == "model" or settings.thorough
    is_read = task.stage == "retrieve" or (task.stage == "extract" and task.suite.kind is SuiteKind.SENTENCES)
    judges = asks and not is_read
    first = ("extract", "repair") if settings.repair else ("extract",)
    return (first if extracts else ()) + ((prompt_name(settings.quote_by),) if judges else ())


class _NoModel:
    """Stands where a run calls no language model, so that none has to be there."""

    id = "none"

    async def complete(self, request: ChatRequest) -> ChatReply:
        raise ConfigError(f"this stage calls no language model, and yet {request.schema_name!r} was asked of one")

    async def aclose(self) -> None:
        """Holds nothing."""


def solver_of(task: Task, deps: Deps, place: Place) -> Solver[Case]:
    """What works on the cases."""
    suite = task.suite
    if suite.kind in _ATTACKS:
        return _attacks(task, deps, place)
    if task.stage == "extract":
        return _Only(SentenceCase, _sentences(task, deps))
    if suite.kind is SuiteKind.ARTICLE:
        return _Only(ArticleCase, ArticleSolver(suite, deps, place.store, place.embedder))
    if task.stage == "stance":
        return _Only(StanceCase, StanceSolver(deps.judge))
    if task.stage == "retrieve":
        return _Only(ClaimCase, _search(task, deps, place))
    return _Only(ClaimCase, _verdicts(task, deps, place))


def _attacks(task: Task, deps: Deps, place: Place) -> Solver[Case]:
    if task.stage == "extract":
        return _Only(ArticleAttackCase, ArticleAttackSolver(deps, place.embedder))
    has_prompt = isinstance(deps.judge, LanguageModelJudge)
    for name, why in unused(task.plan.solver, has_prompt=has_prompt).items():
        if name in task.plan.without:
            raise InputError(f"defence {name!r} plays no part with this judge ({why}): leave it on")
    fooled = next((name for name in FOOLED if name == task.plan.solver), None)
    return _Only(AttackCase, AttackSolver(deps, place.embedder, off=frozenset(task.plan.without), fooled=fooled))


def _sentences(task: Task, deps: Deps) -> Solver[SentenceCase]:
    settings = deps.settings
    if task.plan.solver == CLASSIFIER:
        return ClassifierSolver(deps.selector or sentence_classifier(settings))
    if task.plan.solver in VARIANTS:
        return VARIANTS[task.plan.solver](deps)
    return ExtractSolver(deps.model, settings, guard=deps.guard, selector=deps.selector)


def _search(task: Task, deps: Deps, place: Place) -> RetrieveSolver:
    wide, narrow = (_sources(task, deps, place, limit=limit) for limit in (_RANKED, deps.settings.passages))
    return RetrieveSolver(wide, narrow, most=deps.settings.passages)


def _verdicts(task: Task, deps: Deps, place: Place) -> Solver[ClaimCase]:
    sources = _sources(task, deps, place, limit=deps.settings.passages)
    if task.plan.solver != PIPELINE:
        ten = StoreSources(place.store, limit=PASSAGES, when=_when(task, deps))
        return baseline(task.plan.solver, suite=task.suite, model=deps.model, sources=ten)
    return VerdictSolver(deps, sources, second=_second(deps))


def _second(deps: Deps) -> StanceJudge | None:
    """The small cross-encoder, to read cited quotes alone; None where its files are not there."""
    try:
        return small_judge(deps.settings)
    except ConfigError:
        return None


class _Only(Generic[CaseT]):
    """A solver of one kind of case, where any case may come."""

    def __init__(self, kind: type[CaseT], solver: Solver[CaseT]) -> None:
        self._kind = kind
        self._solver = solver

    async def solve(self, case: Case) -> Outcome:
        """The outcome of a case of that kind."""
        assert isinstance(case, self._kind)
        return await self._solver.solve(case)


def _sources(task: Task, deps: Deps, place: Place, *, limit: int) -> SourcesOf:
    if task.evidence == "gold":
        return GoldSources(GoldPassages(task.suite.corpus))
    by_words = task.stage == "retrieve" and task.plan.solver == BM25
    search = Search(place.store, _when(task, deps), _reranker(task, deps), by_words)
    if task.evidence == "withheld":
        return WithheldSources(search, limit=limit)
    return SearchedSources(search, limit=limit, claim_dates=task.suite.about.claim_dates)


def _reranker(task: Task, deps: Deps) -> Reranker | None:
    """As the settings say, unless the solver of the retrieve stage says it."""
    if task.stage == "retrieve" and task.plan.solver in {BM25, FUSED}:
        return None
    if task.stage == "retrieve" and task.plan.solver == RERANKED:
        return shipped_reranker(deps.settings)
    return reranker_of(deps.settings)


def _when(task: Task, deps: Deps) -> TimeLimit:
    """The settings' date; without one, undated documents are treated as the suite says."""
    settings = deps.settings
    undated = task.suite.about.undated if settings.as_of is None else settings.undated
    return TimeLimit(as_of=settings.as_of, undated=undated, scope=settings.scope)
