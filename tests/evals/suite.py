"""A small suite on disk, written by ourselves: invented places, all four labels, a contrast pair."""

from __future__ import annotations

import json

DOCUMENTS = {
    "mill": ("Mill fire", "The mill in Norvik burnt down on 4 March 2019, police said. Nobody was hurt.", "Post"),
    "flour": ("Flour", "The Norvik mill made 400 tons of flour in 2018.", "Trade Review"),
    "ferry": ("Ferry", "The Velmar ferry carried 41,200 passengers in 2022, the port office said.", "Port Office"),
    "ferry-b": ("Ferry again", "According to the union, the Velmar ferry carried 60,000 passengers in 2022.", "Union"),
    "rye": ("Rye", "Bakers in Velmar like rye.", "Velmar Daily"),
}
CASES = (
    ("c1", "The mill in Norvik burnt down on 4 March 2019.", "supported", "fire", (("mill", "supports"),)),
    ("c2", "The Norvik mill made 900 tons of flour in 2018.", "refuted", "flour", (("flour", "refutes"),)),
    ("c3", "The Norvik mill made 400 tons of flour in 2018.", "supported", "flour", (("flour", "supports"),)),
    (
        "c4",
        "The Velmar ferry carried 41,200 passengers in 2022.",
        "conflicting",
        "ferry",
        (("ferry", "supports"), ("ferry-b", "refutes")),
    ),
    ("c5", "Bakers in Velmar keep 12 cats.", "not_enough_evidence", "cats", ()),
)


def rows(cases=CASES):
    for name, text, label, group, evidence in cases:
        pieces = [{"doc_id": doc, "quote": DOCUMENTS[doc][1], "stance": stance} for doc, stance in evidence]
        yield {
            "id": name,
            "text": text,
            "label": label,
            "group_id": group,
            "evidence": pieces,
            "pair_id": "flour" if group == "flour" else None,
        }


def write_suite(folder, cases=None, **about):
    """The suite in a new folder; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    corpus = [
        {"id": name, "title": title, "text": text, "publisher": publisher, "published": "2023-01-01", "url": None}
        for name, (title, text, publisher) in DOCUMENTS.items()
    ]
    write_rows(folder / "claims.jsonl", rows() if cases is None else cases)
    write_rows(folder / "corpus.jsonl", corpus)
    if about:
        (folder / "suite.json").write_text(json.dumps(about))
    return folder


def write_rows(path, found):
    path.write_text("".join(json.dumps(row) + "\n" for row in found))
