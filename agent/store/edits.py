"""What a user mends of a document's provenance; it holds when the source is added again."""

from __future__ import annotations

from pydantic import Field

from agent.domain import Data, Document, PartialDate, SourceKind


class Edit(Data):
    """Fields that are set take the place of what the source says; None: it is not known."""

    title: str = Field(default="", max_length=300)
    publisher: str | None = None
    published: PartialDate | None = None
    url: str | None = None
    kind: SourceKind = SourceKind.OTHER

    def and_then(self, later: Edit) -> Edit:
        """Both, the later one where they differ."""
        return Edit.model_validate(self.model_dump(exclude_unset=True) | later.model_dump(exclude_unset=True))

    def of(self, document: Document) -> Document:
        """The document as mended.

        Raises:
            ValueError: a date that is none of the calendar.
        """
        return Document.model_validate(document.model_dump() | self.model_dump(exclude_unset=True))
