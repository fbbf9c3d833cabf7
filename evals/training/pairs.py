"""Training pairs of evidence and claim: which files, how much of each, in which order, none that is evaluated on."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from agent.domain import Stance
from agent.errors import InputError
from agent.text import content_words

STANCES = (Stance.SUPPORTS, Stance.REFUTES, Stance.NEUTRAL)
GENERAL: Mapping[str, float] = {
    "mnli_matched_dev": 0.42, "snli_counterfactual": 0.28, "snli_devtest": 0.08, "breaking_nli": 0.17, "creak": 0.3,
    "infotabs": 0.18, "scitail_test": 0.28, "med_monotonicity": 0.06, "entailment_bank": 0.33, "begin_wow": 0.2,
}  # fmt: skip
"""First part: inference of all kinds; passes over each file."""
CLAIMS: Mapping[str, float] = {
    "fever_nli": 0.6, "sufficient_facts": 1, "fever_adversarial": 1, "fever_symmetric_rest": 2, "fool_me_twice_rest": 2,
    "feverous_rest": 1, "scifact_rest": 2, "summedits_scitldr": 0.5, "wice_partial": 1, "synthetic_wikipedia_1": 0.14,
    "synthetic_wikipedia_2": 0.14, "synthetic_wice": 0.14,
}  # fmt: skip
"""Second part: claims and encyclopaedic or scientific evidence, with own minimal edits."""
_SYNTHETIC_WEIGHT = 0.5


class Pair(NamedTuple):
    """Evidence, claim and what the one says of the other."""

    text: str
    claim: str
    stance: Stance
    weight: float = 1.0


def load_pairs(folder: Path, mix: Mapping[str, float], *, seed: int = 0) -> list[Pair]:
    """So many passes over each file, shuffled together by a seed; the head of a file is a fair sample of it.

    Raises:
        InputError: a file is missing, or `permissive.txt` does not name it.
    """
    allowed = set((folder / "permissive.txt").read_text(encoding="utf-8").split())
    pairs = [pair for name, passes in mix.items() for pair in _taken(folder, name, passes, allowed)]
    random.Random(seed).shuffle(pairs)  # noqa: S311 (an order, no secret)
    return pairs


def _taken(folder: Path, name: str, passes: float, allowed: set[str]) -> list[Pair]:
    path = folder / f"{name}.jsonl"
    if path.name not in allowed:
        raise InputError(f"{path.name!r} may not train weights that are shipped: permissive.txt does not name it")
    if not path.is_file():
        raise InputError(f"training file {str(path)!r} does not exist")
    weight = _SYNTHETIC_WEIGHT if name.startswith("synthetic") else 1.0
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    pairs = [Pair(row["premise"], row["hypothesis"], Stance(row["label"]), weight) for row in rows]
    whole = int(passes)
    return pairs * whole + pairs[: round(len(pairs) * (passes - whole))]


def batches(pairs: Sequence[Pair], size: int, *, seed: int = 0, chunk: int = 40) -> list[list[Pair]]:
    """Batches of pairs of like length, in the order of their chunks, so that little is computed on padding."""
    dice = random.Random(seed)  # noqa: S311 (an order, no secret)
    found = []
    for start in range(0, len(pairs), size * chunk):
        ordered = sorted(pairs[start : start + size * chunk], key=lambda pair: len(pair.text) + len(pair.claim))
        cut = [ordered[first : first + size] for first in range(0, len(ordered), size)]
        dice.shuffle(cut)
        found += cut
    return found


def evaluated_claims(data: Path) -> frozenset[str]:
    """The claims of all public sets, of both halves: `word_key` of each."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(data.glob("*/claims.jsonl"))]
    return frozenset(word_key(json.loads(row)["text"]) for text in texts for row in text.splitlines() if row.strip())


def unseen(pairs: Iterable[Pair], claims: frozenset[str]) -> list[Pair]:
    """Pairs whose claim says other words than every evaluated one."""
    return [pair for pair in pairs if word_key(pair.claim) not in claims]


def word_key(claim: str) -> str:
    """The content words of a claim, whatever their order."""
    return " ".join(sorted(content_words(claim)))
