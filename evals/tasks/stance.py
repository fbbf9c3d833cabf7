"""Stance on gold passages of the shared sets: does a judge read what a passage says about a claim?

    python -m evals.tasks.stance --half reporting

Where a set names the quotes that decide a claim together, the passage is what our chunker cuts around them; where it
judges each quote alone, the passage is the quote. Sets without neutral passages get foils: the other passage of the
corpus that shares most words with the claim, which is nearly always neutral. Halves are by `group_id`: parameters are
fitted on the tuning half (`evals.training.fit_stance`), figures are quoted from the reporting half.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from agent.domain import Claim, Document, Hit, Passage, Span, Stance, StanceScores, claim_id, passage_of, text_sha256
from agent.errors import AgentError, InputError
from agent.ingest.chunk import cut_passages
from agent.models.registry import TOKENIZER, model_path
from agent.settings import load_settings
from agent.small.cross_encoder import CrossEncoder, shipped_cross_encoder
from agent.stages.judge import StanceJudge
from agent.stages.stance import CrossEncoderJudge, load_calibration
from agent.text import content_words
from evals.intervals import Proportion, wilson

Half = Literal["tuning", "reporting"]
Row = dict[str, Any]

DATA = Path(__file__).parents[3] / "shared" / "data"
SETS = ("fool_me_twice", "feverous_text", "scifact", "fever_symmetric", "factcheck_bench", "climate_fever")
_LONGEST = 2500
"""Characters of a passage; gold spread wider is left out."""
_RESAMPLES = 1000


class Item(NamedTuple):
    """A claim, a passage and what the passage says about the claim."""

    claim: Claim
    document: Document
    passage: Passage
    stance: Stance
    group: str


class Judged(NamedTuple):
    """What a judge made of an item."""

    item: Item
    stance: Stance
    scores: StanceScores


def load_items(folder: Path, *, half: Half, limit: int | None = None) -> tuple[Item, ...]:
    """The items of one half of a set, in the order of its claims; `limit` takes that many at random, seeded.

    Raises:
        InputError: the set is not there.
    """
    corpus = {row["id"]: _document(row) for row in _rows(folder / "corpus.jsonl")}
    claims = [row for row in _rows(folder / "claims.jsonl") if half_of(row["group_id"]) == half]
    passages = {name: cut_passages(document) for name, document in corpus.items()}
    foils = _Foils(passages)
    found = [item for row in claims for item in (*_gold(row, corpus, passages), *_foil(row, corpus, foils))]
    if limit is not None and limit < len(found):
        found = random.Random(0).sample(found, limit)  # noqa: S311 (a sample, no secret)
    return tuple(found)


def half_of(group: str) -> Half:
    """Which half a group of claims belongs to."""
    return "reporting" if int(hashlib.sha256(group.encode()).hexdigest(), 16) % 2 else "tuning"


def _rows(path: Path) -> list[Row]:
    if not path.is_file():
        raise InputError(f"{str(path)!r} does not exist: name the folder of the shared sets with --data")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _document(row: Row) -> Document:
    title, text = row["title"] or "", row["text"]
    return Document(id=row["id"], text=text, title=title, published=row["published"], sha256=text_sha256(text))


def _gold(row: Row, corpus: dict[str, Document], passages: dict[str, tuple[Passage, ...]]) -> Iterator[Item]:
    sets: dict[tuple[str, int], list[Row]] = defaultdict(list)
    spread: dict[int, set[str]] = defaultdict(set)
    for number, piece in enumerate(row["evidence"]):
        sets[piece["doc_id"], piece.get("group", number)].append(piece)
        spread[piece.get("group", number)].add(piece["doc_id"])
    taken: set[str] = set()
    for (name, group), pieces in sets.items():
        grouped, stances = "group" in pieces[0], {piece["stance"] for piece in pieces}
        if len(spread[group]) > 1 or len(stances) > 1 or (grouped and name in taken):
            continue
        taken.add(name)
        quotes = _quotes(corpus[name], pieces)
        span = _around(quotes, passages[name]) if grouped else _hull(quotes)
        if span.end - span.start <= _LONGEST:
            yield _item(row, corpus[name], passage_of(corpus[name], span), Stance(pieces[0]["stance"]))


def _quotes(document: Document, pieces: Iterable[Row]) -> list[Span]:
    starts = [(document.text.index(piece["quote"]), len(piece["quote"])) for piece in pieces]
    return [Span(start=start, end=start + length) for start, length in starts]


def _hull(spans: Sequence[Span]) -> Span:
    return Span(start=min(span.start for span in spans), end=max(span.end for span in spans))


def _around(quotes: Sequence[Span], passages: Sequence[Passage]) -> Span:
    """The first passage that holds all quotes, or all passages that touch one."""
    whole = _hull(quotes)
    for passage in passages:
        if passage.span.start <= whole.start and whole.end <= passage.span.end:
            return passage.span
    touched = [passage.span for passage in passages if any(_meet(passage.span, quote) for quote in quotes)]
    return _hull(touched or quotes)


def _meet(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


class _Foils:
    """Finds the passage that shares most words with a claim."""

    def __init__(self, passages: dict[str, tuple[Passage, ...]]) -> None:
        self._passages = [passage for found in passages.values() for passage in found]
        self._words = [frozenset(content_words(passage.text)) for passage in self._passages]

    def nearest(self, claim: str, gold: dict[str, list[Span]]) -> Passage:
        wanted = set(content_words(claim))

        def key(number: int) -> tuple[bool, int, int]:
            passage = self._passages[number]
            holds_gold = any(_meet(passage.span, span) for span in gold.get(passage.document_id, ()))
            return (holds_gold, -len(wanted & self._words[number]), number)

        return self._passages[min(range(len(self._passages)), key=key)]


def _foil(row: Row, corpus: dict[str, Document], foils: _Foils) -> Iterator[Item]:
    """A near miss for the claim, where the set's own evidence has none and its corpus hides no other evidence."""
    name = row["id"].split("-")[0]
    if name in {"fm2", "feverous"} or (name == "scifact" and not row["evidence"]):
        gold: dict[str, list[Span]] = defaultdict(list)
        for piece in row["evidence"]:
            gold[piece["doc_id"]] += _quotes(corpus[piece["doc_id"]], [piece])
        passage = foils.nearest(row["text"], gold)
        yield _item(row, corpus[passage.document_id], passage, Stance.NEUTRAL)


def _item(row: Row, document: Document, passage: Passage, stance: Stance) -> Item:
    claim = Claim(id=claim_id(row["text"], None), text=row["text"])
    return Item(claim, document, passage, stance, row["group_id"])


async def judge_items(judge: StanceJudge, items: Sequence[Item]) -> tuple[Judged, ...]:
    """Each item judged alone, one after the other."""
    found = []
    for item in items:
        hit = Hit(passage=item.passage, rank=1, score=1.0, origin=item.document.id)
        (piece,) = (await judge.judge(item.claim, (hit,), {item.document.id: item.document})).evidence
        certain = {stance.value: float(stance is piece.stance) for stance in Stance}
        found.append(Judged(item, piece.stance, piece.scores or StanceScores(**certain)))
    return tuple(found)


def score(judged: Sequence[Judged]) -> dict[str, Proportion]:
    """`three_way` accuracy, `macro_f1` over the stances in gold, `two_way` accuracy where gold takes a side."""
    sides = [row for row in judged if row.item.stance is not Stance.NEUTRAL]
    surer = [(row.scores.supports >= row.scores.refutes) == (row.item.stance is Stance.SUPPORTS) for row in sides]
    return {
        "three_way": wilson(sum(row.stance is row.item.stance for row in judged), len(judged)),
        "macro_f1": _bootstrapped_f1(judged),
        "two_way": wilson(sum(surer), len(sides)),
    }


def macro_f1(pairs: Sequence[tuple[Stance, Stance]]) -> float:
    """Mean F1 over the stances that occur in gold; pairs are gold and found."""
    values = []
    for stance in Stance:
        gold = sum(pair[0] is stance for pair in pairs)
        found = sum(pair[1] is stance for pair in pairs)
        if gold:
            values.append(2 * sum(pair[0] is pair[1] is stance for pair in pairs) / (gold + found))
    return sum(values) / len(values) if values else float("nan")


def _bootstrapped_f1(judged: Sequence[Judged]) -> Proportion:
    """Macro-F1 with the percentile interval over resampled groups; the seed is fixed."""
    groups: dict[str, list[tuple[Stance, Stance]]] = defaultdict(list)
    for row in judged:
        groups[row.item.group].append((row.item.stance, row.stance))
    members, dice = list(groups.values()), random.Random(0)  # noqa: S311 (a bootstrap, no secret)
    drawn = sorted(
        macro_f1([pair for group in dice.choices(members, k=len(members)) for pair in group]) for _ in range(_RESAMPLES)
    )
    value = macro_f1([pair for group in members for pair in group])
    return Proportion(value, drawn[_RESAMPLES // 40], drawn[-1 - _RESAMPLES // 40], len(judged))


def cross_encoder() -> CrossEncoder:
    """The shipped cross-encoder with the tokenizer in the cache.

    Raises:
        ConfigError: the tokenizer is not there.
    """
    return shipped_cross_encoder(model_path(TOKENIZER, load_settings({"profile": "local"}).cache_dir))


def main() -> None:
    """Print the metrics of each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judge", choices=["cross-encoder"], default="cross-encoder")
    parser.add_argument("--half", choices=["tuning", "reporting"], default="tuning")
    parser.add_argument("--set", choices=SETS, action="append", help="one set, may be repeated; all without it")
    parser.add_argument("--limit", type=int, help="most items of a set")
    parser.add_argument("--data", type=Path, default=DATA)
    given = parser.parse_args()
    try:
        judge = CrossEncoderJudge(cross_encoder(), load_calibration())
        for name in given.set or SETS:
            items = load_items(given.data / name, half=given.half, limit=given.limit)
            _print(name, score(asyncio.run(judge_items(judge, items))))
    except AgentError as error:
        parser.error(str(error))


def _print(name: str, metrics: dict[str, Proportion]) -> None:
    for metric, found in metrics.items():
        print(
            f"{name:<16} {metric:<10} {found.value:.3f}  [{found.low:.3f}, {found.high:.3f}]  n={found.n}", flush=True
        )


if __name__ == "__main__":
    main()
