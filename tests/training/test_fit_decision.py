"""The decision is fitted on tuning halves alone, and the fit finds what the data say."""

import random

import pytest

from agent.domain import Claim, Label, Stance, Verification, claim_id
from agent.errors import InputError
from agent.stages.decide import Sides, decide
from agent.store.memory import HashEmbedder
from evals.run import run_suite
from evals.training import fit_decision
from evals.training.fit_decision import PRIORS, Item, conflicts_of, fit, items_of, weights_of
from evals.work import Parts, Plan
from tests.build import document, evidence
from tests.desk import ScriptedModel, answer, settings_for
from tests.evals.suite import write_suite

A, B = document("Text of a.", "a"), document("Text of b.", "b")


def item(label, *pieces, suite="s", text="c"):
    claim = Claim(id=claim_id(text, None), text=text)
    verdict = decide(pieces, (), {"a": A, "b": B})
    return Item(suite, Verification(claim=claim, evidence=pieces, outcome=verdict), label)


def made_up(n=200):
    """Claims whose label follows from the scores, with a tenth of noise."""
    dice = random.Random(1)
    items = []
    for number in range(n):
        label = dice.choice(list(Label))
        high, low = dice.uniform(0.6, 0.95), dice.uniform(0.2, 0.4)
        scores = {
            Label.SUPPORTED: (high, low), Label.REFUTED: (low, high),
            Label.NOT_ENOUGH_EVIDENCE: (low, low), Label.CONFLICTING: (high, high),
        }[label]  # fmt: skip
        pieces = [
            evidence(A, Stance.SUPPORTS, score=scores[0]),
            evidence(B, Stance.REFUTES, score=scores[1]),
        ]
        items.append(item(label if number % 10 else dice.choice(list(Label)), *pieces, text=f"c{number}"))
    return items


def test_the_fit_finds_what_the_scores_say():
    items = made_up()
    model, cost = fit(items, 0.2)
    assert cost < 0.8
    assert (model.own, model.nothing, model.conflict) not in fit_decision._STARTS
    likeliest = [
        max(chances, key=lambda label: chances[label])
        for chances in (model.probabilities(Sides(*pair)) for pair in ((2, 0.3), (0.3, 2), (0.2, 0.2), (2, 2)))
    ]
    assert likeliest == [Label.SUPPORTED, Label.REFUTED, Label.NOT_ENOUGH_EVIDENCE, Label.CONFLICTING]


def test_sides_below_the_threshold_do_not_count():
    """With nothing taken, all that can be learnt is how frequent the labels are."""
    _, all_in = fit(made_up(), 0.2)
    _, none_in = fit(made_up(), 0.99)
    assert none_in > all_in + 0.3


def test_labels_weigh_their_priors_and_suites_the_same():
    items = [item(Label.SUPPORTED, suite="one")] * 9 + [item(Label.SUPPORTED, suite="two")]
    items += [item(Label.NOT_ENOUGH_EVIDENCE, suite="one")]
    weights = weights_of(items)
    assert weights.sum() == pytest.approx(1)
    assert weights[:9].sum() == pytest.approx(weights[9])
    assert weights[:10].sum() / weights[10] == pytest.approx(
        PRIORS[Label.SUPPORTED] / PRIORS[Label.NOT_ENOUGH_EVIDENCE]
    )


def test_a_contrast_pair_shown_together_is_a_conflict():
    yes, no = evidence(A, Stance.SUPPORTS, score=0.9), evidence(B, Stance.REFUTES, score=0.9)
    (both,) = conflicts_of([item(Label.SUPPORTED, yes), item(Label.REFUTED, no), item(Label.REFUTED, no, text="d")])
    assert (both.label, both.verification.evidence) == (Label.CONFLICTING, (yes, no))


@pytest.mark.parametrize("half", ["all", "reporting"])
def test_nothing_is_fitted_on_what_is_reported(tmp_path, half):
    parts = Parts(embedder=lambda settings: HashEmbedder(), model=ScriptedModel(answer))
    settings = settings_for(tmp_path / "runs", cache_dir=tmp_path / "cache")
    run = run_suite(Plan(suite=write_suite(tmp_path / "mills"), half=half), settings, parts=parts)
    with pytest.raises(InputError, match="fit on tuning"):
        list(items_of(run))
