"""Gold passages and near misses."""

from agent.domain import Stance
from evals.passages import GoldPassages, claim_of
from evals.suites import load_suite
from tests.evals.suite import DOCUMENTS, rows, write_suite


def test_a_quote_judged_alone_is_its_own_passage(tmp_path):
    """Where a set says the stance of each quote, the passage is the quote, exact in its document."""
    suite = load_suite(write_suite(tmp_path / "mills"))
    cases = list(GoldPassages(suite.corpus).stance_cases(suite))
    assert [(case.id, case.stance) for case in cases] == [
        ("c1:0", Stance.SUPPORTS),
        ("c2:0", Stance.REFUTES),
        ("c3:0", Stance.SUPPORTS),
        ("c4:0", Stance.SUPPORTS),
        ("c4:1", Stance.REFUTES),
    ]
    for case in cases:
        assert case.passage.span.of(case.document.text) == case.passage.text == DOCUMENTS[case.document.id][1]


def test_quotes_of_a_group_share_one_passage(tmp_path):
    """Two quotes that are needed together lie in one passage cut around them."""
    first, second = "The mill in Norvik burnt down", "Nobody was hurt."
    pieces = [{"doc_id": "mill", "quote": quote, "stance": "supports", "group": 0} for quote in (first, second)]
    cases = [row | {"evidence": pieces} for row in rows() if row["id"] == "c1"]
    suite = load_suite(write_suite(tmp_path / "mills", cases=cases))
    (case,) = GoldPassages(suite.corpus).stance_cases(suite)
    assert first in case.passage.text
    assert second in case.passage.text


def test_a_claim_without_gold_gets_the_nearest_passage(tmp_path):
    """The oracle shows the judge the passage that shares most words, so that there is something to abstain on."""
    suite = load_suite(write_suite(tmp_path / "mills"))
    gold = GoldPassages(suite.corpus)
    ((document, passage),) = gold.of_claim(suite.claims[4])
    assert document.id == "rye"
    assert passage.text == DOCUMENTS["rye"][1]


def test_a_near_miss_holds_no_gold(tmp_path):
    """The document gold quotes is never its own foil."""
    suite = load_suite(write_suite(tmp_path / "mills"))
    gold = GoldPassages(suite.corpus)
    for case in suite.claims:
        document, _ = gold.nearest(case)
        assert document.id not in {piece.doc_id for piece in case.evidence}


def test_a_set_without_neutral_passages_gets_foils(tmp_path):
    """By name: a set known for documents that hide no other evidence."""
    suite = load_suite(write_suite(tmp_path / "fool_me_twice"))
    stances = [case.stance for case in GoldPassages(suite.corpus).stance_cases(suite)]
    assert stances.count(Stance.NEUTRAL) == len(suite.claims)


def test_the_oracle_shows_each_passage_once(tmp_path):
    """Two quotes of one passage do not double it, and both documents of a conflict are there."""
    suite = load_suite(write_suite(tmp_path / "mills"))
    found = GoldPassages(suite.corpus).of_claim(suite.claims[3])
    assert [document.id for document, _ in found] == ["ferry", "ferry-b"]


def test_the_claim_of_a_case_has_a_derived_id(tmp_path):
    """The same text gives the same id."""
    suite = load_suite(write_suite(tmp_path / "mills"))
    assert claim_of(suite.claims[0]) == claim_of(suite.claims[0].model_copy(update={"id": "other"}))
