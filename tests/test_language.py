"""Other languages are told apart from English, so that nobody takes their verdicts for tested."""

from __future__ import annotations

import pytest

from agent.language import is_foreign


@pytest.mark.parametrize(
    "text",
    [
        "El transbordador de Harrow Quay llevó a 88.000 pasajeros en 2022.",
        "Die Fähre hatte im Jahr 2022 nach Angaben der Behörde 88.000 Fahrgäste.",
        "Le bac a transporté 88 000 passagers en 2022, selon le port.",
        "Паром перевёз 88 тысяч пассажиров.",
        "フェリーは2022年に88,000人を運んだ。",
    ],
)
def test_other_languages_are_seen(text):
    """By their little words, or their script."""
    assert is_foreign(text)


@pytest.mark.parametrize(
    "text",
    [
        "The ferry carried 88,000 passengers in 2022.",
        "Ferry prices up 3%",
        "The film “Das Boot” and the paper El País were named by the jury.",
        "Angela Merkel met Emmanuel Macron in Aix-la-Chapelle.",
        "",
        "2022: 88.000",
    ],
)
def test_english_and_what_cannot_be_told_is_let_pass(text):
    """Foreign names in an English sentence are no foreign text."""
    assert not is_foreign(text)
