"""A new run of some claims only: recorded like any other, so that before and after can both be looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agent.domain import Claim, Document, LedgerEntry, Run, short_hash
from agent.events import ClaimDone, ClaimStarted
from agent.pipeline import Deps, verify_claim


async def recheck(
    claims: Sequence[Claim], entries: Sequence[LedgerEntry], article: Document, run: Run, deps: Deps
) -> Run:
    """Verify these claims side by side under a run of their own; each is saved before it is told."""
    own = run.model_copy(update={"id": short_hash(run.id, "claims", *(claim.id for claim in claims))})
    deps.log.start(own, article)
    for entry in entries:
        deps.log.save_entry(own.id, entry, [claim for claim in claims if claim.id in entry.claim_ids])

    async def one(claim: Claim) -> None:
        deps.listener(ClaimStarted(claim=claim))
        found = await verify_claim(claim, deps)
        ids = tuple(dict.fromkeys(hit.passage.document_id for hit in found.hits))
        deps.log.save_verification(own.id, found, deps.sources.documents(ids))
        deps.listener(ClaimDone(verification=found))

    try:
        async with asyncio.TaskGroup() as group:
            for claim in claims:
                group.create_task(one(claim))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    done = own.model_copy(update={"usage": deps.paid(), "complete": True})
    deps.log.finish(done)
    return done
