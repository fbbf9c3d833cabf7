"""Finding the faults of suites."""

import json
from collections import Counter
from pathlib import Path

import pytest

import evals
from evals.suite_check import check_suite
from evals.suites import find_suite, load_suite
from tests.evals.suite import rows, write_rows, write_suite

SHARED = Path(evals.__file__).parents[2] / "shared" / "data"


def found(folder, severity="error", **options):
    return [f"{one.where} {one.message}" for one in check_suite(folder, **options) if one.severity == severity]


def changed(name, **change):
    return [row | change if row["id"] == name else row for row in rows()]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"label": "true"}, "claims.jsonl:2 label"),
        ({"text": ""}, "claims.jsonl:2 text"),
        ({"date": "yesterday"}, "claims.jsonl:2 date"),
        ({"id": "c1"}, "id 'c1' is that of claims.jsonl:1"),
        ({"evidence": [{"doc_id": "none", "quote": "x"}]}, "'none' is not in the corpus"),
        ({"evidence": [{"doc_id": "rye", "quote": "barley"}]}, "quote 'barley' is not in document 'rye'"),
        ({"evidence": [{"doc_id": "rye", "quote": "rye", "stance": "likes"}]}, "evidence.0.stance"),
    ],
)
def test_each_fault_of_a_claim_is_found(tmp_path, change, told):
    """With file and line."""
    errors = found(write_suite(tmp_path / "s", cases=changed("c2", **change)))
    assert any(told in error for error in errors), errors


def test_faults_of_documents_are_found(tmp_path):
    """Repeated ids, empty texts, dates that are none, lines that are no JSON."""
    folder = write_suite(tmp_path / "s")
    with (folder / "corpus.jsonl").open("a") as file:
        file.write(json.dumps({"id": "rye", "text": "Again."}) + "\n")
        file.write(json.dumps({"id": "empty", "text": " "}) + "\n")
        file.write(json.dumps({"id": "dated", "text": "A.", "published": "last spring"}) + "\n")
        file.write("{broken\n")
    errors = found(folder)
    for told in (
        "corpus.jsonl:6 id 'rye'",
        "corpus.jsonl:7",
        "corpus.jsonl:8 published 'last spring'",
        "corpus.jsonl:9",
    ):
        assert any(told in error for error in errors), told


def test_what_makes_figures_doubtful_is_a_warning(tmp_path):
    """Groups that are missing, and labels without evidence, do not keep a suite from running."""
    cases = [row | {"group_id": "", "evidence": []} for row in rows()]
    folder = write_suite(tmp_path / "s", cases=cases)
    assert found(folder) == []
    warnings = found(folder, "warning")
    assert any("no case has a group_id" in warning for warning in warnings)
    assert sum("names no evidence" in warning for warning in warnings) == 4


def test_the_same_claim_twice_is_a_warning(tmp_path):
    """Blanks and capitals aside; it may have other evidence."""
    twin = {"text": "the mill in Norvik  burnt down on 4 March 2019.", "label": "supported"}
    folder = write_suite(tmp_path / "s", cases=changed("c2", **twin))
    assert any("claims.jsonl:2 the same text" in warning for warning in found(folder, "warning"))


def test_texts_of_prompts_and_training_are_found(tmp_path):
    """A case whose words stand in a worked example or in training data flatters the model."""
    example = "Minister Ana Lorca said in June that the port strike had cost Velmar 40 million crowns."
    folder = write_suite(tmp_path / "s", cases=changed("c5", text=example))
    (tmp_path / "training").mkdir()
    premise = "The Norvik mill made 400 tons of flour in 2018."
    write_rows(
        tmp_path / "training" / "nli.jsonl", [{"premise": premise.upper(), "hypothesis": "x", "label": "neutral"}]
    )
    warnings = found(folder, "warning", training=tmp_path / "training")
    assert any("c5" in warning and "judge.md" in warning for warning in warnings)
    assert any("training data: nli.jsonl:1" in warning for warning in warnings)


def test_sentences_are_checked(tmp_path):
    """A sentence outside its context and claims of an uncheckable sentence are told."""
    cases = [
        {"id": "1", "text": "A fact.", "context": "Another text.", "checkworthy": True},
        {"id": "2", "text": "How nice!", "checkworthy": False, "claims": ["It is nice."]},
        {"id": "3", "text": "No flag."},
    ]
    write_rows(tmp_path / "items.jsonl", cases)
    assert any("items.jsonl:3 checkworthy" in error for error in found(tmp_path))
    assert len(found(tmp_path, "warning")) == 2


@pytest.mark.parametrize("name", ["smoke", "deir-ez-zor"])
def test_shipped_suites_are_sound(name):
    """No error, no warning."""
    assert check_suite(find_suite(name)) == ()


def test_the_smoke_suite_holds_what_its_readme_says():
    """Labels, groups, pairs; both halves of a pair differ little in words and always in label."""
    claims = load_suite(find_suite("smoke")).claims
    assert Counter(case.label.value for case in claims) == {
        "supported": 51, "refuted": 57, "not_enough_evidence": 18, "conflicting": 10
    }  # fmt: skip
    assert len({case.group_id for case in claims}) == 21
    pairs = {}
    for case in claims:
        if case.pair_id:
            pairs.setdefault(case.pair_id, []).append(case)
    assert len(pairs) == 33
    for one, other in pairs.values():
        assert one.label is not other.label
        words, others = (set(case.text.casefold().strip(".").split()) for case in (one, other))
        assert len(words & others) >= 0.5 * len(words | others), one.text


@pytest.mark.skipif(not SHARED.is_dir(), reason="the public sets are not beside the repository")
@pytest.mark.parametrize(
    "name",
    ["averitec", "climate_fever", "factcheck_bench", "fever_symmetric", "feverous_text", "fool_me_twice", "scifact"],
)
def test_public_sets_are_sound(name):
    """They load, and every quote is in its document."""
    assert found(SHARED / name) == []
