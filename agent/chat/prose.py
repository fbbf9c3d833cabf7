"""The language model in a conversation: it words quotes, or chooses what is asked; code keeps only what holds."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.chat.actions import Tell
from agent.chat.state import QuoteRef, State, Statement
from agent.llm.base import ChatModel, ChatRequest, Message
from agent.llm.reply import ask, parse_json
from agent.llm.streamed import StreamedModel
from agent.text import as_data, content_words, numbers
from prompts import load

_MOST = 3
_LONGEST = 300
_SHARED = 0.5
_SHOWN_CLAIMS = 30
_VERDICT_WORDS = re.compile(
    r"\b(true|false|refut\w*|supported|verdict|debunk\w*|proven?|confirmed as|incorrect|correct|claim \d+)\b",
    re.IGNORECASE,
)
"""What a model must not pronounce on, unless its quote says it."""


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid")
    quote: int = Field(ge=1)
    says: str = Field(max_length=_LONGEST)


class _Chosen(BaseModel):
    model_config = ConfigDict(extra="forbid")
    topic: Literal[
        "why", "against", "for", "missing", "change", "plain", "independent", "searched", "compare", "matters",
        "sources", "summary", "none",
    ]  # fmt: skip
    claim: int = Field(ge=0)


async def write(model: StreamedModel, question: str, quoted: Sequence[Statement]) -> AsyncIterator[Statement]:
    """A model's statements on quotes, each as soon as it is whole and has been checked against its quote."""
    shown = "\n".join(f"[{number}] {as_data(one.text)}" for number, one in enumerate(quoted, 1))
    request = ChatRequest(
        messages=_messages("chat_answer", question=as_data(question), quotes=shown),
        schema_name="chat_answer",
        json_schema=_schema_of_statements(len(quoted)),
        max_tokens=220,
    )
    text, given = "", 0
    async with aclosing(model.stream(request)) as pieces:
        async for piece in pieces:
            text += piece
            items = whole_items(text)
            for item in items[given:_MOST]:
                statement = checked(item, quoted)
                if statement is not None:
                    yield statement
            given = len(items)


def whole_items(text: str) -> list[object]:
    """The items of the list in a JSON text that is still being written, those that are whole."""
    start = text.find("[")
    if start < 0:
        return []
    decoder, at = json.JSONDecoder(), start + 1
    items: list[object] = []
    while True:
        while at < len(text) and text[at] in " \n\r\t,":
            at += 1
        try:
            item, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return items
        items.append(item)


def checked(item: object, quoted: Sequence[Statement]) -> Statement | None:
    """The statement when its words and numbers are those of its quote and it pronounces on nothing; else None."""
    try:
        said = _Said.model_validate(item)
    except ValidationError:
        return None
    text = " ".join(said.says.split())
    if said.quote > len(quoted) or not text:
        return None
    source = quoted[said.quote - 1]
    words, given = content_words(text), set(content_words(source.text))
    is_grounded = bool(words) and sum(word in given for word in words) >= _SHARED * len(words)
    told = {word.casefold() for word in _VERDICT_WORDS.findall(text)}
    known = {word.casefold() for word in _VERDICT_WORDS.findall(source.text)}
    if not is_grounded or not numbers(text) <= numbers(source.text) or not told <= known:
        return None
    refs = tuple(ref for ref in source.refs if isinstance(ref, QuoteRef))
    return Statement(text=text, refs=refs) if refs else None


async def choose_topic(model: ChatModel, question: str, state: State) -> Tell | None:
    """What the model takes a question for; None when for nothing we know.

    Raises:
        ModelError: no usable reply.
    """
    claims = state.claims[:_SHOWN_CLAIMS]
    listed = "\n".join(f"{number}. {as_data(claim.text)[:160]}" for number, claim in enumerate(claims, 1))
    schema = _Chosen.model_json_schema()
    request = ChatRequest(
        messages=_messages("chat_choose", claims=listed or "(none)", question=as_data(question)[:500]),
        schema_name="chat_choose",
        json_schema={
            "type": "object",
            "properties": {"topic": {"enum": schema["properties"]["topic"]["enum"]}, "claim": {"type": "integer"}},
            "required": ["topic", "claim"],
            "additionalProperties": False,
        },
        max_tokens=40,
    )
    chosen, _ = await ask(model, request, _parse_choice)
    if chosen.topic == "none":
        return None
    claim = claims[chosen.claim - 1].id if 0 < chosen.claim <= len(claims) else None
    return Tell(what=chosen.topic, claim_id=claim)


def _parse_choice(text: str) -> _Chosen:
    return _Chosen.model_validate(parse_json(text))


def _messages(name: str, **values: str) -> tuple[Message, ...]:
    return tuple(Message(role=role, content=text) for role, text in load(name).render(**values))


def _schema_of_statements(quotes: int) -> dict[str, object]:
    one = {
        "type": "object",
        "properties": {
            "quote": {"enum": list(range(1, quotes + 1))},
            "says": {"type": "string", "maxLength": _LONGEST},
        },
        "required": ["quote", "says"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"statements": {"type": "array", "items": one, "maxItems": _MOST}},
        "required": ["statements"],
        "additionalProperties": False,
    }
