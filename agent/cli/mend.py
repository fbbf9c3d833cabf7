"""What `factdesk store edit` was told, as an edit."""

from __future__ import annotations

from collections.abc import Mapping

from agent.domain import SourceKind
from agent.errors import InputError
from agent.ingest.read import partial_date, web_address
from agent.store.edits import Edit

_UNKNOWN = "unknown"
_KINDS = tuple(kind.value for kind in SourceKind)


def edit_of(given: Mapping[str, str]) -> Edit:
    """The edit these options ask for; the value `unknown` takes what was known away.

    Raises:
        InputError: nothing is to be changed, or a value cannot be.
    """
    if not given:
        raise InputError("nothing to mend: give --title, --publisher, --published, --url or --kind")
    return Edit.model_validate({name: _value(name, " ".join(value.split())) for name, value in given.items()})


def _value(name: str, value: str) -> str | None:
    if value.casefold() in {_UNKNOWN, ""}:
        return {"title": "", "kind": SourceKind.OTHER.value}.get(name)
    wrong = {
        "published": partial_date(value) is None and "no date: write YYYY, YYYY-MM or YYYY-MM-DD",
        "url": web_address(value) is None and "no address on the web: write http://... or https://...",
        "kind": value not in _KINDS and f"no kind of source: write one of {', '.join(_KINDS)}",
        "title": len(value) > 300 and "too long: write at most 300 characters",
    }
    if wrong.get(name):
        raise InputError(f"--{name} {value!r} is {wrong[name]}")
    return value
