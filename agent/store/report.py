"""What a store says about its work."""

from __future__ import annotations

from agent.domain import Data


class AddReport(Data):
    """What became of the documents given to `add`."""

    added: int = 0
    unchanged: int = 0
    replaced: int = 0


class CheckReport(Data):
    """What `check` looked at and found."""

    documents: int
    passages: int
    searched: int
    """So many passages, a sample of a large store, were searched for by their vectors; all were looked for by id."""
    healed: int
    """Passages whose place in the dense index was put right."""
    problems: tuple[str, ...]
    """Empty when every passage can be found again."""

    @property
    def ok(self) -> bool:
        """Whether every passage can be found again."""
        return not self.problems

    def __str__(self) -> str:
        counts = f"{self.documents} documents, {self.passages} passages, {self.searched} of them searched for"
        healed = f", {self.healed} put right in the dense index" if self.healed else ""
        if self.ok:
            return f"{counts}{healed}: all found again"
        return "\n".join([f"{counts}{healed}: problems", *self.problems, "mend this with `factdesk store rebuild`"])
