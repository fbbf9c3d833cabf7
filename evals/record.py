"""What a run of the harness keeps: an outcome for every case, a score for every outcome, and the facts of the run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agent.domain import Claim, Data, Evidence, Failure, Hit, Label, LedgerEntry, Usage, Verification

Stage = Literal["all", "extract", "retrieve", "stance", "verdict"]
EvidenceFrom = Literal["gold", "retrieved", "withheld"]
"""`withheld`: what a search finds when the documents gold names are not there, so that nothing should be decided."""


class Outcome(Data):
    """What a solver made of a case. Holds no time, so that the same run gives the same outcomes."""

    case_id: str
    repeat: int = Field(default=1, ge=1)
    verification: Verification | None = None
    """Verdict stage, baselines, attacks: under attack."""
    clean: Verification | None = None
    """Attacks: without the attack."""
    alone: Label | None = None
    """Verdict stage: what the small judge makes of the cited quotes alone; None without citations."""
    hits: tuple[Hit, ...] = ()
    """Retrieve stage: the passages found, best first."""
    read: tuple[Hit, ...] = ()
    """Retrieve stage: what a judge would read in two rounds."""
    evidence: tuple[Evidence, ...] = ()
    """Stance stage: what the judge says of the one passage."""
    entry: LedgerEntry | None = None
    """Extract stage: what became of the sentence."""
    claims: tuple[Claim, ...] | None = ()
    """Extract stage: the claims found in it; None where none were looked for."""
    failure: Failure | None = None
    """The case could not be worked on; never scored as a guess."""


class Ratio(Data):
    """A case's part in a metric that is a ratio of sums: a mean has bottom 1."""

    top: float
    bottom: float = 1.0


class CaseScore(Data):
    """What one case adds to the metrics; pure function of case and outcome."""

    case_id: str
    group: str
    """Cluster of the bootstrap; the case's own id when it has no group."""
    gold: str | None = None
    """Gold class (label, stance, or `checkable`/`not_checkable`); None when nothing is classified."""
    found: str | None = None
    """Class found; None when unscored or failed."""
    confidence: float | None = None
    """Of the class found."""
    abstained: bool = False
    pair: str | None = None
    """Contrast pair the case belongs to."""
    ratios: dict[str, Ratio] = Field(default_factory=dict)
    """By metric name, such as `recall@5` or `citation_precision`."""
    unscored: str = ""
    """Why the case is in no metric, such as an unreadable judge's reply; kept and counted."""
    failure: str = ""
    """Stage and reason when the outcome is a failure; kept and counted, never a zero."""
    doubtful: bool = False
    """Marked in the suite's review file."""
    note: str = ""
    """One line for people: what was wrong."""

    @property
    def is_right(self) -> bool | None:
        """Whether the class found is the gold class; None when either is missing."""
        return None if self.gold is None or self.found is None else self.gold == self.found


class Estimate(Data):
    """A metric with its 95 % interval; None where nothing could be scored."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """Cases behind it."""


class Results(Data):
    """The figures of a run: a pure function of suite and outcomes, so the same outcomes give the same bytes."""

    suite: str
    n: int
    """Cases of the run."""
    unscored: int
    failures: int
    abstained: int = 0
    doubtful: int = 0
    metrics: dict[str, Estimate]
    without_doubtful: dict[str, Estimate] = Field(default_factory=dict)
    """The same without the cases the review file marks; empty when it marks none."""
    confusion: dict[str, dict[str, int]] = Field(default_factory=dict)
    """Gold class to class found to count."""


class Manifest(Data):
    """Facts of a run: enough to do it again, and to know whether two runs can be compared."""

    id: str
    started: str
    """UTC, ISO 8601."""
    code_version: str
    suite: str
    suite_folder: str
    suite_sha256: str
    half: Literal["all", "tuning", "reporting"]
    limit: int | None
    stage: Stage
    evidence: EvidenceFrom | None
    solver: str
    """`pipeline`, or the name of a baseline."""
    without: tuple[str, ...] = ()
    """Defences that were switched off."""
    repeats: int = 1
    seed: int = 0
    profile: str
    models: dict[str, str]
    """Role to model id."""
    prompts: dict[str, str]
    """Prompt name to the SHA-256 of its file."""
    settings: dict[str, str | int | float | bool | None]
    store: str
    """Hash of the store's content; empty when none is searched."""


class Spent(Data):
    """What a run cost, over all its sittings; kept apart from the results, which hold no time."""

    usage: Usage = Usage()
    """Of the model calls that were made; `seconds` is the wall time of the sittings."""
    seconds_per_case: dict[str, float] = Field(default_factory=dict)
    sittings: int = 0
