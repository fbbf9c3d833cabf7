"""Article facts: date, author and place, as far as the article says them itself; never guessed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.domain import Data, Document, Sentence
from agent.stages.checks.dates import find_dates
from agent.text import visible

_HEAD = 4
"""Sentences at the top among which these lines stand; a headline is one."""
_LONGEST_LINE = 120
_FEW = 2
"""Words beside a date that a line may have which is there for it: "Monday, 3 March 2025"."""
_BYLINE = re.compile(
    r"^(?:[Bb]y|BY|[Vv]on|[Pp]ar) (?P<who>[^\W\d_a-z][^\W\d_]+(?: (?:[^\W\d_]+|[^\W\d_]\.)){1,4})(?: ?[|,].*)?$"
)
"""A line of its own with at least two names."""
_CAPITALS = r"[^\W\d_a-z](?:[^\W\d_a-z]|[ .'’-](?=[^\W\d_a-z]))+"
_DATELINE = re.compile(
    rf"^(?P<place>{_CAPITALS}(?:, [^\W\d_]\w+(?: [^\W\d_]\w+)?(?=[ ,.(–—-]))?)"  # PATRAS, Greece
    r"(?P<more>[,.( ][^\n–—-]{0,40}?)?[ \t]*(?:[–—]|-(?=\s)|\.(?=\s))"
)
_ISSUED = re.compile(r"^\W*(?:for (?:immediate )?release|published|updated|date|stand)\b:?(?: on)?", re.IGNORECASE)
_NO_PLACES = frozenset({"Q", "A", "FAQ", "TL;DR", "BREAKING", "UPDATE", "EXCLUSIVE", "OPINION", "ANALYSIS", "WATCH"})
_LONGEST_PLACE = 40


class Facts(Data):
    """What an article says of itself; empty where it says nothing."""

    published: str = ""
    author: str = ""
    place: str = ""

    def headed(self, title: str) -> str:
        """A title with place and date behind it: `Bridge opened (PATRAS, Greece, 12 August 2024)`."""
        told = ", ".join(part for part in (self.place, self.published) if part)
        return f"{title} ({told})" if told else title


def facts_of(article: Document, sentences: Sequence[Sentence]) -> Facts:
    """Date, author and place out of the metadata, a byline, a dateline, or a line that holds little but a date.

    A date in running text is not taken: it may be that of anything.
    """
    head = [line for one in sentences[:_HEAD] for line in one.text.splitlines() if line.strip()]
    places = [found for number, line in enumerate(head) if (found := _dateline(line, is_first=number == 0))]
    byline = next((found.group("who") for line in head if (found := _BYLINE.match(line.strip()))), "")
    dates = [
        article.published or "",
        *(_full_date(found.group("more") or "") for found in places),
        *(_full_date(line) for line in head if _is_date_line(line)),
    ]
    return Facts(
        published=next((one for one in dates if one), ""),
        author=visible(byline),
        place=visible(places[0].group("place")) if places else "",
    )


def _dateline(line: str, *, is_first: bool) -> re.Match[str] | None:
    """A place in capitals, perhaps with a country and a date, then a dash or a full stop.

    Without a date not in the first line: a headline may be in capitals, too.
    """
    found = _DATELINE.match(line.strip())
    if found is None or found.group("place") in _NO_PLACES or len(found.group("place")) > _LONGEST_PLACE:
        return None
    more = (found.group("more") or "").strip(" ,.()")
    return found if (_full_date(more) if more or is_first else True) else None


def _is_date_line(line: str) -> bool:
    """Whether a line is there for its date: it holds hardly anything else, or ends with it after a comma.

    A headline such as "What happened on 9 November 1989" is not: that is what the article is about.
    """
    date = _full_date(line) if len(line) <= _LONGEST_LINE else ""
    before, found, after = _ISSUED.sub("", visible(line)).partition(date or "\n")
    if not found or after.strip(" .*_)"):
        return False
    return before.rstrip().endswith(",") or len(before.split()) <= _FEW


def _full_date(text: str) -> str:
    """The first date of a text that has day, month and year, as it is written."""
    whole = 3
    return next((date.text for date in find_dates(visible(text)) if date.precision == whole), "")
