"""What quantities are measured in, and which counted things are the same."""

# ruff: noqa: SIM905  (word lists read better as text)

from __future__ import annotations

from dataclasses import dataclass

from agent.stages.checks.words import stem


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: `factor` turns its numbers into those of the measure's base unit."""

    name: str
    measure: str
    factor: float = 1.0
    offset: float = 0.0


def _table(*rows: tuple[str, str, float, str]) -> dict[str, Unit]:
    return {
        spelling: Unit(name, measure, factor)
        for name, measure, factor, spellings in rows
        for spelling in (name, *spellings.split())
    }


UNITS = _table(
    ("%", "percent", 1, "percent percentage pct"),
    ("mm", "length", 0.001, "millimetre millimetres millimeter millimeters"),
    ("cm", "length", 0.01, "centimetre centimetres centimeter centimeters"),
    ("metre", "length", 1, "metres meter meters m"),
    ("km", "length", 1000, "kilometre kilometres kilometer kilometers kms"),
    ("mile", "length", 1609.344, "miles mi"),
    ("foot", "length", 0.3048, "feet ft"),
    ("inch", "length", 0.0254, "inches"),
    ("yard", "length", 0.9144, "yards yd"),
    ("km/h", "speed", 1, "kph kmh kmph"),
    ("mph", "speed", 1.609344, ""),
    ("mg", "mass", 1e-6, "milligram milligrams"),
    ("gram", "mass", 0.001, "grams gramme grammes g"),
    ("kg", "mass", 1, "kilogram kilograms kilo kilos kgs"),
    ("tonne", "mass", 1000, "tonnes ton tons"),
    ("pound", "mass", 0.45359237, "lb lbs"),
    ("km2", "area", 1, "km^2"),
    ("hectare", "area", 0.01, "hectares ha"),
    ("acre", "area", 0.0040468564, "acres"),
    ("second", "time", 1, "seconds sec secs"),
    ("minute", "time", 60, "minutes min mins"),
    ("hour", "time", 3600, "hours hr hrs"),
    ("day", "time", 86400, "days"),
    ("week", "time", 604800, "weeks"),
    ("month", "month", 1, "months"),
    ("year", "month", 12, "years yr yrs"),
    ("litre", "volume", 1, "litres liter liters"),
    ("gallon", "volume", 3.785411784, "gallons"),
    ("watt", "power", 1, "watts w"),
    ("kW", "power", 1e3, "kw kilowatt kilowatts"),
    ("MW", "power", 1e6, "mw megawatt megawatts"),
    ("GW", "power", 1e9, "gw gigawatt gigawatts"),
    ("USD", "USD", 1, "dollar dollars usd us$"),
    ("EUR", "EUR", 1, "euro euros eur"),
    ("GBP", "GBP", 1, "gbp sterling"),
    ("JPY", "JPY", 1, "yen jpy"),
    ("INR", "INR", 1, "rupee rupees inr"),
    ("CNY", "CNY", 1, "yuan cny renminbi"),
    ("RUB", "RUB", 1, "rouble roubles ruble rubles rub"),
    ("DKK", "DKK", 1, "dkk"),
    ("crown", "crown", 1, "crowns"),
    ("franc", "CHF", 1, "francs chf"),
    ("cent", "cent", 1, "cents"),
)
UNITS |= {
    "celsius": Unit("C", "temperature"),
    "centigrade": Unit("C", "temperature"),
    "\u00b0c": Unit("C", "temperature"),
    "fahrenheit": Unit("F", "temperature", 5 / 9, -32),
    "\u00b0f": Unit("F", "temperature", 5 / 9, -32),
}
PHRASES = {
    "percentage points": Unit("percentage points", "points"),
    "percentage point": Unit("percentage points", "points"),
    "per cent": UNITS["%"],
    "degrees celsius": UNITS["celsius"],
    "degrees centigrade": UNITS["celsius"],
    "degrees c": UNITS["celsius"],
    "degrees fahrenheit": UNITS["fahrenheit"],
    "degrees f": UNITS["fahrenheit"],
    "square kilometres": UNITS["km2"],
    "square kilometers": UNITS["km2"],
    "square km": UNITS["km2"],
    "square miles": Unit("square mile", "area", 2.589988),
    "sq mi": Unit("square mile", "area", 2.589988),
    "metric tons": UNITS["tonne"],
    "metric tonnes": UNITS["tonne"],
    "miles per hour": UNITS["mph"],
    "kilometres per hour": UNITS["km/h"],
    "kilometers per hour": UNITS["km/h"],
    "km/h": UNITS["km/h"],
    "us dollars": UNITS["usd"],
    "m^2": Unit("m2", "area", 1e-6),
    "km^2": UNITS["km2"],
    "light years": Unit("light year", "light years"),
    "light-years": Unit("light year", "light years"),
    "nautical miles": Unit("nautical mile", "length", 1852),
}
SIGNS = {"$": "usd", "\u20ac": "eur", "\u00a3": "gbp", "\u00a5": "jpy", "\u20b9": "inr"}
CURRENCIES = frozenset({"USD", "EUR", "GBP", "JPY", "INR", "CNY", "RUB", "DKK", "crown", "CHF", "cent"})
AMBIGUOUS = frozenset({"m", "g", "w", "min", "sec", "ha", "mi", "pound", "second", "us$", "ft", "cent"})
"""Spellings that are units only directly behind a figure."""

_GROUPS = (
    "soldier troop serviceman servicemen servicemember personnel",
    "person people individual human",
    "dead death fatality kill died die",
    "wound injury injure wounded injured",
    "employee staff worker workforce employ",
    "inhabitant resident population",
    "airstrike strike raid bombing",
    "aircraft plane airplane aeroplane jet warplane",
    "film movie",
    "nation country",
    "book novel",
    "kid child",
    "victory win",
    "policeman policemen officer",
)
_GROUP_OF = {stem(word): group.split()[0] for group in _GROUPS for word in group.split()}

PEOPLE = frozenset(
    "soldier person dead wound employee inhabitant child woman man civilian fighter militant passenger student "
    "member policeman refugee migrant patient protester rebel insurgent terrorist hostage prisoner journalist "
    "sailor pilot demonstrator veteran participant voter girl boy crew visitor viewer".split()
)


def counted_thing(word: str) -> str:
    """The stem of a counted noun, or the name of its group of synonyms."""
    found = stem(word)
    return _GROUP_OF.get(found, found)
