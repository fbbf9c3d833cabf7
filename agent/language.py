"""Whether a text is in a language we do not verify: by the little words that every sentence has."""

# ruff: noqa: SIM905  (word lists read better as text)

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH = frozenset(
    (
        "the of and in on a to is was that for it with as his he be by are at this have from or had not but which they"
        " were their an there been has its who will would said"
    ).split()
)
_FOREIGN = frozenset(
    (
        "der das und ist nicht ein eine einer den dem mit von auf im für wurde hat sich"  # German
        " le les des une est dans qui que pour pas sur du aux été avec il elle"  # French
        " el en los las una es del por con para se su fue y"  # Spanish
        " gli della che di è per sono nel alla ha"  # Italian
        " os um uma não do da dos foi em ao"  # Portuguese
        " het een van niet met voor werd zijn dat"  # Dutch
        " og det på av som ikke ble till och inte är"  # Nordic
        " na nie jest się że był"  # Polish
    ).split()
)
_FEWEST = 2
_READ = 20_000
"""Characters looked at."""
_OTHER_SCRIPT = re.compile(r"[\u0370-\u1dff\u3040-\u9fff\uac00-\ud7af]")


def is_foreign(text: str) -> bool:
    """Whether a text is plainly not English; of a short one without little words nobody can tell."""
    words = [word.casefold() for word in _WORD.findall(text[:_READ])]
    if sum(bool(_OTHER_SCRIPT.search(word)) for word in words) > len(words) / 2:
        return True
    foreign, english = (sum(word in known for word in words) for known in (_FOREIGN, _ENGLISH))
    return foreign >= _FEWEST and foreign > english
