"""Folders of finished and unfinished runs: where they are, what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from agent.domain import Data
from agent.errors import InputError, StoreError
from evals.journal import Journal
from evals.record import CaseScore, Manifest, Outcome, Results, Spent

MANIFEST, RESULTS, SCORES, SPENT, JOURNAL = "manifest.json", "results.json", "cases.jsonl", "spent.json", "outcomes.db"
_DataT = TypeVar("_DataT", bound=Data)


class RunFolder:
    """One run of the harness on disk.

    `manifest.json` is written first, `outcomes.db` grows case by case, and `results.json` and `cases.jsonl` are made
    from it at the end: a run without them was broken off and can be resumed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def manifest(self) -> Manifest:
        """Facts of the run.

        Raises:
            InputError: the folder holds no run.
        """
        return self._read(MANIFEST, Manifest)

    @property
    def is_complete(self) -> bool:
        """Whether every case was worked on and scored."""
        return (self.path / RESULTS).is_file()

    @property
    def results(self) -> Results:
        """The figures.

        Raises:
            InputError: the run was broken off.
        """
        return self._read(RESULTS, Results)

    @property
    def spent(self) -> Spent:
        """What it cost."""
        return self._read(SPENT, Spent) if (self.path / SPENT).is_file() else Spent()

    def scores(self) -> tuple[CaseScore, ...]:
        """The scores of all cases, in the order of the suite."""
        lines = self._text(SCORES).splitlines()
        return tuple(CaseScore.model_validate_json(line) for line in lines)

    def outcomes(self) -> Iterator[Outcome]:
        """What was made of the cases, one at a time, in the order of their ids."""
        with Journal(self.path / JOURNAL) as journal:
            yield from journal.outcomes()

    def outcome(self, case_id: str) -> Outcome | None:
        """What was made of one case (its first repeat)."""
        with Journal(self.path / JOURNAL) as journal:
            return journal.outcome(case_id)

    def _text(self, name: str) -> str:
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except OSError:
            raise InputError(self._missing(name)) from None

    def _read(self, name: str, kind: type[_DataT]) -> _DataT:
        text = self._text(name)
        try:
            return kind.model_validate_json(text)
        except ValidationError:
            raise InputError(
                f"{str(self.path / name)!r} is no file of this version of factdesk: run the suite afresh"
            ) from None

    def _missing(self, name: str) -> str:
        if name == MANIFEST or not (self.path / MANIFEST).is_file():
            return f"{str(self.path)!r} holds no evaluation run: `factdesk eval runs` lists them"
        return f"run {str(self.path)!r} was broken off: `factdesk eval resume {self.path}` finishes it"


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is either there as a whole or as it was before.

    Raises:
        StoreError: it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise StoreError(f"{str(path)!r} cannot be written: {error.strerror}") from error


def list_runs(folder: Path) -> tuple[RunFolder, ...]:
    """The runs in a folder, latest first."""
    found = [RunFolder(path.parent) for path in folder.glob(f"*/{MANIFEST}")]
    return tuple(sorted(found, key=lambda run: (run.manifest.started, run.path.name), reverse=True))


def find_run(name: str, folder: Path) -> RunFolder:
    """A run by the path of its folder, by the first characters of its id, or `last`.

    Raises:
        InputError: there is none, or several.
    """
    if (Path(name) / MANIFEST).is_file():
        return RunFolder(Path(name))
    runs = list_runs(folder)
    if name == "last" and runs:
        return runs[0]
    found = [run for run in runs if name and run.manifest.id.startswith(name)]
    if len(found) == 1:
        return found[0]
    what = "is no evaluation run" if not found else f"fits {len(found)} evaluation runs: give more of the id"
    raise InputError(f"{name!r} {what}: `factdesk eval runs` lists those in {str(folder)!r}")
