"""The order of the stages, and nothing else: an article in, a Result out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from agent.attempt import RULES, Rules, attempt
from agent.domain import Claim, Document, Result, Run, Sentence, Usage, Verification
from agent.events import ClaimDone, ClaimStarted, Listener, RunStarted, SentenceDone, ignore
from agent.llm.base import ChatModel
from agent.runlog import ResultLog
from agent.settings import Settings
from agent.sources import Sources
from agent.stages.claims import claims_of
from agent.stages.extract import Extracted, Window, as_one_claim, leave_out, plan_windows
from agent.stages.facts import facts_of
from agent.stages.guard import Guard
from agent.stages.judge import StanceJudge
from agent.stages.select import Selector, dismissed, select
from agent.stages.sentences import split_sentences
from agent.stages.worth import spend
from agent.together import together


@dataclass(frozen=True)
class Deps:
    """What a run works with, put together once."""

    model: ChatModel
    judge: StanceJudge
    sources: Sources
    settings: Settings
    log: ResultLog
    paid: Callable[[], Usage]
    """What the models have cost since the start."""
    listener: Listener = ignore
    guard: Guard | None = None
    selector: Selector | None = None


async def verify_text(article: Document, run: Run, deps: Deps) -> Result:
    """Verify every claim of an article. What an earlier run of the same id finished is kept, and not done again.

    Raises:
        InputError: the text has no sentence.
        ConfigError: a key, address or model name is wrong; nothing more is tried.
        StoreError: the run log cannot be written.
    """
    settings, sentences = deps.settings, split_sentences(article.text)
    kept = sentences[: settings.max_sentences]
    slots = asyncio.Semaphore(max(1, settings.concurrency // 2))  # the other half is for claims already found

    async def work(before: Result) -> None:
        chances = await asyncio.to_thread(select, kept, deps.selector)
        for extracted in (*leave_out(sentences[len(kept) :]), *dismissed(kept, chances)):
            _save(extracted, before, deps)
        title = facts_of(article, kept).headed(article.title)
        windows = plan_windows(kept, title, size=settings.window, first=settings.first_window, chances=chances)
        await _verify_windows(windows, slots, before, deps)

    return await _record(article, run, deps, sentences, work)


async def verify_statement(article: Document, run: Run, deps: Deps) -> Result:
    """Verify a whole text as one claim; raises as `verify_text` does."""
    extracted = as_one_claim(article.text)

    async def work(before: Result) -> None:
        _save(extracted, before, deps)
        await together([_verify_and_save(claim, before, deps) for claim in extracted.claims])

    return await _record(article, run, deps, (extracted.entry.sentence,), work)


async def _record(
    article: Document, run: Run, deps: Deps, sentences: Sequence[Sentence], work: Callable[[Result], Awaitable[None]]
) -> Result:
    """Do the work of a run between its start and its end in the log, however it ends."""
    deps.log.start(run, article)
    before = deps.log.load(run.id)
    deps.listener(RunStarted(run_id=run.id, sentences=tuple(sentences)))
    if before.run.complete and not before.has_failures:
        return before
    complete = False
    try:
        await work(before)
        complete = True
    finally:
        usage = before.run.usage + deps.paid()
        deps.log.finish(before.run.model_copy(update={"usage": usage, "complete": complete}))
    return deps.log.load(run.id)


async def verify_claim(claim: Claim, deps: Deps, rules: Rules = RULES) -> Verification:
    """Retrieve, judge, check and decide for one claim; what goes wrong becomes a Failure.

    Raises:
        ConfigError: see `verify_text`.
    """
    return await attempt(claim, deps.judge, deps.sources, deps.settings, rules)


async def _verify_windows(windows: Sequence[Window], slots: asyncio.Semaphore, before: Result, deps: Deps) -> None:
    """Each window's claims as soon as it is extracted; with a budget of claims those of all windows, the best first."""
    most, waiting = deps.settings.max_claims, list[Claim]()

    async def one(window: Window) -> None:
        async with slots:
            extracted = await claims_of(window, deps.model, deps.guard, repair=deps.settings.repair)
        for each in extracted:
            _save(each, before, deps)
        claims = [claim for each in extracted for claim in each.claims]
        if most is None:
            await together([_verify_and_save(claim, before, deps) for claim in claims])
        waiting.extend(claims)

    await together([one(window) for window in windows])
    if most is not None:
        done = {one.claim.id for one in before.verifications if one.verdict}
        chosen, left = spend([claim for claim in waiting if claim.id not in done], max(0, most - len(done)))
        chosen += tuple(claim for claim in waiting if claim.id in done)
        for unchecked in left:
            deps.log.save_verification(before.run.id, unchecked, {})
            deps.listener(ClaimDone(verification=unchecked))
        await together([_verify_and_save(claim, before, deps) for claim in chosen])


async def _verify_and_save(claim: Claim, before: Result, deps: Deps) -> None:
    kept = next((v for v in before.verifications if v.claim.id == claim.id and not v.failure), None)
    if kept is None:
        deps.listener(ClaimStarted(claim=claim))
        kept = await verify_claim(claim, deps)
        found = deps.sources.documents(tuple({hit.passage.document_id: None for hit in kept.hits}))
        deps.log.save_verification(before.run.id, kept, found)
    deps.listener(ClaimDone(verification=kept))


def _save(extracted: Extracted, before: Result, deps: Deps) -> None:
    deps.log.save_entry(before.run.id, extracted.entry, extracted.claims)
    deps.listener(SentenceDone(entry=extracted.entry, claims=extracted.claims))
