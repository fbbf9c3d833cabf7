"""What a batch has not done yet, and what that will probably take, from what it has done."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.batch.budget import Price
from agent.batch.inputs import read_inputs, read_places
from agent.batch.journal import Journal
from agent.domain import Usage


def articles_left(journal: Journal) -> Iterator[tuple[str, str]] | None:
    """Place and id of each input that is not finished, in order; None where the inputs are not known.

    They are known for a batch begun by the command, from the folder it was begun in.
    """
    call = json.loads(journal.meta("call") or "{}")
    if call.get("folder") != str(Path.cwd()):
        return None
    return (one for one in read_places(call["inputs"]) if not journal.is_finished(one[0]))


def sample_places(inputs: Sequence[str], count: int) -> frozenset[str]:
    """Places of so many articles, chosen by chance, each as likely as any other; the same for the same inputs."""
    dice = random.Random(count)  # noqa: S311 (a sample, no secret)
    chosen: list[str] = []
    for number, (place, _) in enumerate(read_places(inputs)):
        if number < count:
            chosen.append(place)
        elif (at := dice.randrange(number + 1)) < count:
            chosen[at] = place
    return frozenset(chosen)


@dataclass(frozen=True)
class Estimate:
    """What is left, and what it will take at the rate of what was done; None where nothing was measured."""

    articles: int
    characters: int
    measured_articles: int
    calls: float | None = None
    tokens: float | None = None
    cost: float | None = None
    seconds: float | None = None


def estimate(inputs: Sequence[str], journal: Journal, price: Price | None) -> Estimate:
    """In proportion to the characters of the articles; reads all inputs once."""
    articles = characters = 0
    for row in read_inputs(inputs):
        if row.article is not None and not journal.is_finished(row.place):
            articles += 1
            characters += len(row.article.text)
    usage, done, read = measured(journal)
    if not read or not usage.model_calls:
        return Estimate(articles, characters, done)
    share = characters / read
    return Estimate(
        articles,
        characters,
        done,
        calls=usage.model_calls * share,
        tokens=(usage.prompt_tokens + usage.completion_tokens) * share,
        cost=price.of(usage) * share if price else None,
        seconds=usage.seconds * share,
    )


def measured(journal: Journal) -> tuple[Usage, int, int]:
    """What all calls of the batch have paid, for how many articles of how many characters."""
    usage = Usage.model_validate_json(journal.meta("usage") or "{}")
    return usage, int(journal.meta("measured_articles") or 0), int(journal.meta("measured_characters") or 0)
