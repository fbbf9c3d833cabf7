"""Which claims a budget is spent on."""

import pytest

from agent.domain import Claim, ClaimKind, FailureKind
from agent.stages.worth import spend, worth


def claim(text, kind=ClaimKind.EVENT):
    return Claim(id=text, text=text, kind=kind)


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ("The fire in Velmar killed 3 dockers.", "The fire in Velmar was seen from afar."),
        ("The mill made 900 tons of flour.", "The mill made flour."),
        ("Ana Lorca opened the port of Velmar.", "A woman opened a port."),
        ("It was the largest fire on record.", "It was a fire."),
    ],
)
def test_who_is_affected_how_specific_how_surprising(more, less):
    """Each of them counts."""
    assert 0 <= worth(claim(less)) < worth(claim(more)) <= 1


def test_a_budget_goes_to_the_best_and_hides_none():
    """What is left out is a failure that says so; equals stay in order."""
    plain, grave, other = claim("It rained."), claim("The fire in Velmar killed 3 dockers."), claim("It snowed.")
    chosen, left = spend([plain, grave, other], 2)
    assert chosen == (grave, plain)
    assert [one.claim for one in left] == [other]
    assert left[0].failure.kind is FailureKind.BUDGET
    assert "max_claims" in left[0].failure.message
    assert spend([plain], 5) == ((plain,), ())
