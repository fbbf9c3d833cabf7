"""What goes into a store, looked through and taken some documents at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from agent.domain import Document, Passage
from agent.errors import InputError

Item = tuple[Document, tuple[Passage, ...]]

_WRITE_BATCH = 128
"""Passages written in one transaction. What an embedder takes seconds for: more is not lost when it is stopped."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Some documents at a time, each id once in a batch.

    Raises:
        InputError: a passage is not the slice of its document that it says it is.
    """
    batch: dict[str, Item] = {}
    size = 0
    for item in items:
        document, passages = item
        _check_item(item)
        if size >= _WRITE_BATCH or document.id in batch:
            yield list(batch.values())
            batch, size = {}, 0
        batch[document.id] = item
        size += len(passages)
    if batch:
        yield list(batch.values())


def _check_item(item: Item) -> None:
    document, passages = item
    if _SURROGATE.search(document.text):
        raise InputError(f"document {document.id!r} has half characters (surrogates): decode its file anew")
    for passage in passages:
        if passage.document_id != document.id or passage.span.of(document.text) != passage.text:
            raise InputError(f"passage {passage.id!r} is not a slice of document {document.id!r}: cut it anew")
