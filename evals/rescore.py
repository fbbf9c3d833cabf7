"""From kept outcomes to figures: no model is asked, so a run can be scored again at any time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from agent.domain import Label
from agent.errors import ConfigError, InputError
from agent.settings import load_settings
from evals.cases import ArticleAttackCase, ArticleCase, AttackCase, Case, ClaimCase, SentenceCase, StanceCase, Suite
from evals.defences import DEFENCES
from evals.entail import Entails, shipped_entails
from evals.record import CaseScore, Manifest, Outcome, Ratio, Results
from evals.results import results_of
from evals.runs import RESULTS, SCORES, RunFolder, write_whole
from evals.scorers.article import score_article
from evals.scorers.attack import score_article_attack, score_attack
from evals.scorers.extraction import score_sentence
from evals.scorers.retrieval import score_retrieval
from evals.scorers.stance import score_stance
from evals.scorers.verdict import pairs_of, score_verdict
from evals.solvers.baselines import LOOKS_NOWHERE
from evals.suites import find_suite, load_suite
from evals.work import Plan, Task, cases_of, task_of

Score = Callable[[Case, Outcome], CaseScore]


def rescore(run: RunFolder, *, suite: Suite | None = None) -> Results:
    """Score the outcomes of a run and write `cases.jsonl` and `results.json`.

    Args:
        run: every case of which has an outcome.
        suite: of the run, when it is loaded already.

    Raises:
        InputError: the suite is gone or has changed since, or the run was broken off.
    """
    manifest = run.manifest
    task = task_of_run(manifest, suite)
    cases = {case.id: case for case in cases_of(task)}
    found = dict(_scored(run, cases, score_of(task)))
    if missing := len(cases) - len(found):
        raise InputError(
            f"run {str(run.path)!r} was broken off, {missing} cases are left: `factdesk eval resume {run.path}`"
        )
    scores = [found[name] for name in cases]
    results = results_of(task.suite.name, scores)
    write_whole(run.path / SCORES, "".join(f"{score.model_dump_json(exclude_defaults=True)}\n" for score in scores))
    write_whole(run.path / RESULTS, f"{results.model_dump_json(indent=1)}\n")
    return results


def plan_of(manifest: Manifest) -> Plan:
    """The plan a run was made by."""
    return Plan(
        suite=Path(manifest.suite_folder),
        half=manifest.half,
        limit=manifest.limit,
        stage=manifest.stage,
        evidence=manifest.evidence,
        solver=manifest.solver,
        repeats=manifest.repeats,
        without=tuple(name for name in DEFENCES if name in manifest.without),
    )


def task_of_run(manifest: Manifest, suite: Suite | None = None) -> Task:
    """What a run was about.

    Raises:
        InputError: its suite is gone, or has changed since.
    """
    folder = find_suite(manifest.suite_folder)
    loaded = suite or load_suite(folder, half=manifest.half, limit=manifest.limit)
    if loaded.sha256 != manifest.suite_sha256:
        raise InputError(f"suite {str(folder)!r} has changed since run {manifest.id!r}: run it afresh")
    plan = plan_of(manifest)
    return task_of(plan.model_copy(update={"evidence": None}) if plan.stage != "verdict" else plan, loaded)


def score_of(task: Task) -> Score:
    """How outcomes of this task are scored."""
    suite = task.suite
    pairs = pairs_of({case.id: case for case in suite.claims})
    entails = _entails() if task.stage == "extract" and suite.sentences else None

    def score(case: Case, outcome: Outcome) -> CaseScore:
        if isinstance(case, StanceCase):
            name, _, number = case.id.rpartition(":")
            return score_stance(case, outcome, pair=pairs.get(name) if number == "0" else None)
        if isinstance(case, SentenceCase):
            return score_sentence(case, outcome, entails=entails)
        if isinstance(case, AttackCase | ArticleAttackCase):
            return _score_attack(case, outcome)
        if isinstance(case, ArticleCase):
            return score_article(case, outcome, suite.corpus)
        if task.stage == "retrieve":
            return score_retrieval(case, outcome)
        return _score_claim(task, case, outcome, pairs.get(case.id))

    def marked(case: Case, outcome: Outcome) -> CaseScore:
        name = case.id.rpartition(":")[0] if isinstance(case, StanceCase) else case.id
        return score(case, outcome).model_copy(update={"doubtful": name in suite.doubtful})

    return marked


def _score_attack(case: AttackCase | ArticleAttackCase, outcome: Outcome) -> CaseScore:
    return score_attack(case, outcome) if isinstance(case, AttackCase) else score_article_attack(case, outcome)


def _score_claim(task: Task, case: ClaimCase, outcome: Outcome, pair: str | None) -> CaseScore:
    """Where evidence was withheld nothing should be decided, and nothing was there to be found."""
    if task.evidence == "withheld":
        case = case.model_copy(update={"label": Label.NOT_ENOUGH_EVIDENCE, "evidence": ()})
        pair = None
    is_retrieved = task.evidence == "retrieved" and task.plan.solver not in LOOKS_NOWHERE
    return score_verdict(case, outcome, task.suite.corpus, pair=pair, is_retrieved=is_retrieved)


def _entails() -> Entails | None:
    """The scorer of entailment; None where its files are not there, and then what needs it is not scored."""
    try:
        return shipped_entails(load_settings({"profile": "local"}))
    except ConfigError:
        return None


def _scored(run: RunFolder, cases: dict[str, Case], score: Score) -> Iterator[tuple[str, CaseScore]]:
    """The score of each case's first repeat, with the consistency of all; outcomes come by case id."""
    for outcomes in _by_case(run.outcomes()):
        case = cases.get(outcomes[0].case_id)
        if case is None:
            continue
        scores = [score(case, outcome) for outcome in outcomes]
        yield case.id, _with_consistency(scores)


def _by_case(outcomes: Iterator[Outcome]) -> Iterator[list[Outcome]]:
    same: list[Outcome] = []
    for outcome in outcomes:
        if same and same[0].case_id != outcome.case_id:
            yield same
            same = []
        same.append(outcome)
    if same:
        yield same


def _with_consistency(scores: list[CaseScore]) -> CaseScore:
    """`consistency`: whether all repeats that were scored came to the same class."""
    found = [score.found for score in scores if score.found is not None]
    if len(found) < 2:
        return scores[0]
    same = Ratio(top=float(len(set(found)) == 1))
    return scores[0].model_copy(update={"ratios": scores[0].ratios | {"consistency": same}})
