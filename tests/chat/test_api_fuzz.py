"""Requests made up from the server's own description: none of them may be answered with a server error (T28)."""

from __future__ import annotations

import dataclasses
import json
import os
import urllib.request

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from agent.chat.quota import Quota
from tests.chat.house import running
from tests.desk import ARTICLE

EXAMPLES = int(os.environ.get("FACTDESK_FUZZ_EXAMPLES", "6"))
"""Requests for each route; `make fuzz` asks for many."""
_MANY = 10**9
_NO_END = "/events"
"""The stream of events does not end."""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The address of a real server, on which there are no quotas."""
    with running(tmp_path_factory.mktemp("fuzz")) as server:
        free = {name: Quota(name, _MANY) for name in ("messages", "checks")}
        server.rooms.house = dataclasses.replace(server.rooms.house, **free)
        yield f"{server.url}api/"


def ask(base, what, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{base}{what}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


def conversation(base):
    """The name of a conversation that is there; a new one where the last was deleted."""
    found = ask(base, "conversations")
    return found[0]["id"] if found else ask(base, "conversations", {"text": ARTICLE})["id"]


def fuzz(base, operation, known):
    """Requests to one route; gives how many were made."""
    made = []

    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def check(case):
        if known and "name" in case.path_parameters:
            case.path_parameters["name"] = conversation(base)
        answer = case.call(timeout=30)
        made.append(answer.status_code)
        assert answer.status_code < 500, f"{case.method} {case.formatted_path}: {answer.text[:500]}"

    check()
    return made


@pytest.mark.slow
@pytest.mark.parametrize("known", [False, True], ids=["any conversation", "one that is there"])
def test_no_request_is_answered_with_a_server_error(base, known):
    """Whatever its path, query, headers and body, on every route but the stream of events."""
    schema = schemathesis.openapi.from_url(f"{base}openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    seen = {
        f"{operation.method} {operation.path}": fuzz(base, operation, known)
        for operation in operations
        if not operation.path.endswith(_NO_END) and (not known or "{name}" in operation.path)
    }
    assert len(seen) > (10 if known else 15)
    assert all(seen.values())
    if known:
        assert any(status < 300 for made in seen.values() for status in made)
