"""Ratings of the four labels, as a reply of a language model, and what they come to."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field

from agent.domain import Label


class Ratings(BaseModel):
    """How well each label fits, from 1 (does not) to 5 (does)."""

    model_config = ConfigDict(extra="forbid")
    supported: int = Field(ge=1, le=5)
    refuted: int = Field(ge=1, le=5)
    not_enough_evidence: int = Field(ge=1, le=5)
    conflicting: int = Field(ge=1, le=5)


def label_of(ratings: Ratings) -> tuple[Label, float]:
    """The label rated highest (of equals, the more careful one) and its share in the softmax of the ratings."""
    values = {label: int(getattr(ratings, label.value)) for label in Label}  # the fields are the labels
    careful = (Label.NOT_ENOUGH_EVIDENCE, Label.CONFLICTING, Label.REFUTED, Label.SUPPORTED)
    best = max(careful, key=lambda label: values[label])
    total = sum(math.exp(value) for value in values.values())
    return best, round(math.exp(values[best]) / total, 4)
