"""How numbers are written: figures, number words, multipliers, and every value a spelling can have."""

# ruff: noqa: SIM905  (word lists read better as text)

from __future__ import annotations

import re

_ONES = "one two three four five six seven eight nine".split()
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_VALUES = (
    {word: value for value, word in enumerate(["zero", *_ONES, *_TEENS])}
    | {word: 10 * value for value, word in enumerate(_TENS, start=2)}
    | {"a": 1}
)
_SCALES = {
    "hundred": 1e2,
    "thousand": 1e3,
    "lakh": 1e5,
    "million": 1e6,
    "mn": 1e6,
    "crore": 1e7,
    "billion": 1e9,
    "bn": 1e9,
    "trillion": 1e12,
    "tn": 1e12,
}
_MONEY_SCALES = {"k": 1e3, "m": 1e6, "b": 1e9}

_ONE = "|".join(_ONES)
_BELOW_100 = (
    rf"(?:(?:{'|'.join(_TENS)})(?:[- ](?:{_ONE}))?|{'|'.join(sorted(_TEENS, key=len, reverse=True))}|{_ONE}|zero)"
)
_BELOW_1000 = rf"(?:(?:{_ONE}|a)[- ]hundred(?:(?: and)? {_BELOW_100})?|{_BELOW_100})"
_WORDS = (
    rf"\b(?:{_BELOW_1000}[- ]thousand(?:,?(?: and)? {_BELOW_1000})?|{_BELOW_1000}"
    r"|a(?= (?:thousand|million|billion)\b))\b"
)
_FIGURE = (
    r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?: \d{3})+(?![\d,.])|\d{1,3}(?:'\d{3})+|\d{1,3}(?:\.\d{3}){2,}"
    r"|\d+\.\d+|\d+,\d{1,2}(?!\d)|\d+|(?<![\d.])\.\d+)"
)
_SCALE = rf"(?:[- ]?(?:{'|'.join(sorted(_SCALES, key=len, reverse=True))})\b)"
_MONEY_SCALE = rf"(?:{_SCALE}| ?[kmb]\b)"
_THING_SCALE = rf"(?:{_SCALE}|[kmb](?= (?:[a-z]+ )?(?:people|[a-z]{{3,}}s)\b))"
SIGN = "(?:US ?)?[$\u20ac\u00a3\u00a5\u20b9]"
NUMBER = rf"(?:{SIGN} ?{_FIGURE}{_MONEY_SCALE}?|{_FIGURE}{_THING_SCALE}?|{_WORDS}{_SCALE}?)"


def values_of(number: str) -> tuple[float, ...]:
    """Every value the spelling of a number can have."""
    bare = re.sub(rf"^{SIGN} ?", "", number, flags=re.IGNORECASE)
    figure = re.match(_FIGURE, bare)
    scale = scale_of(number)
    if figure:
        if scale > 1:
            return (_figure_values(figure.group())[0] * scale,)
        return _figure_values(figure.group())
    words = re.findall(r"[a-z]+", bare.lower())
    return (_word_value(words),) if words else ()


def _figure_values(figure: str) -> tuple[float, ...]:
    if re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", figure):
        return float(figure), float(figure.replace(".", ""))
    if re.fullmatch(r"\d+,\d{1,2}", figure):
        return (float(figure.replace(",", ".")),)
    if figure.count(".") > 1:
        return (float(figure.replace(".", "")),)
    return (float(re.sub(r"[, ']", "", figure)),)


def _word_value(words: list[str]) -> float:
    total = current = 0.0
    for word in words:
        if word == "hundred":
            current *= 100
        elif word in _SCALES:
            total, current = total + current * _SCALES[word], 0.0
        else:
            current += _VALUES.get(word, 0)
    return total + current


def scale_of(number: str) -> float:
    """The multiplier behind a figure; number words are read whole."""
    found = re.search(rf"\d(?P<word>{_MONEY_SCALE})$", number, re.IGNORECASE)
    if not found:
        return 1
    word = found["word"].strip(" -").lower()
    return _SCALES.get(word) or _MONEY_SCALES[word]
