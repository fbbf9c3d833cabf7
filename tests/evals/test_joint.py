"""All corpora in one suite."""

from __future__ import annotations

import json

import pytest

from agent.errors import InputError
from agent.stages.retrieve import publisher_key
from evals.joint import write_joint
from evals.suites import half_of, load_suite
from tests.evals.suite import write_suite


def test_claims_find_their_documents_among_those_of_all(tmp_path):
    """Two sets with the same ids are kept apart, and every quote is in its document."""
    own = load_suite(write_suite(tmp_path / "data" / "mills"))
    write_suite(tmp_path / "data" / "more")
    joint = load_suite(write_joint(tmp_path / "data", tmp_path / "all", half="all", sets=("mills", "more")))
    assert len(joint.claims) == 2 * len(own.claims)
    assert len(joint.corpus) == 2 * len(own.corpus)
    for case in joint.claims:
        name = case.id.partition(":")[0]
        assert all(piece.doc_id.startswith(f"{name}:") for piece in case.evidence)
    assert {case.group_id.partition(":")[0] for case in joint.claims} == {"mills", "more"}


def test_a_claim_is_in_the_half_of_its_own_set(tmp_path):
    """Nothing that was tuned on is reported because its group has a longer name here."""
    own = load_suite(write_suite(tmp_path / "data" / "mills"))
    for half in ("tuning", "reporting"):
        wanted = {f"mills:{case.id}" for case in own.claims if half_of(case.group_id or case.id) == half}
        if wanted:
            joint = load_suite(write_joint(tmp_path / "data", tmp_path / half, half=half, sets=("mills",)))
            assert {case.id for case in joint.claims} == wanted


def test_no_set_at_all_is_told(tmp_path):
    """The cure is named."""
    with pytest.raises(InputError, match=r"docs/data\.md"):
        write_joint(tmp_path, tmp_path / "all")


def test_a_collection_is_no_publisher(tmp_path):
    """Abstracts of a thousand journals are not capped as if one hand had written them."""
    folder = write_suite(tmp_path / "data" / "mills")
    rows = [json.loads(line) for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    names = ["research abstract (S2ORC)", "unknown", "Velm Courier"]
    url = "https://collection.example/1"
    told = [row | {"publisher": names[min(number, 2)], "url": url} for number, row in enumerate(rows)]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, told)), encoding="utf-8")
    joint = load_suite(write_joint(tmp_path / "data", tmp_path / "all", half="all", sets=("mills",)))
    own, another, *rest = map(publisher_key, joint.corpus.values())
    assert own != another
    assert set(rest) == {"velm courier"}
