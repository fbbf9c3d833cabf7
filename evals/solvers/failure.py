"""Outcomes of cases that could not be worked on."""

from __future__ import annotations

from agent.domain import Failure, FailureKind
from agent.errors import StoreError, TransientModelError
from evals.record import Outcome


def failed(case_id: str, stage: str, reason: str | Exception) -> Outcome:
    """An outcome that says where and why it went wrong."""
    kind = FailureKind.REPLY
    if isinstance(reason, TransientModelError):
        kind = FailureKind.TRANSIENT
    if isinstance(reason, StoreError):
        kind = FailureKind.STORE
    return Outcome(case_id=case_id, failure=Failure(stage=stage, kind=kind, message=str(reason)))
