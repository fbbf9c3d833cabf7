"""The record of one article while it is worked on: the journal takes it whole when it is finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.domain import Claim, Document, Ledger, LedgerEntry, Result, Run, Verification


class MemoryLog:
    """What `RunLog` is to one run, without a file."""

    def __init__(self) -> None:
        self._run: Run | None = None
        self._article: Document | None = None
        self._entries: dict[int, tuple[LedgerEntry, Sequence[Claim]]] = {}
        self._done: dict[str, Verification] = {}
        self._documents: dict[str, Document] = {}

    def start(self, run: Run, article: Document) -> None:
        """Begin."""
        self._run, self._article = run, article

    def save_entry(self, run_id: str, entry: LedgerEntry, claims: Sequence[Claim]) -> None:
        """Keep a sentence's line."""
        del run_id
        self._entries[entry.sentence.index] = (entry, claims)

    def save_verification(self, run_id: str, verification: Verification, documents: Mapping[str, Document]) -> None:
        """Keep a claim's outcome and its documents."""
        del run_id
        self._done[verification.claim.id] = verification
        self._documents |= documents

    def finish(self, run: Run) -> None:
        """Keep the final record."""
        self._run = run

    def load(self, name: str) -> Result:
        """All that is kept so far."""
        del name
        assert self._run is not None
        assert self._article is not None
        rows = [self._entries[index] for index in sorted(self._entries)]
        claims = tuple(claim for _, found in rows for claim in found)
        return Result(
            run=self._run,
            article=self._article,
            ledger=Ledger(entries=tuple(entry for entry, _ in rows), claims=claims),
            verifications=tuple(
                self._done[key] for key in dict.fromkeys(claim.id for claim in claims) if key in self._done
            ),
            documents=dict(sorted(self._documents.items())),
        )
