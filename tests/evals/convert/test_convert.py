"""Suites from official files, each in the form its authors publish; the contents are made up."""

import json

import pytest

from agent.domain import Label, Stance
from agent.errors import InputError
from evals.convert import convert
from evals.suite_check import check_suite
from evals.suites import load_suite
from tests.evals.suite import write_rows

PAGE = "Norvik is a town. It has a mill. The mill made 400 tons of flour."


def averitec(folder):
    def row(claim, label, answers):
        return {"claim": claim, "label": label, "speaker": "Ida", "claim_date": "25-8-2020",
                "questions": [{"question": "Did it burn?", "answers": answers}]}  # fmt: skip

    extract = "The mill in Norvik burnt down on a cold morning in March after a spark flew into the straw."
    found = [
        row("The mill burnt.", "Supported", [{"answer": extract, "answer_type": "Extractive", "source_url": "https://a.example/1"}]),
        row("The mill stands.", "Refuted", [
            {"answer": "No", "answer_type": "Boolean", "boolean_explanation": "It burnt.", "source_url": "https://a.example/2"},
            {"answer": "", "answer_type": "Unanswerable"},
        ]),
        row("The mill is old.", "Conflicting Evidence/Cherrypicking", []),
    ]  # fmt: skip
    (folder / "dev.json").write_text(json.dumps(found))
    return ["dev.json"]


def scifact(folder):
    abstract = ["Flour makes bread.", "Bread was baked in 12 ovens.", "It rose."]
    write_rows(folder / "corpus.jsonl", [{"doc_id": 7, "title": "Bread", "abstract": abstract, "structured": False}])
    evidence = {"7": [{"sentences": [0, 1], "label": "SUPPORT"}]}
    claims = [
        {"id": 1, "claim": "Bread comes from flour.", "evidence": evidence, "cited_doc_ids": [7]},
        {"id": 2, "claim": "Bread is blue.", "evidence": {}, "cited_doc_ids": [7]},
    ]
    write_rows(folder / "claims_dev.jsonl", claims)
    return ["claims_dev.jsonl", "corpus.jsonl"]


def fever(folder):
    lines = "0\tNorvik is a town.\tNorvik\n1\tIt has a mill.\n2\t"
    write_rows(folder / "wiki-001.jsonl", [{"id": "Norvik", "text": PAGE, "lines": lines}])
    claims = [
        {"id": 1, "label": "SUPPORTS", "claim": "Norvik has a mill.", "evidence": [[[1, 2, "Norvik", 1]]]},
        {
            "id": 2,
            "label": "REFUTES",
            "claim": "Norvik is a river.",
            "evidence": [[[3, 4, "Norvik", 0], [3, 5, "Gone", 0]]],
        },
        {"id": 3, "label": "NOT ENOUGH INFO", "claim": "Norvik is rich.", "evidence": [[[6, None, None, None]]]},
    ]
    write_rows(folder / "paper_dev.jsonl", claims)
    return ["paper_dev.jsonl", "wiki-001.jsonl"]


def fever_symmetric(folder):
    rows = [
        {"id": 1, "label": "SUPPORTS", "claim": "Norvik has a mill.", "evidence": "Norvik has one mill."},
        {"id": 2, "label": "REFUTES", "claim": "Norvik has a mill.", "evidence": "Norvik has no mill."},
    ]
    write_rows(folder / "fever_symmetric_test.jsonl", rows)
    return ["fever_symmetric_test.jsonl"]


def climate_fever(folder):
    pieces = [
        {"evidence": "Ice melts.", "article": "Ice", "evidence_label": "SUPPORTS"},
        {"evidence": "Ice is cold.", "article": "Ice", "evidence_label": "NOT_ENOUGH_INFO"},
    ]
    row = {"claim_id": "0", "claim": "Ice is melting.", "claim_label": "DISPUTED", "evidences": pieces}
    write_rows(folder / "climate.jsonl", [row])
    return ["climate.jsonl"]


def fool_me_twice(folder):
    gold = [{"text": "It has a mill.", "section_header": "Town"}]
    row = {
        "id": "x",
        "text": "Norvik has no mill.",
        "label": "REFUTES",
        "gold_evidence": gold,
        "wikipedia_page": "Nor_vik",
    }
    write_rows(folder / "dev.jsonl", [row])
    return ["dev.jsonl"]


def wice(folder):
    row = {"label": "partially_supported", "supporting_sentences": [[0], [2]], "claim": "The mill made much flour.",
           "evidence": ["The mill made 400 tons.", "It rained.", "Flour was sold."], "meta": {"id": "dev1"}}  # fmt: skip
    write_rows(folder / "dev.jsonl", [row])
    return ["dev.jsonl"]


SETS = (averitec, scifact, fever, fever_symmetric, climate_fever, fool_me_twice, wice)


def converted(make, folder):
    names = make(folder)
    report = convert(make.__name__, [folder / name for name in names], folder / "out")
    return load_suite(folder / "out"), report


@pytest.mark.parametrize("make", SETS, ids=lambda make: make.__name__)
def test_a_converted_set_is_a_sound_suite(make, tmp_path):
    """It loads, every quote is in its document, and the counts are told."""
    suite, report = converted(make, tmp_path)
    assert [one for one in check_suite(tmp_path / "out") if one.severity == "error"] == []
    assert (report.claims, report.documents) == (len(suite.claims), len(suite.corpus))
    assert suite.about.title
    assert suite.about.licence


def test_averitec_answers_become_documents(tmp_path):
    """Short and yes-or-no answers keep their question; dates are turned round; what has no answer is counted."""
    suite, report = converted(averitec, tmp_path)
    first, second, third = suite.claims
    assert (first.label, first.speaker, first.date.isoformat()) == (Label.SUPPORTED, "Ida", "2020-08-25")
    assert suite.corpus[first.evidence[0].doc_id].text.startswith("The mill in Norvik burnt")
    assert suite.corpus[second.evidence[0].doc_id].text == "Did it burn? No. It burnt."
    assert third.label is Label.CONFLICTING
    assert report.dropped == {"questions without an answer": 1}


def test_scifact_rationales_are_groups(tmp_path):
    """Sentences of one rationale share a group; a claim without evidence is not decided."""
    first, second = converted(scifact, tmp_path)[0].claims
    assert [(piece.quote, piece.group) for piece in first.evidence] == [
        ("Flour makes bread.", 0),
        ("Bread was baked in 12 ovens.", 0),
    ]
    assert (second.label, second.evidence) == (Label.NOT_ENOUGH_EVIDENCE, ())


def test_fever_evidence_points_into_its_pages(tmp_path):
    """A page that was not given is counted; claims that share a page are one group."""
    suite, report = converted(fever, tmp_path)
    first, second, third = suite.claims
    assert first.evidence[0].quote == "It has a mill."
    assert (second.evidence[0].stance, len(second.evidence)) == (Stance.REFUTES, 1)
    assert first.group_id == second.group_id != third.group_id
    assert sum(report.dropped.values()) == 1


def test_contrast_pairs_are_run_on_their_own_sentence(tmp_path):
    """The converted suite asks for gold evidence."""
    suite, _ = converted(fever_symmetric, tmp_path)
    assert suite.about.evidence == "gold"
    assert len({case.text for case in suite.claims}) == 1


def test_climate_labels(tmp_path):
    """Disputed is conflicting; neutral evidence is kept as such."""
    (case,) = converted(climate_fever, tmp_path)[0].claims
    assert case.label is Label.CONFLICTING
    assert [piece.stance for piece in case.evidence] == [Stance.SUPPORTS, Stance.NEUTRAL]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("averitec", "[1]", "not objects"),
        ("averitec", "{broken", "cannot be read as JSON"),
        ("averitec", '{"claim": "A."}', "no field 'label'"),
        ("averitec", '{"claim": "A.", "label": "maybe", "questions": []}', "label 'maybe'"),
        ("averitec", "", "no claim was found"),
        ("scifact", "", "wants two files"),
        ("fever", "", "wiki-"),
        ("trivia", "", "give one of averitec"),
    ],
)
def test_other_files_are_refused_with_what_is_wanted(tmp_path, name, content, told):
    """Nothing is written."""
    (tmp_path / "file.jsonl").write_text(content)
    with pytest.raises(InputError, match=told):
        convert(name, [tmp_path / "file.jsonl"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
