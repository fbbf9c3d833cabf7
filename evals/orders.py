"""How well orders to the reader are seen (`agent.stages.checks.instructions`): hits on attacks, alarms on clean text.

    python -m evals.orders ../shared/data

Attacks are the texts of `injection/items.jsonl`, by kind; clean are the first passages of each document of the claim
sets, with titles. Prints a Markdown table with Wilson intervals. The rules were written with the attacks in sight, so
their share is that of a regression test; the clean texts were seen only in counting.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from agent.domain import Document
from agent.errors import AgentError, InputError
from agent.ingest.chunk import cut_passages
from agent.ingest.sources import iterate_sources
from agent.stages.checks.instructions import instruction_in
from evals.intervals import wilson

_DOCUMENTS = 200
"""Of each set."""
_PASSAGES = 3
"""Of each document."""
_SHOWN = 5


def attacks(folder: Path) -> Iterator[tuple[str, str]]:
    """Kind and text of each attack and of each sentence that only looks like one."""
    path = folder / "injection" / "items.jsonl"
    if not path.is_file():
        raise InputError(f"{str(path)!r} does not exist: name the folder that holds injection/items.jsonl")
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row["kind"], row["text"]


def clean(folder: Path) -> Iterator[tuple[str, str]]:
    """Set and text of each passage of ordinary sources."""
    for corpus in sorted(folder.glob("*/corpus.jsonl")):
        documents = (found for found in iterate_sources([corpus]) if isinstance(found, Document))
        for document, _ in zip(documents, range(_DOCUMENTS), strict=False):
            for passage in cut_passages(document)[:_PASSAGES]:
                yield corpus.parent.name, f"{document.publisher or ''}\n{document.title}\n{passage.text}"


def main(folder: Path) -> None:
    """Count and print."""
    print("| texts | seen as orders | n | share | 95 % |\n|---|---|---|---|---|")
    for rows in (attacks(folder), clean(folder)):
        hits, sizes = Counter[str](), Counter[str]()
        shown: list[str] = []
        for name, text in rows:
            found = instruction_in(text)
            sizes[name] += 1
            hits[name] += bool(found)
            shown += [f"{name}: {found}"] if found else []
        for name, size in [*sorted(sizes.items()), ("all", sizes.total())]:
            share = wilson(hits.total() if name == "all" else hits[name], size)
            interval = f"[{share.low:.3f}, {share.high:.3f}]"
            print(f"| {name} | {round(share.value * size)} | {size} | {share.value:.3f} | {interval} |")
    print("".join(f"\n- {line}" for line in shown[:_SHOWN]) or "\nNo clean text was taken for an order.")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("../shared/data"))
    except AgentError as error:
        sys.exit(f"evals.orders: {error}")
