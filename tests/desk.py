"""A desk of fakes: a model that reads prompts by rule, a store in memory, a real run log."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager

from agent.desk import describe_run
from agent.llm.cache import CachedModel
from agent.llm.fake import ScriptedModel
from agent.pipeline import Deps
from agent.runlog import RunLog
from agent.settings import load_settings
from agent.sources import StoreSources
from agent.stages.judge import LanguageModelJudge
from agent.store.base import TimeLimit
from agent.store.memory import HashEmbedder, MemoryStore
from tests.build import document

ARTICLE = (
    "Mill fire in Norvik\n\n"
    "The mill in Norvik burnt down on 4 March 2019. The fire killed 3 dockers. What a disgrace! "
    "The mill made 900 tons of flour in 2018."
)
SOURCES = (
    document(
        "The mill in Norvik burnt down on 4 March 2019, police said.", "s1", publisher="Post", published="2019-03-05"
    ),
    document("A fire at the Norvik mill killed 3 dockers.", "s2", publisher="Kanal 7", published="2019-03-06"),
    document("The Norvik mill made 400 tons of flour in 2018.", "s3", publisher="Trade Review", published="2019-01-02"),
    document("Bakers in Velmar like rye.", "s4", publisher="Velmar Daily", published="2018-01-01"),
)


def answer(request):
    """What an honest model would say of these texts; stance by shared numbers, claims by sentence."""
    last = request.messages[-1].content
    if request.schema_name == "extraction":
        rows = re.findall(r"^\[(\d+)\] (.*)$", last, re.MULTILINE)
        kinds = {n: "opinion" if "disgrace" in text else "event" for n, text in rows}
        return json.dumps({f"s{n}": {"kind": kinds[n], "claims": []} for n, _ in rows})
    claim = last.split("\n")[0]
    reply = {}
    for n, body in re.findall(r"<p(\d)> .*\n([\s\S]*?)\n</p\d>", last):
        figures, told = set(re.findall(r"\d+", claim)), set(re.findall(r"\d+", body))
        stance = "neutral" if not figures & told else "supports" if figures <= told else "refutes"
        reply[f"p{n}"] = {"quote": "" if stance == "neutral" else body.split("\n")[0], "stance": stance}
    return json.dumps(reply)


def settings_for(folder, **options):
    chosen = {"base_url": "http://127.0.0.1:1/v1", "model": "m", "run_dir": folder, "window": 2} | options
    return load_settings(chosen, {})


@contextmanager
def fake_desk(
    folder, script=answer, *, sources=SOURCES, article=None, listener=lambda event: None, whole=False, **options
):
    """Yields (article, run, deps, model): what `verify_text` wants, and the model to look at afterwards."""
    from agent.ingest.chunk import cut_passages

    settings = settings_for(folder, **options)
    article = article or document(ARTICLE, "article", title="Mill fire in Norvik")
    embedder = HashEmbedder()
    store = MemoryStore([(source, cut_passages(source)) for source in sources], embedder=embedder)
    model = ScriptedModel(script)
    with RunLog(folder) as log:
        cached = CachedModel(model, log)
        when = TimeLimit(as_of=settings.as_of, undated=settings.undated, scope=settings.scope)
        deps = Deps(
            model=cached,
            judge=LanguageModelJudge(cached, quote_by=settings.quote_by, shown_sentences=settings.shown_sentences),
            sources=StoreSources(store, limit=settings.passages, when=when),
            settings=settings,
            log=log,
            paid=lambda: cached.paid,
            listener=listener,
        )
        yield article, describe_run(article, deps, store, embedder, whole=whole), deps, model
