"""What a store is to the stages that search it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal, Protocol

from agent.domain import Data, Document, Passage
from agent.scope import Scope

Undated = Literal["drop", "keep"]


class TimeLimit(Data):
    """Which documents may be seen, by date of publication and, with a scope, by what else is known of them.

    Without `as_of` all dates may. With it, a document whose latest possible day of publication is after it may not;
    an undated one only when `undated` is `keep`.
    """

    as_of: date | None = None
    undated: Undated = "drop"
    scope: Scope = Scope()

    def allows(self, document: Document) -> bool:
        """Whether the document may be retrieved, shown to a model and cited."""
        if not self.scope.admits_document(document):
            return False
        if self.as_of is None:
            return True
        if document.published is None:
            return self.undated == "keep"
        return document.can_be_published_by(self.as_of)


class PassageStore(Protocol):
    """Two rankings of passages for a text: by meaning (dense) and by words (lexical)."""

    def snapshot(self) -> str:
        """Hash of the content: the ids of all passages and the embedder."""
        ...

    def search_dense(self, text: str, *, limit: int, when: TimeLimit) -> tuple[Passage, ...]:
        """The passages closest in meaning, best first, at most `limit`, obeying `when`."""
        ...

    def search_lexical(self, text: str, *, limit: int, when: TimeLimit) -> tuple[Passage, ...]:
        """The passages that share the rarest words (BM25), best first, at most `limit`, obeying `when`."""
        ...

    def documents(self, ids: Sequence[str]) -> dict[str, Document]:
        """The documents with these ids; unknown ids are left out."""
        ...

    def publishers(self) -> frozenset[str]:
        """Who published its documents, as it is written there; empty for those of which that is not known."""
        ...
