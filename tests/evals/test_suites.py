"""Reading suite folders."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import InputError
from evals.cases import SuiteKind
from evals.suites import find_suite, half_of, kind_of, list_suites, load_suite, name_of
from tests.evals.suite import rows, write_rows, write_suite


def test_a_suite_of_claims_loads_whole(tmp_path):
    """Claims, documents by id and the hash of the files are there."""
    suite = load_suite(write_suite(tmp_path / "mills"))
    assert (suite.name, suite.kind, len(suite.claims), len(suite.corpus)) == ("mills", SuiteKind.CLAIMS, 5, 5)
    assert suite.corpus["flour"].publisher == "Trade Review"
    assert suite.claims[3].evidence[1].stance == "refutes"


def test_the_hash_changes_with_the_gold(tmp_path):
    """Another label is another suite; the same files in another folder are the same suite."""
    one, same = write_suite(tmp_path / "a"), write_suite(tmp_path / "b")
    other = write_suite(tmp_path / "c", cases=[row | {"label": "refuted"} for row in rows()])
    hashes = [load_suite(folder).sha256 for folder in (one, same, other)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_halves_part_the_cases_by_group(tmp_path):
    """Every case is in one half, and cases of a group are in the same."""
    folder = write_suite(tmp_path / "mills")
    halves = {half: load_suite(folder, half=half).claims for half in ("tuning", "reporting")}
    assert sorted(case.id for found in halves.values() for case in found) == ["c1", "c2", "c3", "c4", "c5"]
    for half, found in halves.items():
        assert {half_of(case.group_id) for case in found} <= {half}


@given(st.lists(st.text(min_size=1), min_size=1, unique=True))
def test_about_half_of_many_groups_is_in_each_half(groups):
    """A group's half depends on its name alone."""
    assert [half_of(group) for group in groups] == [half_of(group) for group in groups]
    assert {half_of(group) for group in groups} <= {"tuning", "reporting"}


def test_a_larger_limit_only_adds_cases(tmp_path):
    """The cases of a limit are among those of every larger one, in the order of the suite."""
    folder = write_suite(tmp_path / "mills")
    found = [[case.id for case in load_suite(folder, limit=limit).claims] for limit in range(6)]
    assert [len(ids) for ids in found] == [0, 1, 2, 3, 4, 5]
    for fewer, more in itertools.pairwise(found):
        assert set(fewer) < set(more)
        assert more == sorted(more)


def test_ids_that_the_store_cannot_take_are_led_to_ours(tmp_path):
    """A document id with blanks is kept under an id of ours, and the gold points there."""
    folder = write_suite(tmp_path / "mills")
    for name in ("claims.jsonl", "corpus.jsonl"):
        path = folder / name
        path.write_text(path.read_text().replace('"flour"', '"the flour, 2018/19"'))
    suite = load_suite(folder)
    piece = suite.claims[1].evidence[0]
    assert piece.doc_id in suite.corpus
    assert piece.quote in suite.corpus[piece.doc_id].text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"label": "true"}, "label"),
        ({"evidence": [{"doc_id": "none", "quote": "x"}]}, "'none' is not in the corpus"),
        ({"evidence": [{"doc_id": "rye", "quote": "barley"}]}, "does not hold the quote 'barley'"),
        ({"text": ""}, "text"),
    ],
)
def test_a_faulty_case_is_named(tmp_path, change, told):
    """The message says what is wrong and which command lists all faults."""
    folder = write_suite(tmp_path / "mills", cases=[row | change for row in rows()])
    with pytest.raises(InputError, match="factdesk eval check") as caught:
        load_suite(folder)
    assert told in str(caught.value)


def test_a_line_that_is_no_json_is_named(tmp_path):
    """File and line of a broken document are told."""
    folder = write_suite(tmp_path / "mills")
    with (folder / "corpus.jsonl").open("a") as file:
        file.write("{broken\n")
    with pytest.raises(InputError, match="corpus.jsonl:6"):
        load_suite(folder)


def test_the_files_tell_the_kind(tmp_path):
    """Each documented form is known, and an empty folder is refused with what is wanted."""
    with pytest.raises(InputError, match="claims.jsonl with corpus.jsonl"):
        kind_of(tmp_path)
    forms = {
        "sentences": ("items.jsonl", {"id": "1", "text": "A.", "checkworthy": True}),
        "injection": ("items.jsonl", {"id": "1", "text": "Obey.", "kind": "verdict_hijack"}),
        "article": ("gold.jsonl", {"id": "1"}),
        "adversarial": ("evidence.jsonl", {"id": "1"}),
    }
    for kind, (name, row) in forms.items():
        (tmp_path / kind).mkdir()
        write_rows(tmp_path / kind / name, [row])
        assert kind_of(tmp_path / kind) == kind


def test_sentences_load(tmp_path):
    """A suite of sentences keeps whether claims were annotated at all."""
    found = [
        {"id": "1", "text": "A.", "checkworthy": True, "claims": None},
        {"id": "2", "text": "B!", "checkworthy": False, "claims": []},
    ]
    write_rows(tmp_path / "items.jsonl", found)
    assert [case.claims for case in load_suite(tmp_path).sentences] == [None, ()]


def test_the_seed_article_is_a_suite():
    """The shipped gold comes with its article and sources, from wherever the package is."""
    suite = load_suite(find_suite("deir-ez-zor"))
    assert suite.kind is SuiteKind.ARTICLE
    assert (len(suite.gold), len(suite.corpus)) == (45, 65)
    assert suite.article is not None
    assert all(suite.article.text[case.start : case.end].strip() for case in suite.gold)


def test_suites_are_found_by_name_and_by_path(tmp_path):
    """A name is looked for among the shipped ones and in the folder given; a path is taken as it is."""
    folder = write_suite(tmp_path / "mills")
    assert find_suite(str(folder)) == folder
    assert find_suite("mills", tmp_path) == folder
    assert find_suite(name_of(find_suite("deir-ez-zor"))).name == "deir-ez-zor"
    with pytest.raises(InputError, match="'bakeries'.*deir-ez-zor.*mills"):
        find_suite("bakeries", tmp_path)


def test_known_suites_are_listed_with_their_sizes(tmp_path):
    """Folders that hold no suite are passed over."""
    write_suite(tmp_path / "mills", title="Mills")
    (tmp_path / "notes").mkdir()
    found = {info.name: info for info in list_suites(tmp_path)}
    assert (found["mills"].cases, found["mills"].documents, found["mills"].title) == (5, 5, "Mills")
    assert "notes" not in found


def test_reviewed_cases_are_doubtful(tmp_path):
    """`review.jsonl` names them; a verdict it does not know is refused."""
    folder = write_suite(tmp_path / "mills")
    write_rows(folder / "review.jsonl", [{"case_id": "c4", "verdict": "ambiguous", "reason": "two counts"}])
    assert load_suite(folder).doubtful == {"c4"}
    write_rows(folder / "review.jsonl", [{"case_id": "c4", "verdict": "meh", "reason": ""}])
    with pytest.raises(InputError, match="review.jsonl:1"):
        load_suite(folder)


def test_what_suite_json_says_is_checked(tmp_path):
    """An evidence source nobody knows is named."""
    folder = write_suite(tmp_path / "mills", evidence="guessed")
    with pytest.raises(InputError, match="suite.json.*evidence"):
        load_suite(folder)
    (folder / "suite.json").write_text(json.dumps({"evidence": "gold", "something": 1}))
    assert load_suite(folder).about.evidence == "gold"
