"""Static embeddings out of the wheel of WordLlama."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from agent.errors import ConfigError
from agent.small.static import _read, static_embedder

needs_wheel = pytest.mark.skipif(find_spec("wordllama") is None, reason="comes with the extra 'static'")


@needs_wheel
def test_texts_that_mean_the_same_are_closer_than_others():
    """By hand-made pairs, and every vector has the length one."""
    embedder = static_embedder()
    found = embedder.embed(["The bridge opened in 1931.", "The crossing was inaugurated in 1931.", "Bakers like rye."])
    assert found.shape == (3, embedder.dimension) == (3, 256)
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert found[0] @ found[1] > found[0] @ found[2] + 0.2


@needs_wheel
def test_a_text_of_nothing_has_a_vector():
    """A store refuses numbers that are none."""
    assert np.isfinite(static_embedder().embed(["", " "])).all()


def test_other_weights_are_refused(tmp_path):
    """The hash decides, and the cure is named."""
    (tmp_path / "w").write_bytes(b"other")
    with pytest.raises(ConfigError, match=r"factdesk\[static\]"):
        _read(tmp_path / "w", "0" * 64)
