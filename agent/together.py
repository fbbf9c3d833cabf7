"""Several coroutines at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence


async def together(work: Sequence[Coroutine[None, None, None]]) -> None:
    """Run all at once; the first error stops the others and is raised as itself, not as a group."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from errors
