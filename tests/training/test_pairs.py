"""Which pairs are trained on, in which order, and that none is evaluated on."""

import json
from collections import Counter
from pathlib import Path

import pytest

from agent.domain import Stance
from agent.errors import InputError
from evals.training.pairs import CLAIMS, GENERAL, Pair, batches, evaluated_claims, load_pairs, unseen

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def folder(tmp_path):
    for name in ("one", "synthetic_two"):
        rows = [{"premise": f"{name} {n}", "hypothesis": f"claim {name} {n}", "label": "supports"} for n in range(10)]
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "permissive.txt").write_text("one.jsonl\nsynthetic_two.jsonl\ngone.jsonl\n")
    return tmp_path


def test_passes_over_a_file_may_be_whole_and_broken(folder):
    found = Counter(pair.text for pair in load_pairs(folder, {"one": 1.3}))
    assert found == Counter({f"one {n}": 2 if n < 3 else 1 for n in range(10)})


def test_made_up_pairs_weigh_half(folder):
    weights = {pair.text.split()[0]: pair.weight for pair in load_pairs(folder, {"one": 1, "synthetic_two": 1})}
    assert weights == {"one": 1.0, "synthetic_two": 0.5}


def test_order_is_the_seeds(folder):
    assert load_pairs(folder, {"one": 1}, seed=1) == load_pairs(folder, {"one": 1}, seed=1)
    assert load_pairs(folder, {"one": 1}, seed=1) != load_pairs(folder, {"one": 1}, seed=2)


@pytest.mark.parametrize(("name", "words"), [("gone", "does not exist"), ("nc_anli", "may not train")])
def test_other_files_are_refused(folder, name, words):
    with pytest.raises(InputError, match=words):
        load_pairs(folder, {name: 1})


def test_batches_hold_every_pair_once_and_like_lengths_together():
    pairs = [Pair("x" * (n % 50 + 1), f"c{n}", Stance.NEUTRAL) for n in range(403)]
    found = batches(pairs, 8, chunk=10)
    assert Counter(pair for batch in found for pair in batch) == Counter(pairs)
    spread = [max(len(p.text) for p in batch) - min(len(p.text) for p in batch) for batch in found]
    assert max(spread) < 40
    assert sum(spread) / len(spread) < 10


def test_a_claim_of_the_same_words_is_seen_whatever_their_order(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "claims.jsonl").write_text(json.dumps({"text": "The mill in Norvik burnt."}) + "\n")
    same, other = (Pair("t", claim, Stance.SUPPORTS) for claim in ("burnt, the mill in Norvik", "the mill was saved"))
    assert unseen([same, other], evaluated_claims(tmp_path)) == [other]


def test_every_file_of_the_mix_may_train_shipped_weights_and_nothing_evaluated_is_left_in():
    if not (SHARED / "training" / "permissive.txt").is_file():
        pytest.skip("shared/data/training is not beside this checkout")
    claims = evaluated_claims(SHARED)
    pairs = [pair for mix in (GENERAL, CLAIMS) for pair in load_pairs(SHARED / "training", mix)]
    left = unseen(pairs, claims)
    assert len(claims) > 2000
    assert 0 < len(pairs) - len(left) < len(pairs) / 100
    assert not claims & {" ".join(pair.claim.split()) for pair in left}
