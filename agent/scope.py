"""Which documents a run may see, whatever their date: by kind, by domain, by publisher, or by id."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator

from agent.domain import Data, Document, SourceKind, normalise

_FORMS = "kind:newspaper, domain:example.org, publisher:NAME or id:ID"
_ARCHIVED = re.compile(
    r"https?://(?:[\w-]+\.)*(?:archive\.(?:org|today|ph|is|li|md|vn|fo)|arquivo\.pt)(?::\d+)?/"
    r"(?:[^?#]*?(?:https?:/+|https?%3a%2f%2f)|(?:web|wayback)/\d[^/]*/(?=[\w-]+\.))",
    re.IGNORECASE,
)
"""What stands before the address of a page in that of its copy at the Internet Archive, archive.today or Arquivo."""
_Field = Literal["kind", "domain", "publisher", "id"]


class Facts(NamedTuple):
    """What is looked at of a document."""

    id: str
    kind: str
    publisher: str | None
    url: str | None


def _are_terms(terms: tuple[str, ...]) -> tuple[str, ...]:
    for term in terms:
        parse_term(term)
    return terms


Terms = Annotated[tuple[str, ...], AfterValidator(_are_terms)]
"""Names of sources, as `parse_term` reads them."""


class Scope(Data):
    """Sources that are looked at: those that a term of `only` names (all, if it is empty), but none of `exclude`."""

    only: Terms = ()
    exclude: Terms = ()

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return not self.only and not self.exclude

    def admits(self, facts: Facts) -> bool:
        """Whether the document may be seen."""
        is_named = not self.only or any(_fits(term, facts) for term in self.only)
        return is_named and not any(_fits(term, facts) for term in self.exclude)

    def admits_document(self, document: Document) -> bool:
        """Whether the document may be seen."""
        return self.admits(Facts(document.id, document.kind.value, document.publisher, document.url))


def parse_term(term: str) -> tuple[_Field, str]:
    """Field and value of a term.

    Raises:
        ValueError: it is none; says what terms look like.
    """
    field, colon, value = term.partition(":")
    field, value = field.strip().casefold(), value.strip()
    kinds = [kind.value for kind in SourceKind]
    if field == "kind" and value not in kinds:
        raise ValueError(f"{term!r} names no kind of source: write kind: and one of {', '.join(kinds)}")
    if field == "domain" and ("/" in value or "." not in value):
        raise ValueError(f"{term!r} names no domain: write domain:example.org, without http:// and path")
    if not colon or not value or field not in {"kind", "domain", "publisher", "id"}:
        raise ValueError(f"{term!r} names no source: write {_FORMS}")
    return field, value  # type: ignore[return-value] # it is one of the four


def _fits(term: str, facts: Facts) -> bool:
    field, value = parse_term(term)
    if field == "id":
        return facts.id == value
    if field == "kind":
        return facts.kind == value
    if field == "publisher":
        return normalise(facts.publisher or "") == normalise(value)
    url, domain = facts.url or "", value.casefold().removeprefix("www.")
    return any(host == domain or host.endswith(f".{domain}") for host in (_host(url), _host(live_address(url))))


def live_address(url: str) -> str:
    """The address of the page that an address at a web archive is a copy of; any other as it is."""
    while found := _ARCHIVED.match(url):
        rest = url[found.end() :]
        url = f"https://{unquote(rest) if found[0].endswith(('f', 'F')) else rest}"
    return url


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".").removeprefix("www.")
    except ValueError:  # brackets that are no IPv6 address
        return ""
