"""`factdesk doctor`: what is set up, what is missing, what would be used and why."""

from __future__ import annotations

import json as js
from typing import TYPE_CHECKING

import typer

from agent.cli import options as opt

if TYPE_CHECKING:
    from urllib.request import BaseHandler

    from agent.settings import Settings


def doctor(json: opt.JsonOption = False, profile: opt.ProfileOption = None, store: opt.StoreOption = None) -> None:
    """Say what is set up, what is missing, and what would be used and why. Exit code 1: a verify would fail."""
    from agent.cli.view import plain
    from agent.settings import load_settings

    settings = load_settings({"profile": profile, "store_dir": store})
    findings = [_profile(settings), *_models(settings), _address(settings), _store(settings), _runs(settings)]
    if json:
        print(js.dumps([dict(zip(("what", "ok", "says"), row, strict=True)) for row in findings], indent=2))
    else:
        for what, ok, says in findings:
            print(plain(f"{'ok  ' if ok else 'MISS'}  {what:<10} {says}"))
    if not all(ok for _, ok, _ in findings):
        raise typer.Exit(1)


_Finding = tuple[str, bool, str]


def _profile(settings: Settings) -> _Finding:
    why = {
        "local": "no key and no address is set, or --profile says so",
        "openai": "OPENAI_API_KEY is set, or --profile says so",
        "compatible": "FACTDESK_BASE_URL is set, or --profile says so",
    }[settings.profile]
    return "profile", True, f"{settings.profile} with model {settings.model!r} ({why})"


def _models(settings: Settings) -> list[_Finding]:
    from agent.models.registry import LANGUAGE_MODEL, MODELS, is_present

    wanted = [model for model in MODELS if model is not LANGUAGE_MODEL or settings.profile == "local"]
    return [
        ("model", True, f"{model.name} is present")
        if is_present(model, settings.cache_dir)
        else ("model", False, f"{model.name} is missing: run `factdesk models pull {model.name}`")
        for model in wanted
    ]


def _address(settings: Settings) -> _Finding:
    """Whether a server answers at the address; a local model needs none."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

    from agent.settings import is_here

    if settings.profile == "local":
        return "server", True, "the embedded one, started when needed"
    if settings.base_url is None:
        return "server", True, "OpenAI (not asked)"
    key = settings.api_key.get_secret_value() if settings.api_key else "none"
    address = f"{settings.base_url.rstrip('/')}/models"
    request = Request(address, headers={"Authorization": f"Bearer {key}"})  # noqa: S310 (settings take http only)
    handlers: list[BaseHandler] = [ProxyHandler({})] if is_here(settings.base_url) else []
    staying = HTTPRedirectHandler()
    staying.redirect_request = lambda *_: None  # type: ignore[method-assign] # the key goes to no other address
    try:
        with build_opener(staying, *handlers).open(request, timeout=5):
            return "server", True, f"{settings.base_url} answers"
    except HTTPError as error:
        ok = error.code == 404  # a server without a list of models may still answer calls
        cure = ": check OPENAI_API_KEY" if error.code in {401, 403} else "" if ok else ": check FACTDESK_BASE_URL"
        return "server", ok, f"{settings.base_url} answers {error.code}{cure}"
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        return "server", False, f"{settings.base_url} does not answer ({reason}): check FACTDESK_BASE_URL"


def _store(settings: Settings) -> _Finding:
    from agent.desk import embedder_of
    from agent.errors import AgentError
    from agent.store.hybrid import Store

    try:
        with Store.open(settings.store_dir, embedder_of(settings), chroma_url=settings.chroma_url) as opened:
            return "store", True, f"{settings.store_dir}: {len(opened.list())} documents"
    except AgentError as error:
        return "store", False, f"{error} (a verify with --sources needs none)"


def _runs(settings: Settings) -> _Finding:
    from agent.errors import AgentError
    from agent.runlog import RunLog

    try:
        with RunLog(settings.run_dir) as log:
            return "runs", True, f"{settings.run_dir}: {len(log.runs())} runs"
    except AgentError as error:
        return "runs", False, str(error)
