"""What a reader should know of a claim beside its verdict: where else it stands, and how it was worded."""

from __future__ import annotations

from collections.abc import Iterator

from agent.domain import Claim, Result
from agent.report.contract import pair_claims
from agent.text import same_statement


class Notes:
    """Lines about the claims of one result."""

    def __init__(self, result: Result) -> None:
        self._claims = tuple(claim for claim, _ in pair_claims(result))
        self._numbers = {claim.id: number for number, claim in enumerate(self._claims, 1)}
        self._alike: dict[object, list[Claim]] = {}
        for claim in self._claims:
            self._alike.setdefault(_key(claim), []).append(claim)

    def of(self, claim: Claim) -> tuple[str, ...]:
        """Plain lines, in the order a reader needs them."""
        return tuple(self._lines(claim))

    def first_of(self, claim: Claim) -> Claim | None:
        """The first claim that says the same, if it is another one."""
        first = self._alike.get(_key(claim), [claim])[0]
        return None if first.id == claim.id else first

    def _lines(self, claim: Claim) -> Iterator[str]:
        if claim.content_of is not None:
            number = self._numbers.get(claim.content_of)
            yield "What was said, checked for itself" + (f"; that it was said is claim {number}" if number else "")
        others = [one for one in self._alike.get(_key(claim), ()) if one.id != claim.id]
        if others:
            places = ", ".join(f"claim {self._numbers[one.id]} (sentence {one.sentence_index})" for one in others)
            yield f"Says the same as {places}"
        if claim.is_sentence:
            yield "Checked as it stands in the article"
        for text in claim.replaced:
            yield f"A guard stopped this wording as saying what the sentence does not: “{text}”"


def _key(claim: Claim) -> object:
    return claim.id if claim.sentence_index is None else same_statement(claim.text)
