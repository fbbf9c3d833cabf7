"""The whole pipeline on one annotated article: what of the gold was found, and how it was judged.

    factdesk verify seeds/deir-ez-zor/article.txt --json > run.json
    python -m evals.tasks.seed_article run.json

Sentences are matched by their offsets, claims within a sentence by shared content words. One article with one
annotator: the intervals say how little that is.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

from agent.report.contract import verify_contract
from agent.text import content_words
from evals.intervals import Proportion, wilson

MATCH = 0.5
"""Least F1 of content words for a found claim and a gold claim to be the same."""

Row = dict[str, Any]


def score(run: Row, gold: list[Row]) -> dict[str, Proportion]:
    """Metrics of one run (the JSON of `verify --json`) against gold claims of the same article.

    `ledger_coverage`: gold sentences whose characters are all in ledger sentences. `checkable_precision` and
    `checkable_recall`: sentences taken for checkable against those with a checkable gold claim. `claims_matched`:
    checkable gold claims with a matching found claim. `verdict_accuracy`: same label, over matched claims.
    `verdict_accuracy_of_all_gold`: over all checkable gold claims, unmatched ones counted wrong.
    `citation_validity`: citations that are exact at their offsets. `doc_overlap`: matched claims that cite a document
    gold cites, among those where both cite.
    """
    pairs = match_claims(run, gold)
    checkable = [row for row in gold if row["checkable"]]
    judged = [(found, row) for found, row in pairs if found["verdict"]]
    right = sum(found["verdict"]["label"] == row["verdict"] for found, row in judged)
    citations = [c for claim in run["claims"] if claim["verdict"] for c in claim["verdict"]["citations"]]
    broken = sum(
        "citation" in line
        for line in verify_contract(run, {name: row["text"] for name, row in run["documents"].items()})
    )
    cited = [
        (_documents(found["verdict"]["citations"]), {c["doc_id"] for c in row["citations"]}) for found, row in judged
    ]
    both = [(ours, theirs) for ours, theirs in cited if ours and theirs]
    return {
        "ledger_coverage": _coverage(run, gold),
        **_checkable(run, gold),
        "claims_matched": wilson(len(pairs), len(checkable)),
        "verdict_accuracy": wilson(right, len(judged)),
        "verdict_accuracy_of_all_gold": wilson(right, len(checkable)),
        "citation_validity": wilson(len(citations) - broken, len(citations)),
        "doc_overlap": wilson(sum(bool(ours & theirs) for ours, theirs in both), len(both)),
    }


def match_claims(run: Row, gold: list[Row]) -> list[tuple[Row, Row]]:
    """Pairs of found and checkable gold claims, one to one, most alike first, within overlapping sentences."""
    candidates = [
        (likeness(found["text"], row["claim"]), i, j)
        for i, found in enumerate(run["claims"])
        for j, row in enumerate(gold)
        if row["checkable"] and found["start"] < row["end"] and row["start"] < found["end"]
    ]
    taken: tuple[set[int], set[int]] = (set(), set())
    pairs = []
    for value, i, j in sorted(candidates, key=lambda row: (-row[0], row[1], row[2])):
        if value >= MATCH and i not in taken[0] and j not in taken[1]:
            taken[0].add(i)
            taken[1].add(j)
            pairs.append((run["claims"][i], gold[j]))
    return pairs


def likeness(one: str, other: str) -> float:
    """F1 of the content words two texts share."""
    a, b = Counter(content_words(one)), Counter(content_words(other))
    shared = sum((a & b).values())
    return 2 * shared / (sum(a.values()) + sum(b.values())) if shared else 0.0


def _documents(citations: list[Row]) -> set[str]:
    return {citation["document_id"] for citation in citations}


def _coverage(run: Row, gold: list[Row]) -> Proportion:
    text = run["article"]["text"]
    held = {i for s in run["sentences"] for i in range(s["start"], s["end"])}
    spans = {(row["start"], row["end"]) for row in gold}
    whole = sum(all(i in held or text[i].isspace() for i in range(*span)) for span in spans)
    return wilson(whole, len(spans))


def _checkable(run: Row, gold: list[Row]) -> dict[str, Proportion]:
    wanted = [(row["start"], row["end"]) for row in gold if row["checkable"]]
    taken = [(s["start"], s["end"]) for s in run["sentences"] if s["status"] == "checked"]
    wanted = sorted(set(wanted))
    precise = sum(any(_overlap(one, other) for other in wanted) for one in taken)
    recalled = sum(any(_overlap(one, other) for other in taken) for one in wanted)
    return {"checkable_precision": wilson(precise, len(taken)), "checkable_recall": wilson(recalled, len(wanted))}


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def main() -> None:
    """Print the metrics and the confusion of labels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="JSON of `factdesk verify --json`")
    default = Path(str(files("evals").joinpath("cases", "deir-ez-zor", "gold.jsonl")))
    parser.add_argument("--gold", type=Path, default=default)
    given = parser.parse_args()
    run = json.loads(given.run.read_text(encoding="utf-8"))
    gold = [json.loads(line) for line in given.gold.read_text(encoding="utf-8").splitlines()]
    for name, found in score(run, gold).items():
        print(f"{name:<30} {found.value:.3f}  [{found.low:.3f}, {found.high:.3f}]  n={found.n}")
    confusion = Counter(
        (row["verdict"], found["verdict"]["label"] if found["verdict"] else "failed")
        for found, row in match_claims(run, gold)
    )
    for (wanted, label), count in sorted(confusion.items()):
        print(f"  gold {wanted:<20} found {label:<20} {count}")


if __name__ == "__main__":
    main()
