"""Prompts as files: one Markdown file for each model call, loaded with its hash.

A file holds turns, each under a heading `# system`, `# user` or `# assistant`; the last user turn is the template,
the turns between are worked examples. Variables are written `$name`; rendering raises on a missing or unknown one.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template

_TURN = re.compile(r"^# (system|user|assistant)\n", re.MULTILINE)


@dataclass(frozen=True)
class Prompt:
    """A prompt file: its name, its turns as (role, text) pairs, and the SHA-256 of the file."""

    name: str
    turns: tuple[tuple[str, str], ...]
    sha: str

    @property
    def variables(self) -> frozenset[str]:
        """The names the last turn needs."""
        return frozenset(Template(self.turns[-1][1]).get_identifiers())

    def render(self, **values: str) -> tuple[tuple[str, str], ...]:
        """All turns with the variables of the last one filled in.

        Raises:
            KeyError: a variable is missing or unknown.
        """
        if wrong := self.variables.symmetric_difference(values):
            raise KeyError(f"prompt {self.name!r}: missing or unknown variables {sorted(wrong)}")
        role, text = self.turns[-1]
        return (*self.turns[:-1], (role, Template(text).substitute(values)))


@cache
def load(name: str) -> Prompt:
    """Read `prompts/NAME.md`."""
    raw = files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8")
    parts = _TURN.split(raw)[1:]
    turns = tuple((role, text.strip()) for role, text in zip(parts[::2], parts[1::2], strict=True))
    return Prompt(name=name, turns=turns, sha=hashlib.sha256(raw.encode()).hexdigest())
