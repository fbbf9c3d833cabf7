"""Which claims can be read alone."""

import pytest

from evals.alone import stands_alone


@pytest.mark.parametrize(
    "claim",
    [
        "Ana Lorca opened the port of Velmar in 1931.",
        "Ana Lorca said that she opened the port.",
        "The port of Velmar was opened in 1931.",
        "Lorca said: “We shall open it yesterday.”",
        "It took until 1931 for Velmar to open the port.",
        "The sun is a star.",
        "3 dockers were killed in Velmar.",
        "Prices rose by 4 percent in Velmar.",
    ],
)
def test_names_and_numbers_carry_a_claim(claim):
    """A pronoun behind its name is resolved, words inside quotation marks are somebody else's."""
    assert stands_alone(claim)


@pytest.mark.parametrize(
    "claim",
    [
        "He was born in Velmar.",
        "The fire killed her.",
        "The base was hit.",
        "We opened the port of Velmar.",
        "This was announced by Lorca.",
        "Lorca opened the port last Tuesday.",
        "The two sides agreed on it in Velmar.",
        "They left Velmar in 1931.",
    ],
)
def test_what_points_elsewhere_does_not_stand_alone(claim):
    """Pronouns without a name before them, bare definite things, days that depend on the day of writing."""
    assert not stands_alone(claim)
