"""What goes into a store: documents with their passages, some at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent.domain import Document, Passage
from agent.errors import InputError

Item = tuple[Document, tuple[Passage, ...]]

_WRITE_BATCH = 256
"""Passages written in one transaction."""


def batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Some documents at a time, each id once in a batch.

    Raises:
        InputError: a passage is not the slice of its document that it says it is.
    """
    batch: list[Item] = []
    for item in items:
        _check_item(item)
        is_full = sum(len(passages) for _, passages in batch) >= _WRITE_BATCH
        if is_full or any(document.id == item[0].id for document, _ in batch):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _check_item(item: Item) -> None:
    document, passages = item
    if any(0xD800 <= ord(character) <= 0xDFFF for character in document.text):
        raise InputError(f"document {document.id!r} has half characters (surrogates): decode its file anew")
    for passage in passages:
        if passage.document_id != document.id or passage.span.of(document.text) != passage.text:
            raise InputError(f"passage {passage.id!r} is not a slice of document {document.id!r}: cut it anew")
