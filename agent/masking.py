"""Keys are written as `***`, wherever words of others are shown or kept."""

from __future__ import annotations

import re
from collections.abc import Iterable

_KEYS = re.compile(
    r"\b(?P<kept>sk-|gsk_|hf_|AIza|bearer\s+|api[-_]?key[\"']?\s*[:=]\s*[\"']?|[?&]?token=)[^\s\"',)}&]{6,}",
    re.IGNORECASE,
)
"""What looks like a key, whoever's it is."""
_MASK = "***"


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without these secrets, and without what looks like a key."""
    for secret in sorted({secret for secret in secrets if secret}, key=len, reverse=True):
        text = text.replace(secret, _MASK)
    return _KEYS.sub(rf"\g<kept>{_MASK}", text)
