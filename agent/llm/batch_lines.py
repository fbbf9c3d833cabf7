"""One line of a provider's batch: a request out, and what became of it back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from agent.errors import AgentError, ConfigError, ModelError, TransientModelError
from agent.llm.base import ChatReply, ChatRequest


def request_line(name: str, sha256: str, request: ChatRequest) -> bytes:
    """The request as a line, addressed by its hash (64 characters, as many as the provider allows)."""
    from agent.llm.openai import request_body

    body = request_body(name, request)
    line = {"custom_id": sha256, "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(line).encode() + b"\n"


def read_lines(content: bytes, name: str) -> Iterator[tuple[str, ChatReply | AgentError]]:
    """What became of each request of a file of results or errors; they come in any order.

    A line that cannot be read is left out: its request then counts as unanswered.
    """
    for line in content.splitlines():
        try:
            found = json.loads(line)
            sha256 = str(found["custom_id"])
        except (ValueError, LookupError, TypeError):
            continue
        try:
            yield sha256, _outcome(found, name)
        except TransientModelError as error:
            yield sha256, error


def _outcome(line: Mapping[str, Any], name: str) -> ChatReply | AgentError:
    from agent.llm.openai import reply_of_body
    from agent.llm.translate import short

    response = line.get("response") or {}
    status, body = response.get("status_code"), response.get("body") or {}
    if status == 200:
        return reply_of_body(body)
    fault = line.get("error") or (body.get("error") if isinstance(body, dict) else None) or {}
    said = f"{fault.get('code') or status}: {short(fault.get('message'))}"
    if status in {401, 403, 404} or fault.get("code") == "insufficient_quota":
        return ConfigError(f"the provider refused the requests to model {name!r} ({said}): check key, model and quota")
    if status in {400, 422}:
        return ModelError(f"the provider refused the request to model {name!r} ({said})")
    return TransientModelError(f"model {name!r}: {said}")
