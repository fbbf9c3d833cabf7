"""What all pages share: strict templates, one style sheet, a policy that forbids scripts and requests."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from agent.domain import Label
from agent.report.markdown import check_line, clean_text, count, percent
from evals.paired import LOWER_IS_BETTER

if TYPE_CHECKING:
    from jinja2 import Environment

NAMES = {label.value: label.shown for label in Label} | {
    "supports": "Supports", "refutes": "Refutes", "neutral": "Neutral",
    "checkable": "Checkable", "not_checkable": "Not checkable",
}  # fmt: skip
"""Names of classes as people read them."""
MARKS = {"right": "✓", "wrong": "✗", "failed": "!", "unscored": "?", "scored": "·"}


def render(template: str, **values: object) -> str:
    """A page from a template and its values; every text printed is cleaned and escaped."""
    style = _read("eval.css")
    style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = _environment().get_template(template)
    return page.render(style=style, style_hash=style_hash, **values)


def class_name(name: str | None) -> str:
    """A class as people read it."""
    return "none" if name is None else NAMES.get(name, name)


@lru_cache(maxsize=8)
def _read(name: str) -> str:
    return files("evals.report").joinpath("templates", name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    def clean(value: object) -> object:
        return clean_text(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=clean, trim_blocks=True, lstrip_blocks=True,
        loader=FunctionLoader(_read),
    )  # fmt: skip
    environment.filters |= {"percent": percent, "plural": count, "check_line": check_line, "shown": class_name}
    environment.globals |= {"MARKS": MARKS, "LOWER_IS_BETTER": LOWER_IS_BETTER}
    return environment
