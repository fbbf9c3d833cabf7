"""A desk put together from settings: models, store, run log. Used by the command line, tests and libraries alike."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import agent
from agent.domain import Document, Result, Run, SentenceStatus, Usage, short_hash
from agent.errors import ConfigError, InputError
from agent.events import Listener, Waiting, ignore
from agent.llm.base import ChatModel, ClosableModel, StreamingModel
from agent.llm.cache import CachedModel, KeepingModel, ReplayModel
from agent.llm.ledger import BatchLedger
from agent.llm.provider_batch import BatchingModel, Rhythm
from agent.llm.retry import Limits, RetryingModel
from agent.models.registry import EMBEDDER, LANGUAGE_MODEL, TOKENIZER, ModelFile, is_present, model_path
from agent.pipeline import Deps, verify_statement, verify_text
from agent.runlog import RunLog
from agent.settings import Settings, load_settings
from agent.small.base import Embedder
from agent.small.titled import TitledEmbedder
from agent.sources import RecordedJudge, RecordedSources, StoreSources
from agent.stages.cascade import CascadeJudge
from agent.stages.guard import EntailmentGuard, Guard, RecordedGuard, guard_id
from agent.stages.judge import LanguageModelJudge, StanceJudge, prompt_name
from agent.stages.reading import ReadingJudge, load_pool
from agent.stages.rerank import CrossEncoderReranker, load_mixture
from agent.stages.retrieve import Reranker
from agent.stages.select import RecordedSelector, SentenceClassifier, load_sentence_model
from agent.stages.stance import CrossEncoderJudge, PairScorer, load_calibration
from agent.stages.thorough import ThoroughJudge, load_blend
from agent.store.base import PassageStore, TimeLimit
from prompts import load

if TYPE_CHECKING:
    from agent.llm.embedded import EmbeddedModel
    from agent.llm.opening import Turns

_WHOLE = "whole_text_is_one_claim"


def embedder_of(settings: Settings) -> Embedder:
    """What makes the vectors of a store, loaded at its first use.

    Raises:
        ConfigError: its files, its package or its key are not there.
    """
    found = _plain_embedder(settings)
    return TitledEmbedder(found) if settings.embed_titles else found


def _plain_embedder(settings: Settings) -> Embedder:
    if settings.embedder == "openai":
        from agent.llm.embeddings import embedder_at

        if settings.api_key is None and settings.base_url is None:
            raise ConfigError("embedder 'openai' needs a server: set OPENAI_API_KEY or FACTDESK_BASE_URL")
        return embedder_at(settings)
    if settings.embedder == "static":
        from agent.small.static import static_embedder

        return static_embedder()
    return local_embedder(settings)


def local_embedder(settings: Settings) -> Embedder:
    """MiniLM, which the sentence classifier needs, whatever a store is made with.

    Raises:
        ConfigError: its files are not there.
    """
    from agent.small.minilm import shared_minilm

    paths = [_present(model, settings.cache_dir) for model in (EMBEDDER, TOKENIZER)]
    return shared_minilm(paths[0], paths[1], EMBEDDER.sha256)


@asynccontextmanager
async def open_desk(
    settings: Settings,
    store: PassageStore,
    log: RunLog,
    listener: Listener = ignore,
    *,
    model: ClosableModel | None = None,
) -> AsyncIterator[Deps]:
    """Everything a run works with; models are started at their first use and let go at the end.

    Args:
        settings: of the run.
        store: where evidence is looked for.
        log: where calls and results are kept.
        listener: hears of progress.
        model: language model in place of the one the settings name.
    """
    inner = model or language_model_of(settings, listener)
    try:
        is_patient = isinstance(inner, BatchingModel)  # it tries again by itself, and holds back no call
        calls = inner if is_patient else patient(KeepingModel(inner, log), settings, listener)
        yield deps_of(settings, store, log, listener, calls=calls, saves=False)
    finally:
        await inner.aclose()


def deps_of(  # noqa: PLR0913 (where and with what one run works)
    settings: Settings,
    store: PassageStore,
    log: RunLog,
    listener: Listener,
    *,
    calls: ChatModel,
    saves: bool = True,
) -> Deps:
    """Everything a run works with, over a language model that others may call too; see `open_desk`.

    Args:
        settings: of the run.
        store: where evidence is looked for.
        log: where calls and results are kept.
        listener: hears of progress.
        calls: the language model with its limits.
        saves: whether its replies are still to be kept.
    """
    cached = CachedModel(calls, log, saves=saves)
    began = time.monotonic()
    when = TimeLimit(as_of=settings.as_of, undated=settings.undated, scope=settings.scope)
    return Deps(
        model=cached,
        judge=_judge(cached, settings),
        sources=StoreSources(store, limit=settings.passages, when=when, reranker=reranker_of(settings)),
        settings=settings,
        log=log,
        paid=lambda: cached.paid.model_copy(update={"seconds": round(time.monotonic() - began, 1)}),
        listener=listener,
        guard=_guard(settings),
        selector=None if settings.selection == "model" else sentence_classifier(settings),
    )


def patient(model: ChatModel, settings: Settings, listener: Listener) -> RetryingModel:
    """The model with the limits of the settings, which then hold for all its calls together."""
    limits = Limits(
        requests_per_minute=settings.requests_per_minute,
        tokens_per_minute=settings.tokens_per_minute,
        deadline=settings.call_deadline,
        outage=settings.outage,
        first_pause=max(4 * settings.wait_base, 0.1),
        tell=lambda what: listener(Waiting(what=what)),
    )
    return RetryingModel(
        model, attempts=settings.attempts, wait_base=settings.wait_base, concurrency=settings.concurrency, limits=limits
    )


def batching_model_of(settings: Settings, folder: Path, log: RunLog, listener: Listener) -> BatchingModel:
    """The language model the settings name, behind its provider's Batch API.

    Args:
        settings: of the run.
        folder: where the ledger of what was sent is kept.
        log: where replies are kept.
        listener: hears what is sent and collected.

    Raises:
        ConfigError: the model has no Batch API.
    """
    provider, _, rest = settings.model.partition(":")
    if settings.profile == "local" or (rest and provider != "openai" and settings.base_url is None):
        raise ConfigError(
            f"model {settings.model!r} of profile {settings.profile!r} has no Batch API: set OPENAI_API_KEY or"
            " FACTDESK_BASE_URL, or leave --provider-batch out"
        )
    from agent.llm.openai import connect_batches

    door = connect_batches(
        settings.model, base_url=settings.base_url, api_key=settings.api_key, timeout=settings.timeout
    )
    rhythm = Rhythm(
        quiet=max(10 * settings.wait_base, 0.3),
        poll=max(20 * settings.wait_base, 0.05),
        attempts=settings.attempts,
        wait_base=settings.wait_base,
        outage=settings.outage,
    )
    return BatchingModel(door, BatchLedger(folder), log, rhythm, lambda what: listener(Waiting(what=what)))


def describe_run(article: Document, deps: Deps, store: PassageStore, embedder: Embedder, *, whole: bool = False) -> Run:
    """The record of a run to be: its id is a hash of all that can change its result.

    Args:
        article: what will be verified.
        deps: what it will be verified with.
        store: where the evidence is looked for.
        embedder: of that store.
        whole: the text is one claim, as the user gave it, and is not split.
    """
    return run_of(article, facts_of(deps, store, embedder), deps.settings, whole=whole)


def run_of(article: Document, facts: dict[str, object], settings: Settings, *, whole: bool = False) -> Run:
    """The record of a run to be, from facts that were found before: a batch finds them once for all articles."""
    facts = facts | {"settings": settings.of_result() | {_WHOLE: whole}}
    run_id = short_hash(article.id, article.sha256, article.title, json.dumps(facts, sort_keys=True))
    profile = settings.profile
    return Run.model_validate(
        facts | {"id": run_id, "started": datetime.now(UTC).isoformat(timespec="seconds"), "profile": profile}
    )


def facts_of(deps: Deps, store: PassageStore, embedder: Embedder) -> dict[str, object]:
    """What can change a result, apart from the text: code version, models, prompts, settings, store."""
    settings = deps.settings
    prompts = ["extract", *(["repair"] if settings.repair else [])]
    if settings.judge == "model" or settings.thorough:
        prompts.append(prompt_name(settings.quote_by))
    return {
        "code_version": code_version(),
        "models": {
            "extract": deps.model.id,
            "judge": deps.judge.id,
            "guard": guard_id(deps.guard),
            "selector": deps.selector.id if deps.selector else "none",
            "embedder": embedder.id,
        },
        "prompts": {name: load(name).sha for name in prompts},
        "settings": settings.of_result(),
        "store": store.snapshot(),
    }


async def replay(recorded: Result, log: RunLog, scratch: RunLog) -> Result:
    """Run the stages again on the recorded hits and replies, without a model or a store.

    Args:
        recorded: the run to replay.
        log: where its model calls are kept.
        scratch: a log to write the new result to; the old one is left alone.

    Returns:
        What the code of today makes of the record; run facts are those of the record.

    Raises:
        InputError: the run was never finished.
    """
    run = recorded.run
    if not run.complete:
        raise InputError(f"run {run.id!r} was broken off: finish it with the same verify command before replaying it")
    chosen = {name: value for name, value in run.settings.items() if name != _WHOLE}
    unused = {"model": "-", "base_url": "http://unused", "api_key": "-"}
    settings = load_settings({**chosen, "profile": run.profile, **unused}, {})
    model = ReplayModel(run.models["extract"], log)
    deps = Deps(
        model=model,
        judge=language_model_judge(model, settings)
        if settings.judge == "model" and settings.cascade is None
        else RecordedJudge(run.models["judge"], recorded),
        sources=RecordedSources(recorded),
        settings=settings,
        log=scratch,
        paid=lambda: run.usage,
        guard=RecordedGuard(run.models.get("guard", "none"), _stopped(recorded)),
    )
    if run.models.get("selector", "none") != "none":
        chances = {entry.sentence.text: entry.chance for entry in recorded.ledger.entries if entry.chance is not None}
        deps = dataclasses.replace(deps, selector=RecordedSelector(run.models["selector"], chances))
    fresh = run.model_copy(update={"usage": Usage(), "complete": False})
    work = verify_statement if run.settings[_WHOLE] else verify_text
    return _keep_failures(recorded, await work(recorded.article, fresh, deps))


def _stopped(recorded: Result) -> Iterator[tuple[str, str]]:
    """Each wording that a guard stopped, with its sentence."""
    sentences = {entry.sentence.index: entry.sentence.text for entry in recorded.ledger.entries}
    for claim in recorded.ledger.claims:
        for wording in claim.replaced:
            yield sentences.get(-1 if claim.sentence_index is None else claim.sentence_index, ""), wording


def _keep_failures(recorded: Result, replayed: Result) -> Result:
    """What failed at the time has no reply to replay: its record stands."""
    old = {verification.claim.id: verification for verification in recorded.verifications if verification.failure}
    lost = {entry.sentence.index: entry for entry in recorded.ledger.entries if entry.status is SentenceStatus.FAILED}
    entries = tuple(lost.get(entry.sentence.index, entry) for entry in replayed.ledger.entries)
    return replayed.model_copy(
        update={
            "ledger": replayed.ledger.model_copy(update={"entries": entries}),
            "verifications": tuple(old.get(done.claim.id, done) for done in replayed.verifications),
        }
    )


@cache
def code_version() -> str:
    """Version of the package and a hash of its sources and fitted parameters: others may come to another result."""
    return _version_of(Path(str(files("agent"))))


def _version_of(root: Path) -> str:
    sources = sorted(
        (str(path.relative_to(root)), path.read_bytes())
        for path in root.rglob("*")
        if path.suffix in {".py", ".json"} and "cli" not in path.parts
    )
    digest = hashlib.sha256(repr(sources).encode()).hexdigest()
    return f"{agent.__version__}+{digest[:8]}"


def language_model_id() -> str:
    """Id of the embedded language model."""
    return f"{LANGUAGE_MODEL.name}@{LANGUAGE_MODEL.sha256[:12]}"


def language_model_of(settings: Settings, listener: Listener) -> StreamingModel:
    """The language model the settings name; it is started at its first call.

    Raises:
        ConfigError: its file is not there, or its package.
    """
    if settings.profile != "local":
        from agent.llm.openai import connect

        return connect(settings.model, base_url=settings.base_url, api_key=settings.api_key, timeout=settings.timeout)
    return _embedded_model_of(settings, listener)


def _embedded_model_of(settings: Settings, listener: Listener) -> EmbeddedModel:
    from agent.llm.embedded import embedded_model

    return embedded_model(
        model_id=language_model_id(),
        model_file=_present(LANGUAGE_MODEL, settings.cache_dir),
        folder=_server_folder(settings),
        slots=settings.concurrency,
        timeout=settings.timeout,
        opening=_opening(),
        on_wait=lambda what: listener(Waiting(what=what)),
    )


def _server_folder(settings: Settings) -> Path:
    return settings.cache_dir / "server"


def _opening() -> Turns:
    """What an extraction begins with: these calls are the first of a run."""
    return load("extract").turns[:-1]


async def prepare_language_model(settings: Settings, listener: Listener = ignore) -> None:
    """Have the embedded model read what its calls begin with, if it never did: all later starts are quicker.

    Raises:
        ConfigError: it does not start.
    """
    from agent.llm.local import is_prepared

    if is_prepared(_present(LANGUAGE_MODEL, settings.cache_dir), _server_folder(settings), _opening()):
        return
    model = _embedded_model_of(settings, listener)
    try:
        await model.start()
    finally:
        await model.aclose()


def _judge(model: ChatModel, settings: Settings) -> StanceJudge:
    large = language_model_judge(model, settings)
    if settings.judge != "model":
        if settings.cascade is not None:
            raise ConfigError("a cascade needs a language model to fall back on: set judge to 'model'")
        first = small_judge(settings) if settings.judge == "small" else reading_judge(settings)
        return ThoroughJudge(first, large, load_blend(first.id, large.id)) if settings.thorough else first
    if settings.thorough:
        raise ConfigError("thorough asks the language model beside a cross-encoder: set judge to 'reading' or 'small'")
    return large if settings.cascade is None else CascadeJudge(reading_judge(settings), large, sure=settings.cascade)


def _guard(settings: Settings) -> Guard | None:
    """None where the tokenizer was not pulled: a library's own embedder may do without it; the run records it."""
    return EntailmentGuard(strong_scorer(settings)) if is_present(TOKENIZER, settings.cache_dir) else None


def sentence_classifier(settings: Settings) -> SentenceClassifier:
    """The shipped classifier of sentences.

    Raises:
        ConfigError: the files of its embedder are not there.
    """
    return SentenceClassifier(local_embedder(settings), load_sentence_model())


def reading_judge(settings: Settings) -> ReadingJudge:
    """The two shipped cross-encoders as judge.

    Raises:
        ConfigError: their tokenizer is not in the cache.
    """
    return ReadingJudge(small_scorer(settings), load_calibration(), strong_scorer(settings), load_pool())


def small_judge(settings: Settings) -> CrossEncoderJudge:
    """The small cross-encoder as judge.

    Raises:
        ConfigError: its tokenizer is not in the cache.
    """
    return CrossEncoderJudge(small_scorer(settings), load_calibration())


def reranker_of(settings: Settings) -> Reranker | None:
    """What orders the passages anew; None where the settings ask for none.

    Raises:
        ConfigError: the tokenizer of the cross-encoder is not in the cache.
    """
    return shipped_reranker(settings) if settings.rerank else None


def shipped_reranker(settings: Settings) -> CrossEncoderReranker:
    """The small cross-encoder as re-ranker.

    Raises:
        ConfigError: its tokenizer is not in the cache.
    """
    return CrossEncoderReranker(small_scorer(settings), load_mixture())


def open_small_models(settings: Settings, embedder: Embedder) -> None:
    """Open embedder and cross-encoders, which would else be opened at their first use; takes some seconds.

    Raises:
        AgentError: a file is missing or damaged.
    """
    embedder.embed(["-"])
    for scorer in (small_scorer(settings), strong_scorer(settings)):
        scorer.score([("-", "-")])


def small_scorer(settings: Settings) -> PairScorer:
    """The small cross-encoder: finds the sentence that matters.

    Raises:
        ConfigError: its tokenizer is not in the cache.
    """
    from agent.small.cross_encoder import MINILM, shipped_cross_encoder

    return shipped_cross_encoder(MINILM, _present(TOKENIZER, settings.cache_dir))


def strong_scorer(settings: Settings) -> PairScorer:
    """The stronger cross-encoder: reads.

    Raises:
        ConfigError: its tokenizer is not in the cache.
    """
    from agent.small.cross_encoder import MPNET, shipped_cross_encoder

    return shipped_cross_encoder(MPNET, _present(TOKENIZER, settings.cache_dir))


def language_model_judge(model: ChatModel, settings: Settings) -> LanguageModelJudge:
    """A language model as judge, asked as the settings say."""
    return LanguageModelJudge(model, quote_by=settings.quote_by, shown_sentences=settings.shown_sentences)


def _present(model: ModelFile, cache_dir: Path) -> Path:
    if not is_present(model, cache_dir):
        other = ", or set FACTDESK_BASE_URL or OPENAI_API_KEY to use another one" if model is LANGUAGE_MODEL else ""
        raise ConfigError(f"model {model.name!r} is not in {str(cache_dir)!r}: run `factdesk models pull`{other}")
    return model_path(model, cache_dir)
