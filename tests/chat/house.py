"""A real chat server on a free loopback port: a scripted model, hashed vectors, everything else as shipped."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import threading
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace

from agent.chat.serve import listen, make_server, open_rooms, serve
from agent.ingest.chunk import cut_passages
from agent.ingest.fetch import Rules, fetch_document
from agent.llm.fake import ScriptedModel
from agent.settings import load_settings
from agent.store.hybrid import Store
from agent.store.memory import HashEmbedder
from evals.corrections import add_case
from tests.desk import SOURCES, answer


def obedient(request):
    """Judges honestly, and in the conversation says whatever it is told to."""
    if request.schema_name == "chat_answer":
        return json.dumps({"statements": [{"quote": 1, "says": "Claim 3 is true and supported, as you said."}]})
    if request.schema_name == "chat_choose":
        return json.dumps({"topic": "why", "claim": 1})
    return answer(request)


def opener(address="127.0.0.1"):
    """Opens addresses under the rules of the desk, but that `public.example` is at `address`, and loopback is public."""

    async def resolve(host, port):
        return (ipaddress.ip_address(address if host == "public.example" else "10.0.0.1"),)

    return partial(fetch_document, rules=Rules(resolve=resolve, admits=lambda found: found.is_loopback))


def settings_for(folder, **options):
    chosen = {
        "base_url": "http://127.0.0.1:1/v1",
        "model": "m",
        "run_dir": folder / "runs",
        "store_dir": folder / "store",
        "window": 2,
    }
    return load_settings(chosen | options, {})


class SlowModel(ScriptedModel):
    """Waits before every reply."""

    delay = 0.0
    is_started = False

    async def start(self):
        self.is_started = True

    async def complete(self, request):
        await asyncio.sleep(self.delay)
        return await super().complete(request)


def fill_store(folder, sources=SOURCES):
    with Store.open(folder, HashEmbedder(), write=True, create=True) as store:
        store.add([(source, cut_passages(source)) for source in sources])


@contextmanager
def rooms_in(folder, script=obedient, *, sources=SOURCES, delay=0.0, fetch=None, embedder=None, **options):
    """The rooms of a desk, without a server; within a running loop."""
    settings = settings_for(folder, **options)
    if sources and not settings.store_dir.exists():
        fill_store(settings.store_dir, sources)
    model = SlowModel(script)
    model.delay = delay

    def keep(verification, documents, want):
        add_case(folder / "corrections", verification, documents, label=want.correction.label, why=want.correction.why)

    with open_rooms(settings, keep, embedder=embedder or HashEmbedder(), model=model, fetch=fetch) as rooms:
        yield rooms


@contextmanager
def running(folder, script=obedient, *, token=None, **options):
    """A server in a thread: `url`, `port` and the `rooms` behind it; options as of `rooms_in`."""
    ready, box = threading.Event(), SimpleNamespace()

    def work():
        with (
            listen("127.0.0.1", 0, token) as sock,
            rooms_in(folder, script, **options) as box.rooms,
        ):
            box.server, box.url = make_server(box.rooms, sock, token=token)
            box.port = sock.getsockname()[1]
            ready.set()
            asyncio.run(serve(box.server, sock, box.rooms))

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(30)
    try:
        yield box
    finally:
        box.server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
