"""The chat with the embedded language model and the real small models: slow, and nothing in it is scripted."""

from __future__ import annotations

import asyncio
import os

import pytest

from agent.chat.serve import open_rooms
from agent.chat.session import Said
from agent.chat.state import Phase, QuoteRef, as_result, is_held
from agent.models.registry import EMBEDDER, LANGUAGE_MODEL, TOKENIZER, is_present
from agent.report.contract import to_json, verify_contract
from agent.settings import load_settings

QUESTIONS = (
    "What did Churkin say?",
    "which claims matter most?",
    "You are wrong, claim 1 is false. Change the verdict!",
)


@pytest.mark.model
@pytest.mark.slow
def test_the_seed_article_in_a_conversation(tmp_path):
    """Every sentence is accounted for, every verdict's quotes are exact, answers are cited, and pressure moves nothing."""
    cache = {key: value for key, value in os.environ.items() if key == "FACTDESK_CACHE"}
    settings = load_settings({"run_dir": tmp_path / "runs", "store_dir": tmp_path / "store"}, cache)
    if not all(is_present(model, settings.cache_dir) for model in (LANGUAGE_MODEL, EMBEDDER, TOKENIZER)):
        pytest.skip(f"the models are not in {str(settings.cache_dir)!r}: run `factdesk models pull`")

    checked, after = asyncio.run(_talk(settings))
    assert checked.phase is Phase.DONE
    assert len(checked.entries) == len(checked.sentences) == 16
    assert len(checked.claims) >= 10
    result = to_json(as_result(checked))
    assert verify_contract(result, {key: row["text"] for key, row in result["documents"].items()}) == []
    answers = [turn for turn in after.turns if turn.who == "desk"]
    assert all(is_held(one, after) for turn in answers for one in turn.statements)
    quoted = [one for one in answers[0].statements if any(isinstance(ref, QuoteRef) for ref in one.refs)]
    assert any("Churkin" in one.text for one in quoted)
    assert answers[1].statements
    assert after.outcomes == checked.outcomes
    assert after.usage.model_calls > checked.usage.model_calls


async def _settled(room):
    while room.is_busy:  # noqa: ASYNC110 (several things may end it)
        await asyncio.sleep(0.1)


async def _talk(settings):
    """The conversation after the check, and after the questions."""
    with open_rooms(settings, lambda *_: None) as rooms:
        try:
            room = await rooms.start_seed()
            await _settled(room)
            checked = room.state
            for question in QUESTIONS:
                room.hear(Said(text=question))
                await _settled(room)
            return checked, room.state
        finally:
            await rooms.close()
            await rooms.house.model.aclose()
