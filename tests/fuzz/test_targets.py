"""Every parser with any bytes: it reads them or refuses them in words. `make fuzz` does so for long."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import changed
from tests.fuzz.targets import SEEDS, TARGETS

_EXAMPLES = {"page": 40, "pdf": 40, "word": 40, "tables": 40}


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_read_or_refused(name):
    """Random bytes, and seeds of the right form that were changed."""

    @given(st.one_of(st.binary(max_size=300), st.builds(mended, st.sampled_from(SEEDS[name]), st.integers(0))))
    @settings(
        max_examples=_EXAMPLES.get(name, 150), deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def check(data):
        TARGETS[name](data)

    check()


def mended(seed, number):
    return changed(seed, random.Random(number))


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_of_the_form(name):
    """Each target takes its seeds, and no target is without."""
    for seed in SEEDS[name]:
        TARGETS[name](seed)
