"""A 40-claim article against a model server with a fixed latency: wall time, calls and tokens a claim, our own work.

The server is the fault-injecting one beside the checkout, without faults; it always answers as wanted, so this
measures the orchestration. Passages come from a store in memory.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

from agent.desk import describe_run, open_desk
from agent.domain import Document, text_sha256
from agent.ingest.chunk import cut_passages
from agent.pipeline import verify_text
from agent.runlog import RunLog
from agent.settings import Settings, load_settings
from agent.store.memory import HashEmbedder, MemoryStore

CLAIMS = 40
SLOTS = 16
_SERVER = Path(__file__).parents[3] / "shared" / "tools" / "fault_llm.py"
_PASSAGE = "Report {n} is about mill number {m} in the town of Norvik. It is so. The mill made {m} tons of flour."


def main() -> None:
    """Print the figures with 1 s latency and with none."""
    if not _SERVER.is_file():
        print("skipped: shared/tools/fault_llm.py is not beside this checkout")
        return
    for latency in (1000, 0):
        print(json.dumps(measure(latency)))


def measure(latency: float) -> dict[str, float]:
    """One run against a server that waits `latency` milliseconds before each answer."""
    server = _module().FaultServer([], scripted=_script(), latency=latency)
    with server, tempfile.TemporaryDirectory() as folder:
        settings = load_settings(
            {"base_url": server.base_url, "model": "mock", "api_key": "sk-test", "concurrency": SLOTS}, {}
        ).model_copy(update={"run_dir": Path(folder)})
        asyncio.run(_run(_article("w"), settings))  # warm: imports, connections
        server.reset()
        began, cpu = time.perf_counter(), time.process_time()
        claims = asyncio.run(_run(_article("m"), settings))
        wall, used = time.perf_counter() - began, time.process_time() - cpu
        stats = server.stats()
    return {
        "latency_ms": latency,
        "claims": claims,
        "wall_s": round(wall, 2),
        "calls_a_claim": round(stats["requests"] / claims, 2),
        "prompt_tokens_a_claim": round(stats["prompt_tokens"] / claims),
        "completion_tokens_a_claim": round(stats["completion_tokens"] / claims),
        "max_in_flight": stats["max_concurrent"],
        "cpu_ms_a_claim_server_included": round(1000 * used / claims, 1),
    }


async def _run(article: Document, settings: Settings) -> int:
    embedder = HashEmbedder()
    sources = [_document(_PASSAGE.format(n=n, m=n % CLAIMS), f"r{n}") for n in range(5 * CLAIMS)]
    store = MemoryStore([(source, cut_passages(source)) for source in sources], embedder=embedder)
    with RunLog(settings.run_dir) as log:
        async with open_desk(settings, store, log) as deps:
            result = await verify_text(article, describe_run(article, deps, store, embedder), deps)
    wrong = [v for v in result.verifications if v.verdict is None or v.verdict.label != "supported"]
    if len(result.verifications) != CLAIMS or wrong:
        reasons = {entry.reason for entry in result.ledger.entries} | {str(v.outcome) for v in wrong[:1]}
        raise RuntimeError(f"{len(result.verifications)} claims, {len(wrong)} not supported: {reasons}")
    return len(result.verifications)


def _article(letter: str) -> Document:
    text = " ".join(f"The mill {letter}{n} in Norvik made {n} tons of flour." for n in range(CLAIMS))
    return _document(text, f"article-{letter}")


def _document(text: str, name: str) -> Document:
    return Document(id=name, text=text, publisher=name, sha256=text_sha256(text))


def _script() -> list[dict[str, object]]:
    """Replies: every sentence is an event and its own claim; every passage supports by its second sentence."""
    item = {"kind": "event", "claims": []}
    windows: list[dict[str, object]] = [
        {"match": rf"(?s)\[{size}\] The mill(?!.*\[{size + 1}\])", "reply": {f"s{n}": item for n in range(1, size + 1)}}
        for size in range(8, 0, -1)
    ]
    stance = {"quote": "It is so.", "stance": "supports"}
    judge: list[dict[str, object]] = [
        {
            "match": rf"(?s)^Claim: .*</p{size}>(?!.*</p{size + 1}>)",
            "reply": {f"p{n}": stance for n in range(1, size + 1)},
        }
        for size in range(5, 0, -1)
    ]
    return [*judge, *windows]


def _module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fault_llm", _SERVER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fault_llm"] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
