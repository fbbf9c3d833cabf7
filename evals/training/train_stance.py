"""Train the stronger stance cross-encoder; stop it at any time, and the same command goes on.

    python -m evals.training.train_stance --base all-mpnet-base-v2 --data ../shared/data --out runs/stance-mpnet

Writes into the folder `--out`: `adapter.safetensors` (what training changed), `state.json` (where it stands) and
`log.jsonl` (loss and scores on the tuning halves). The optimiser starts anew after a stop, with a short warm-up.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agent.domain import Data, Stance
from agent.errors import InputError
from evals.runs import write_whole
from evals.training import encoder
from evals.training.fit_stance import FIT_SETS, load_cases
from evals.training.pairs import CLAIMS, GENERAL, STANCES, Pair, batches, evaluated_claims, load_pairs, unseen

_SIZE = 16
_RATE = 4e-4
_WARM = 100
_SMOOTHING = 0.05
_SAVED_EVERY = 100
_SCORED_EVERY = 400
_DEV_ITEMS = 80


class State(Data):
    """Where training stands."""

    step: int = 0
    steps: int = 0
    layers: int = encoder.LAYERS


class Dev(NamedTuple):
    """Pairs of the tuning half of one set."""

    name: str
    pairs: tuple[tuple[str, str], ...]
    stances: tuple[Stance, ...]


class Trainer:
    """A model, its optimiser, and the folder it is kept in."""

    def __init__(self, base: Path, out: Path, *, layers: int, steps: int) -> None:
        import torch
        from transformers import AutoTokenizer

        out.mkdir(parents=True, exist_ok=True)
        self.out = out
        self.state = self._read() or State(steps=steps, layers=layers)
        if (self.state.steps, self.state.layers) != (steps, layers):
            raise InputError(f"{str(out)!r} holds another training ({self.state}): choose another folder")
        self.tokenizer = AutoTokenizer.from_pretrained(base)
        self.model = encoder.build(base, layers=layers)
        if self.state.step:
            encoder.restore(self.model, out / "adapter.safetensors")
        encoder.freeze(self.model, min(encoder.FROZEN, layers // 2))
        self._half = torch.cpu.get_capabilities().get("avx512_bf16", False)
        self._began = self.state.step
        self._optimiser = torch.optim.AdamW(encoder.trained(self.model), lr=_RATE, weight_decay=0.01)
        self._loss = 0.0

    def step(self, batch: Sequence[Pair]) -> None:
        """One step of the optimiser, in bfloat16 where the processor has it: elsewhere that is ten times slower."""
        import torch

        self._set_rate()
        inputs = encoder.encode(self.tokenizer, [(pair.text, pair.claim) for pair in batch])
        gold = torch.tensor([STANCES.index(pair.stance) for pair in batch])
        weights = torch.tensor([pair.weight for pair in batch])
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self._half):
            logits = self.model(**inputs).logits.float()
        losses = torch.nn.functional.cross_entropy(logits, gold, reduction="none", label_smoothing=_SMOOTHING)
        loss = (losses * weights).sum() / weights.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.trained(self.model), 1.0)
        self._optimiser.step()
        self._optimiser.zero_grad()
        self._loss = loss.item() if not self._loss else 0.98 * self._loss + 0.02 * loss.item()
        self.state = self.state.model_copy(update={"step": self.state.step + 1})

    def save(self) -> None:
        """Adapter first, then the state that counts on it."""
        encoder.save(self.model, self.out / "adapter.safetensors")
        write_whole(self.out / "state.json", self.state.model_dump_json())

    def log(self, **figures: Any) -> None:
        """Add a line to the log."""
        row = {"step": self.state.step, "steps": self.state.steps, "loss": round(self._loss, 4), **figures}
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)

    def scores(self, sets: Sequence[Dev]) -> dict[str, dict[str, float]]:
        """Three-way accuracy, and accuracy between the two sides, on each set."""
        return {one.name: _score(encoder.probabilities(self.model, self.tokenizer, one.pairs), one) for one in sets}

    def _set_rate(self) -> None:
        """Linear warm-up, after every start, and linear decay to the end."""
        done = self.state.step
        warm = min(1.0, (done - self._began + 1) / _WARM)
        for group in self._optimiser.param_groups:
            group["lr"] = _RATE * warm * (1 - done / self.state.steps)

    def _read(self) -> State | None:
        path = self.out / "state.json"
        return State.model_validate_json(path.read_text(encoding="utf-8")) if path.is_file() else None


def train(trainer: Trainer, todo: Sequence[Sequence[Pair]], sets: Sequence[Dev]) -> None:
    """Go on from where the trainer stands to the end of the batches."""
    began, pairs = time.monotonic(), 0
    trainer.model.train()
    for batch in todo[trainer.state.step :]:
        trainer.step(batch)
        pairs += len(batch)
        last = trainer.state.step == trainer.state.steps
        if last or trainer.state.step % _SAVED_EVERY == 0:
            trainer.save()
            trainer.log(pairs_a_second=round(pairs / (time.monotonic() - began), 2))
        if last or trainer.state.step % _SCORED_EVERY == 0:
            trainer.log(tuning=trainer.scores(sets))


def dev_sets(data: Path, items: int) -> Iterator[Dev]:
    """Pairs of the tuning halves, as the judge reads them: the title, then the passage."""
    for name in FIT_SETS:
        cases = load_cases(data / name, limit=items)
        texts = (f"{case.document.title.rstrip('.')}. {case.passage.text}".lstrip(". ") for case in cases)
        pairs = tuple((" ".join(text.split()), case.claim.text) for text, case in zip(texts, cases, strict=True))
        yield Dev(name, pairs, tuple(case.stance for case in cases))


def _score(found: Any, dev: Dev) -> dict[str, float]:
    gold = np.array([STANCES.index(stance) for stance in dev.stances])
    sided = gold < 2
    return {
        "n": len(gold),
        "accuracy": round(float((found.argmax(axis=1) == gold).mean()), 3),
        "two_way": round(float((found[sided, :2].argmax(axis=1) == gold[sided]).mean()), 3),
    }


def main() -> None:
    """Read the pairs, go on from the last checkpoint, train to the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True, help="folder of all-mpnet-base-v2")
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--layers", type=int, default=encoder.LAYERS, help="lower layers that are kept")
    parser.add_argument("--limit", type=int, help="pairs of each part, for a trial")
    given = parser.parse_args()
    sets = list(dev_sets(given.data, given.limit or _DEV_ITEMS))
    claims = evaluated_claims(given.data)
    parts = [unseen(load_pairs(given.data / "training", mix), claims)[: given.limit] for mix in (GENERAL, CLAIMS)]
    todo = [batch for part in parts for batch in batches(part, _SIZE)]
    train(Trainer(given.base, given.out, layers=given.layers, steps=len(todo)), todo, sets)


if __name__ == "__main__":
    main()
