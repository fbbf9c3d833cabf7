"""The conversation in a terminal: the same rooms and session, lines instead of a page."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from agent.chat.cards import snapshot
from agent.chat.session import Said
from agent.chat.state import Controls
from agent.cli.view import plain
from agent.ingest.read import read_document

if TYPE_CHECKING:
    from agent.chat.room import Room
    from agent.chat.rooms import Rooms

_LEAVE = {"quit", "exit", "bye", "q"}


async def talk(rooms: Rooms, article: str | None, *, said: TextIO | None = None) -> None:
    """Check an article, then answer what is said (standard input if not given) until it ends."""
    lines = said or sys.stdin
    if article is None:
        room = await rooms.start_seed()
    else:
        is_address = article.startswith(("http://", "https://"))
        document = await rooms.article_at(article) if is_address else read_document(Path(article))
        room = await rooms.start(document, Controls())
    shown = asyncio.create_task(_show(room))
    try:
        print("Ask when you like; `stop` ends the check, `quit` leaves.", flush=True)
        await _settled(room, lines)
        while (line := await asyncio.to_thread(lines.readline)) and line.strip().lower() not in _LEAVE:
            if line.strip().lower() == "stop":
                await room.cancel()
            elif line.strip():
                room.hear(Said(text=line))
                await _settled(room, lines)
        await _settled(room, lines)
    finally:
        await rooms.close()
        await shown
        await rooms.house.model.aclose()


async def _settled(room: Room, lines: TextIO) -> None:
    """Wait until nothing runs: input from a pipe is answered line by line."""
    while not lines.isatty() and room.is_busy:  # noqa: ASYNC110 (several things may end it)
        await asyncio.sleep(0.05)


async def _show(room: Room) -> None:
    told: dict[int, int] = {}
    for turn in snapshot(room.state)["turns"]:
        _turn(turn, told)
    async for event in room.stream.read(room.stream.last):
        name, _, data = event.partition("\ndata: ")
        kind = name.rpartition("event: ")[2]
        if kind == "claim":
            _claim(json.loads(data))
        elif kind == "turn":
            _turn(json.loads(data), told)


def _claim(claim: dict[str, Any]) -> None:
    if not claim["is_running"]:
        print(plain(f"{claim['number']:>3} {claim['symbol']} {claim['name']} {claim['confidence']}  {claim['text']}"))


def _turn(turn: dict[str, Any], told: dict[int, int]) -> None:
    """What of a turn has not been shown yet: a turn comes again while it grows."""
    if turn["who"] == "you":
        return
    lines = [turn["note"]] if turn["note"] else []
    lines += [f"  {one['text']}  [{'; '.join(ref['label'] for ref in one['refs'])}]" for one in turn["statements"]]
    lines += [
        f"  claim {change['number']}: {change['before']['name']} {change['before']['confidence']} → "
        f"{change['after']['name']} {change['after']['confidence']}"
        for change in turn["changes"]
    ]
    for line in lines[told.get(turn["number"], 0) :]:
        print(plain(line), flush=True)
    told[turn["number"]] = len(lines)
