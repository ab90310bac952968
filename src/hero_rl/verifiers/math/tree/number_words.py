"""Numbers in words: "twenty one", "two hundred and five", "three quarters", "the third"."""

from __future__ import annotations

from fractions import Fraction

__all__ = ["COUNTING", "number_in_words"]

_SMALL = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen
"""
_UNITS = {word: value for value, word in enumerate(_SMALL.split())}
_SPOKEN_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = {word: 10 * value for value, word in enumerate(_SPOKEN_TENS.split(), start=2)}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_PLACES = """
first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth
sixteenth seventeenth eighteenth nineteenth twentieth
"""
_ORDINALS = {word: value for value, word in enumerate(_PLACES.split(), start=1)}
_PARTS = {
    "half": 2,
    "halves": 2,
    "quarter": 4,
    "quarters": 4,
    **{word + ending: value for word, value in _ORDINALS.items() if value > 2 for ending in ("", "s")},
    "hundredth": 100,
    "hundredths": 100,
}

COUNTING = frozenset({*_UNITS, *_TENS, *_SCALES, "hundred"})
"""The words that numbers of things are made of."""


def number_in_words(words: list[str]) -> Fraction | None:
    """The number that words in lower case name, all of them; None where they name none.

    Safe: the words must make a number as it is spoken, from the largest part down. "Third" is the place 3, "a third"
    and "one third" are the part.
    """
    if words[:1] == ["the"] and len(words) > 1 and words[-1] in _ORDINALS:
        words = words[1:]
    if words[:1] == ["half"] and len(words) == 1:
        return Fraction(1, 2)
    if len(words) == 1 and words[0] in _ORDINALS:
        return Fraction(_ORDINALS[words[0]])
    if len(words) == 2 and words[0] in _TENS and _ORDINALS.get(words[1], 10) < 10:
        return Fraction(_TENS[words[0]] + _ORDINALS[words[1]])
    if len(words) > 1 and words[-1] in _PARTS:
        top = 1 if words[:-1] in (["a"], ["an"]) else _cardinal(words[:-1])
        return Fraction(top, _PARTS[words[-1]]) if top else None
    if words in (["a", "hundred"], ["a", "thousand"], ["a", "million"]):
        words = ["one", words[1]]
    found = _cardinal(words)
    return None if found is None else Fraction(found)


def _cardinal(words: list[str]) -> int | None:
    """A number of things: groups of hundreds, each with its scale, the scales going down."""
    total, last_scale, group = 0, 10**12, list[str]()
    for word in words:
        if word not in _SCALES:
            group.append(word)
            continue
        value, scale = _below_thousand(group), _SCALES[word]
        if not value or scale >= last_scale:
            return None
        total, last_scale, group = total + value * scale, scale, []
    if not group and total:
        return total
    rest = _below_thousand(group)
    return None if rest is None or (total and not rest) else total + rest


def _below_thousand(words: list[str]) -> int | None:
    hundreds = 0
    if "hundred" in words[1:2]:
        hundreds = _UNITS.get(words[0], 0)
        if not 1 <= hundreds <= 9:
            return None
        words = words[3:] if words[2:3] == ["and"] else words[2:]
        if not words:
            return 100 * hundreds
    if len(words) == 1 and (words[0] in _UNITS or words[0] in _TENS):
        return 100 * hundreds + (_UNITS.get(words[0]) or _TENS.get(words[0]) or 0)
    if len(words) == 2 and words[0] in _TENS and 1 <= _UNITS.get(words[1], 0) <= 9:
        return 100 * hundreds + _TENS[words[0]] + _UNITS[words[1]]
    return None
