"""The table of results: every suite at every stage, as one Markdown page.

    python -m evals.table --data ../shared/data --out docs/results.md

Runs what has not been run (runs are kept, so a second call only writes the page), then writes the figures of all of
them. Suites that are not there are left out and named. `--with-model` adds what calls the language model. `--kept` runs
nothing: it writes what finished runs of these plans give, the latest of each, and names what is missing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from agent.errors import AgentError
from agent.settings import Settings, load_settings
from evals.cases import Half
from evals.joint import NAME as JOINT
from evals.joint import write_joint
from evals.record import Estimate, EvidenceFrom, Stage
from evals.run import Event, SuiteReady, eval_dir, run_suite
from evals.runs import RunFolder, list_runs
from evals.solvers.retrieve import SEARCHES
from evals.suites import find_suite
from evals.work import Plan

CLAIM_SETS = (
    "averitec", "climate_fever", "factcheck_bench", "fever_symmetric", "feverous_text", "fool_me_twice", "scifact",
    "wice_citations",
)  # fmt: skip
_NOT_SEARCHED = frozenset({"fever_symmetric"})
"""Documents contradict each other on purpose, so only gold evidence makes sense."""
_WITHHELD = ("feverous_text", "fool_me_twice", "scifact", "smoke")
"""Sets whose other documents were chosen for other claims; now and then one speaks of the claim all the same."""
_SENTENCES, _ABLATED = 40, 80
"""The embedded language model takes five seconds or more for each."""
_EXTRACTION = (
    "checkable_accuracy", "claim_coverage", "claim_recall", "claim_coverage_words", "claim_entailed", "stands_alone",
    "claim_is_sentence",
)  # fmt: skip
_ABLATIONS = (
    "alone", "no_classifier", "no_examples", "no_word_guards", "no_entailment", "no_guards", "repair",
)  # fmt: skip
_NO_STANCES = frozenset({"averitec", "wice_citations", "smoke"})


class Entry(NamedTuple):
    """One run of the table."""

    suite: str
    stage: Stage
    evidence: EvidenceFrom | None
    solver: str
    half: Half
    needs_model: bool = False
    limit: int | None = None


class Table(NamedTuple):
    """A part of the page: its runs and the metrics in its columns."""

    title: str
    says: str
    metrics: tuple[str, ...]
    entries: tuple[Entry, ...]


def tables() -> tuple[Table, ...]:
    """All parts of the page."""
    return (*_of_claim_sets(), *_of_other_sets())


def _of_claim_sets() -> tuple[Table, ...]:
    sets: tuple[tuple[str, Half], ...] = (*((name, "reporting") for name in CLAIM_SETS), ("smoke", "all"))
    searched = tuple(row for row in sets if row[0] not in _NOT_SEARCHED)
    solvers = ("pipeline", "bm25", "majority")
    return (
        Table(
            "Verdicts with gold passages",
            "The judge is shown the passages gold names; what the search would find plays no part.",
            ("accuracy", "macro_f1", "balanced_accuracy", "two_way", "pair_accuracy", "ece"),
            tuple(Entry(name, "verdict", "gold", "pipeline", half) for name, half in sets),
        ),
        Table(
            "Verdicts with passages found by the search",
            "The whole of the pipeline after extraction, with two baselines on the same claims.",
            (
                "accuracy",
                "macro_f1",
                "recall@5",
                "second_look_found",
                "citation_precision",
                "quote_validity",
                "ece",
                "accuracy@50",
            ),
            tuple(Entry(name, "verdict", "retrieved", solver, half) for name, half in searched for solver in solvers),
        ),
        Table(
            "Verdicts when the gold documents are withheld",
            "The same search without the documents gold names: only not enough evidence is right.",
            ("accuracy", "ece", "accuracy@50"),
            tuple(Entry(name, "verdict", "withheld", "pipeline", half) for name, half in sets if name in _WITHHELD),
        ),
        Table(
            "Stance of single passages",
            "One passage, one claim; neutral passages are those of the set, or near misses where it has none.",
            ("accuracy", "macro_f1", "two_way", "ece"),
            tuple(Entry(name, "stance", None, "pipeline", half) for name, half in sets if name not in _NO_STANCES),
        ),
        Table(
            "Search",
            "By words alone (bm25), by words and by meaning (fused), and that re-ranked by the small cross-encoder; ten"
            f" documents of twenty passages. `{JOINT}`: the claims of all sets in the documents of all. Of claims whose"
            " first five passages miss all gold, `second_look_found` says how many a second round of queries finds;"
            " rules make them, so it costs no model call.",
            ("recall@1", "recall@5", "recall@10", "mrr", "ndcg@10", "second_look_found"),
            tuple(
                Entry(name, "retrieve", "retrieved", solver, half)
                for name, half in (*searched, (JOINT, "all"))
                for solver in SEARCHES
            ),
        ),
    )


def _of_other_sets() -> tuple[Table, ...]:
    return (
        Table(
            "Attacks on evidence",
            "A hostile document among the sources: own cases, and public injection texts planted into those of smoke.",
            ("pass_rate", "attack_success", "verdict_change", "planted_cited"),
            (
                Entry("adversarial", "all", None, "pipeline", "all"),
                Entry("injection", "all", None, "pipeline", "reporting"),
            ),
        ),
        Table(
            "What can be checked",
            "Whether a sentence holds something to check: the sentence classifier alone, and as the pipeline does,"
            " which asks the language model where the classifier is in doubt.",
            ("checkable_accuracy", "checkable_f1", "checkable_precision", "checkable_recall"),
            (
                Entry("claim_extraction", "extract", None, "classifier", "reporting"),
                Entry("claim_extraction", "extract", None, "selection", "reporting", needs_model=True),
            ),
        ),
        Table(
            "Extraction",
            f"Sentences through the pipeline's extraction with the embedded language model; a sample of {_SENTENCES}.",
            _EXTRACTION,
            (Entry("claim_extraction", "extract", None, "pipeline", "reporting", needs_model=True, limit=_SENTENCES),),
        ),
        Table(
            "What the parts of extraction are worth",
            f"One sentence a call, with parts left out or put in; a sample of {_ABLATED}. `alone` has all parts.",
            _EXTRACTION,
            tuple(
                Entry("claim_extraction", "extract", None, name, "reporting", needs_model=True, limit=_ABLATED)
                for name in _ABLATIONS
            ),
        ),
        Table(
            "The seed article, whole pipeline",
            "One article with one annotator, on which the pipeline was developed: not held out.",
            ("sentence_in_ledger", "sentence_checked", "claim_coverage", "accuracy", "verdict_of_all_gold"),
            (Entry("deir-ez-zor", "all", None, "pipeline", "all", needs_model=True),),
        ),
    )


def page(found: Sequence[tuple[Table, Sequence[tuple[Entry, RunFolder]]]], missing: Sequence[str]) -> str:
    """The page as Markdown."""
    lines = [
        "# Results",
        "",
        "Made by `python -m evals.table`; every figure with its 95 % interval by resampling groups (docs/metrics.md).",
        "Half `reporting` of each public set (by a hash of the group); nothing was tuned on it. `smoke` is our own.",
        "Profile `local`: the two cross-encoders judge, MiniLM embeds. docs/comparable.md says what these figures",
        "can be compared with. `s a case`: wall time over cases on the machine that made the page, busy or not.",
    ]
    if missing:
        lines += ["", f"Not run: {'; '.join(missing)}."]
    for table, runs in found:
        shown = [name for name in table.metrics if any(name in run.results.metrics for _, run in runs)]
        lines += ["", f"## {table.title}", "", table.says, ""]
        lines += [f"| suite | solver | n | {' | '.join(shown)} | s a case |", "|---" * (len(shown) + 4) + "|"]
        lines += [_row(entry, run, shown) for entry, run in runs]
    return "\n".join(lines) + "\n"


def _row(entry: Entry, run: RunFolder, shown: Sequence[str]) -> str:
    results, spent = run.results, run.spent
    cells = [cell(results.metrics.get(name)) for name in shown]
    wall = f"{spent.usage.seconds / results.n:.2f}" if results.n else ""
    count = str(results.n) + (f" ({results.failures} failed)" if results.failures else "")
    return f"| {entry.suite} | {entry.solver} | {count} | {' | '.join(cells)} | {wall} |"


def cell(found: Estimate | None) -> str:
    """A figure with its interval, or nothing."""
    if found is None or found.value is None:
        return ""
    if found.low is None or found.high is None:
        return f"{found.value:.3f}"
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _done(table: Table, data: Path, settings: Settings, missing: list[str]) -> Iterator[tuple[Entry, RunFolder]]:
    for entry in table.entries:
        try:
            folder = _folder_of(entry, data, settings)
            plan = Plan(
                suite=folder,
                stage=entry.stage,
                evidence=entry.evidence,
                solver=entry.solver,
                half=entry.half,
                limit=entry.limit,
            )
            print(" ".join(str(part) for part in entry[:4] if part), file=sys.stderr)
            yield entry, run_suite(plan, settings, _tell)
        except AgentError as error:
            missing.append(f"{entry.suite} {entry.stage}: {error}")
            print(f"{entry.suite}: {error}", file=sys.stderr)


def _folder_of(entry: Entry, data: Path, settings: Settings) -> Path:
    if entry.suite != JOINT:
        return find_suite(entry.suite, data)
    return write_joint(data, settings.cache_dir / JOINT)


def kept(table: Table, runs: Iterable[RunFolder], missing: list[str]) -> Iterator[tuple[Entry, RunFolder]]:
    """The latest finished run of each entry; what has none is added to `missing`."""
    found: dict[tuple[object, ...], RunFolder] = {}
    for run in runs:
        if run.is_complete:
            of = run.manifest
            found.setdefault((of.suite, of.stage, of.evidence, of.solver, of.half, of.limit), run)
    for entry in table.entries:
        solvers = (
            ("fused", "pipeline") if entry.solver == "fused" else (entry.solver,)
        )  # the pipeline's search is fused
        keys = [(entry.suite, entry.stage, entry.evidence, name, entry.half, entry.limit) for name in solvers]
        latest = next((found[key] for key in keys if key in found), None)
        if latest is None:
            missing.append(" ".join(part for part in (entry.suite, entry.stage, entry.evidence, entry.solver) if part))
        else:
            yield entry, latest


def _tell(event: Event) -> None:
    """A line for each run; the page says the rest."""
    if isinstance(event, SuiteReady):
        print(f"  {event.total} cases, {event.kept} kept from before", file=sys.stderr, flush=True)


def main() -> None:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--out", type=Path, default=Path("docs/results.md"))
    parser.add_argument("--run-dir", type=Path, help="where runs are kept")
    parser.add_argument("--with-model", action="store_true", help="also what calls the language model (an hour)")
    parser.add_argument("--kept", action="store_true", help="run nothing, write what finished runs give")
    given = parser.parse_args()
    settings = load_settings({"profile": "local", "run_dir": given.run_dir})
    missing: list[str] = []
    found = []
    for table in tables():
        if given.kept:
            runs = list(kept(table, list_runs(eval_dir(settings)), missing))
        else:
            wanted = tuple(entry for entry in table.entries if given.with_model or not entry.needs_model)
            runs = list(_done(table._replace(entries=wanted), given.data, settings, missing))
        if runs:
            found.append((table, runs))
            given.out.write_text(page(found, missing), encoding="utf-8")
    given.out.write_text(page(found, missing), encoding="utf-8")  # what is missing is known only now
    print(f"written: {given.out}")


if __name__ == "__main__":
    main()
