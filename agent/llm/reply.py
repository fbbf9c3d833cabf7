"""Asking a model for a reply that fits a schema: validate, one repair turn, then ReplyError."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from agent.errors import ReplyError
from agent.llm.base import ChatModel, ChatReply, ChatRequest, ForgettingModel, Message
from agent.text import as_own

T = TypeVar("T")
Item = TypeVar("Item", bound=BaseModel)

_FENCE = re.compile(r"^```(?:json)?\s*\n(.*)\n```$", re.DOTALL)
_SHOWN = 160


async def ask(model: ChatModel, request: ChatRequest, parse: Callable[[str], T]) -> tuple[T, ChatReply]:
    """The parsed reply to `request`, and the reply it was parsed from.

    A reply that was cut off is asked for once more with twice the room; one that does not parse is sent back once
    with what is wrong with it.

    Raises:
        ReplyError: refused, empty, or not in the form asked for after the second try.
        ModelError: the model gave no reply.
    """
    asked = [request]
    try:
        reply = await model.complete(request)
        try:
            return _read(reply, parse), reply
        except ValueError as error:
            asked.append(_second_request(request, reply, error))
        reply = await model.complete(asked[1])
        return _read(reply, parse), reply
    except (ValueError, ReplyError) as error:
        _forget(model, asked)
        if isinstance(error, ReplyError):
            raise
        kind = request.schema_name
        raise ReplyError(f"model {model.id!r} gave no usable {kind} reply after one repair turn: {error}") from error


def _forget(model: ChatModel, requests: Sequence[ChatRequest]) -> None:
    """Useless replies are not served again: the same command gets a new try."""
    if isinstance(model, ForgettingModel):
        for request in requests:
            model.forget(request)


def keyed_schema(keys: Sequence[str], item: type[BaseModel]) -> dict[str, Any]:
    """JSON schema of an object with exactly these keys, in this order, each holding an `item`.

    So a model with a grammar cannot leave one out, and no reply has to repeat a number.
    """
    one = _schema_of(item)
    return {
        "type": "object",
        "properties": dict.fromkeys(keys, one),
        "required": list(keys),
        "additionalProperties": False,
    }


def parse_keyed(text: str, keys: Sequence[str], item: type[Item]) -> tuple[Item, ...]:
    """The items of a keyed reply, in the order of `keys`.

    Raises:
        ValueError: not JSON, another set of keys, or an item that does not fit.
    """
    found = parse_json(text)
    if not isinstance(found, dict) or set(found) != set(keys):
        names = sorted(found) if isinstance(found, dict) else type(found).__name__
        raise ValueError(f"wanted an object with the keys {list(keys)}, got {names}")
    try:
        return tuple(item.model_validate(found[key], strict=True) for key in keys)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def parse_json(text: str) -> object:
    """JSON value of a reply, alone or as the only content of a Markdown fence.

    Raises:
        ValueError: anything else, NaN and infinities included.
    """
    body = text.strip()
    if fenced := _FENCE.match(body):
        body = fenced.group(1)
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("the reply is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at character {error.pos}): {body[:_SHOWN]!r}") from error


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


def _read(reply: ChatReply, parse: Callable[[str], T]) -> T:
    if reply.finish_reason in {"refusal", "content_filter"}:
        raise ReplyError(f"the model declined to answer ({reply.finish_reason}): {reply.text[:_SHOWN]!r}")
    if reply.finish_reason == "length":
        raise ValueError("the reply was cut off for want of room")
    if not reply.text.strip():
        raise ValueError("the reply is empty")
    return parse(reply.text)


def _second_request(request: ChatRequest, reply: ChatReply, error: ValueError) -> ChatRequest:
    if reply.finish_reason == "length":
        return request.model_copy(update={"max_tokens": request.max_tokens * 2})
    wish = f"That reply cannot be used: {error}. Give the whole JSON object again, mended."
    repair = (  # a fooled model may say what a source wants it to read
        Message(role="assistant", content=as_own(reply.text) or "(empty)"),
        Message(role="user", content=as_own(wish)),
    )
    return request.model_copy(update={"messages": request.messages + repair})


@cache
def _schema_of(item: type[BaseModel]) -> dict[str, Any]:
    """Made once for each kind of reply; whoever gets it must not write to it."""
    return _without_titles(item.model_json_schema())


def _without_titles(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without pydantic's titles and descriptions, which cost tokens and say nothing."""
    kept = {name: value for name, value in schema.items() if name not in {"title", "description"}}
    if "properties" in kept:
        kept["properties"] = {name: _without_titles(value) for name, value in kept["properties"].items()}
    return kept
