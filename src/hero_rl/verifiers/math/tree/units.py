"""Units of measure, and the words that may stand behind a number without changing it."""

from __future__ import annotations

import re

__all__ = [
    "CHANGES",
    "GAINS",
    "PREFIXES",
    "UNIT_LETTERS",
    "has_prefix",
    "is_plain_noun",
    "is_symbol",
    "is_unit",
    "may_describe",
    "named_unit",
    "powers",
    "same_unit",
    "unit_name",
    "without_prefix",
]

_SPELLINGS = {
    "mm": ["millimeter", "millimetre"],
    "cm": ["centimeter", "centimetre"],
    "dm": ["decimeter"],
    "m": ["meter", "metre"],
    "km": ["kilometer", "kilometre"],
    "in": ["inch", "inches"],
    "ft": ["foot", "feet"],
    "yd": ["yard"],
    "mi": ["mile"],
    "mg": ["milligram"],
    "g": ["gram", "gramme"],
    "kg": ["kilogram", "kilo"],
    "lb": ["pound", "lbs"],
    "oz": ["ounce"],
    "ml": ["milliliter", "millilitre", "mL"],
    "l": ["liter", "litre", "L"],
    "s": ["second", "sec", "secs"],
    "min": ["minute", "mins"],
    "h": ["hour", "hr", "hrs"],
    "day": [],
    "week": [],
    "month": [],
    "year": ["yr", "yrs"],
    "dollar": ["usd", "buck"],
    "cent": [],
    "euro": ["eur"],
    "rupee": ["inr"],
    "yen": ["jpy"],
    "yuan": ["rmb", "cny"],
    "degree": ["deg"],
    "rad": ["radian"],
    "unit": [],
    "mi/h": ["mph"],
    "km/h": ["kph", "kmh"],
    "J": ["joule"],
    "kJ": [],
    "N": ["newton"],
    "W": ["watt"],
    "kW": [],
    "V": ["volt"],
    "A": ["ampere", "amp"],
    "Hz": ["hertz"],
    "Pa": ["pascal"],
    "K": ["kelvin"],
    "mol": ["mole"],
    "ohm": [],
    "celsius": [],
    "fahrenheit": [],
}
_NAMES = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in (name, *spellings)}

PREFIXES = {"G": 9, "M": 6, "k": 3, "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12}
"""The powers of ten of metric prefixes; u is for micro."""

_WITH_PREFIX = frozenset({*"mgslJNWVAFHTK", "Hz", "Pa", "mol", "ohm", "Omega", "eV", "Wh", "bar", "bit", "byte"})
_IN_WORDS_ONLY = frozenset({*"CFHT", "atm", "ha", "cal", "kcal", "cd", "lm", "lx", "dB", "psi"})
"""Units that outside of words are letters of a formula, as those with a prefix are."""

UNIT_LETTERS = frozenset({*"mghlsJNWV", "Omega"})
"""Letters, and a command, that are units where nothing else can be meant."""

# Behind a number, these say another number, a condition, a doubt or a second answer.
_CHANGING = """
always sometimes perhaps thus besides minus unless guess regardless nevertheless towards afterwards otherwise versus
this his its yes less zero one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty
sixty seventy eighty ninety tenth hundredth thousandth fourth fifth sixth seventh eighth ninth lakh crore halve
point choose approximately approx probably possibly ish roughly circa around nearly almost am pm bc ad not no non
isnt arent never and or nor if else when where is are was were be than more least most over under above below about
between except other but plus times squared cubed factorial negative percent percentage pct half double twice triple
third quarter hundred thousand million billion trillion dozen score pair base mod modulo infinity infinite pi e i
root square cube sqrt wrong false incorrect maybe either neither both to too from up down off per of the th with
without by divided multiplied power exponent inverse reciprocal opposite
"""
_CHANGES_THE_NUMBER = frozenset(_CHANGING.split())
_PLURALS = frozenset({"people", "children", "men", "women", "mice", "sheep", "fish", "person", "way", "time", "units"})
GAINS = frozenset({"increase", "profit", "gain"})
CHANGES = GAINS | {"decrease", "loss", "discount"}
"""Which way a share or an amount of money goes."""
_BETWEEN_UNITS = frozenset({"square", "cubic", "sq", "per", "cu"})
_MODIFIERS = {"square": "^2", "sq": "^2", "squared": "^2", "cubic": "^3", "cubed": "^3"}
_NUMBER_STEM = re.compile(r"(?:(?<!mon)ths?|illions?|gross|googols?|myriads?|scores?)$")
_NO_FRACTIONS = frozenset({"paths", "baths", "moths", "cloths", "lengths", "widths", "depths", "deaths", "births"})
_NOUN = re.compile(r"[A-Za-z][A-Za-z'-]*")


def is_unit(word: str) -> bool:
    """Whether a bare word is a unit with more than one letter."""
    return len(word) > 1 and (word in _NAMES or _singular(word.lower()) in _NAMES)


def is_plain_noun(word: str) -> bool:
    """Whether a word behind a number can only name what is counted or measured: a unit, or a noun in the plural.

    It cannot make a wrong number right: the number itself is compared as it stands.
    """
    lower = word.lower()
    is_known = word in _NAMES or _singular(lower) in _NAMES or lower in _PLURALS or lower in _BETWEEN_UNITS
    is_known = is_known or word in _IN_WORDS_ONLY or word in _WITH_PREFIX or has_prefix(word)
    if lower == "points":  # a score's; one point parts a number's digits
        return True
    if _NUMBER_STEM.search(lower) and lower not in _NO_FRACTIONS:
        return False
    if not is_known and (len(lower) < 4 or not lower.endswith("s")):
        return False
    return (
        bool(_NOUN.fullmatch(word))
        and not {lower, lower.removesuffix("s"), lower.removesuffix("es")} & _CHANGES_THE_NUMBER
    )


# Also what makes another unit of one: short tons, nautical miles.
_OTHER_NUMBER = re.compile(
    r"(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|couple|excluding|including|besides"
    r"|metric|short|long|imperial|nautical|light|troy)|.*'"
)


def may_describe(word: str) -> bool:
    """Whether a word between a number and a noun in the plural may say which are counted, and change no number."""
    lower = word.lower()
    if lower in _CHANGES_THE_NUMBER or lower.removesuffix("s") in _CHANGES_THE_NUMBER or _OTHER_NUMBER.match(lower):
        return False
    return bool(_NOUN.fullmatch(word)) and len(word) > 2 and not _NUMBER_STEM.search(lower)


def without_prefix(unit: str) -> tuple[str, str]:
    """A unit's metric prefix and the unit without it: ("k", "N"); no prefix where it has none."""
    prefix, base = unit[:1], unit[1:]
    return (prefix, base) if prefix in PREFIXES and base in _WITH_PREFIX else ("", unit)


def has_prefix(unit: str) -> bool:
    """Whether it is a unit with a metric prefix: kN, mA."""
    return without_prefix(unit) != ("", unit)


def is_symbol(word: str) -> bool:
    """Whether letters are a unit's symbol of two letters or more: nm, kPa, eV; not MN, which may be two points."""
    return (has_prefix(word) and not (len(word) == 2 and word.isupper())) or (
        len(word) > 1 and word in _WITH_PREFIX | _IN_WORDS_ONLY
    )


def named_unit(word: str) -> str:
    """The unit that a word or a letter names; nothing where it names another thing."""
    return _NAMES.get(word) or _NAMES.get(_singular(word.lower()), "")


def unit_name(words: list[str]) -> str:
    """One spelling of a unit given as words and signs: `["square", "meters"]` and `["m", "^2"]` are `m^2`."""
    name, power = "", ""
    for word in words:
        if word.lower() in _MODIFIERS and len(words) > 1:
            power = _MODIFIERS[word.lower()]
        elif word.startswith("^"):
            name += "" if power else word
        else:
            lower = word.lower() if len(word) > 2 else word  # m is not M
            known = word if word in _WITH_PREFIX | _IN_WORDS_ONLY or has_prefix(word) else None
            spelled = _NAMES.get(word) or known or _NAMES.get(lower) or _NAMES.get(_singular(lower)) or _singular(lower)
            joins = not name or name[-1] in "/." or not _NOUN.fullmatch(word)
            name += spelled if joins else f" {spelled}"
    return name + power


def _singular(word: str) -> str:
    ends = len(word) > 3 and word.endswith("s") and not word.endswith("ss")
    return word[:-1] if ends and word not in _NAMES else word


_FACTOR = re.compile(r"(?P<sign>[/. ]?)(?P<name>[^/. ^]+)(?:\^(?P<power>-?\d+))?")
_FULL_NAMES = {"celsius": "C", "fahrenheit": "F"}


def powers(name: str) -> dict[str, int]:
    """The powers of the units in a name: m/s^2, m s^-2 and m.s^-2 are one.

    Safe: every unit counts with its power, and none is turned into another here.
    """
    found: dict[str, int] = {}
    for factor in _FACTOR.finditer(name):
        unit = _FULL_NAMES.get(factor["name"], factor["name"]).replace("ohm", "Omega")
        power = int(factor["power"] or 1)
        found[unit] = found.get(unit, 0) + (-power if factor["sign"] == "/" else power)
    return found


def same_unit(one: str, other: str) -> bool:
    """Whether two units are one; "unit" stands for any of its power."""
    if one == other or powers(one) == powers(other):
        return True
    (name, _, power), (other_name, _, other_power) = one.partition("^"), other.partition("^")
    return power == other_power and "unit" in (name, other_name)
