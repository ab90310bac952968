"""Equations in a sentence, as plain text: "so we get 2x + 3 = 7"."""

from __future__ import annotations

import re

from hero_rl.verifiers.math.tree.units import has_prefix, is_unit

__all__ = ["left_side"]

# What a label is: a letter with an index, or two or three points; a word before "=" is none.
_LABEL = re.compile(r"[A-Za-z](?:_\{?\w+\}?)?|[A-Z]{2,3}")
_OPERATES = re.compile(r"[-−+*/^·÷√]|\d\s*[A-Za-z]|^(?:sqrt|log|ln|sin|cos|tan)\b")
_OPERATOR_FIRST = re.compile(r"[+*/^·÷)]")
_WORD = re.compile(r"(?=[A-Za-z]{0,30}[a-z])[A-Za-z]{2,30}[,:]?|[^\w]{0,3}[A-Za-z]{1,30}['’][a-z]{1,3}|.*[,:;]")
_TIMES = re.compile(r"(?<=[\d)])\s{0,3}[x×]\s{0,3}(?=[\d($])|(?<=\w)\s{1,3}[x×]\s{1,3}(?=[\d($])")
_QUANTITY = re.compile(r"(\d)\s?([A-Za-z]{1,12}(?:/[A-Za-z]{1,12})?)(?![A-Za-z^(])")
_COUNTED = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_LETTERS = re.compile(r"[A-Za-z]+")
_FUNCTIONS = frozenset({"sqrt", "log", "ln", "sin", "cos", "tan"})
_SAYS_WHAT_IT_IS = frozenset({"is", "are", "equals", "was", "were", "be"})
_CALLS_IT_ONE = re.compile(r"\b(?:equation|condition|constraint|relation|requirement|system)\b", re.IGNORECASE)


def left_side(before: str, value: str) -> str | None:
    """The left of an "=", back to the last word, if it has an unknown: a label, or a whole side.

    A value is that of its label. It is not that of `2x` or `x^2`, which is why these are not left off. Behind "the
    area is" a formula says how the value comes about, and is left off.

    Args:
        before: the sentence as far as the sign.
        value: what stands behind it.

    Returns:
        None where there are only words, numbers and quantities, 60g * 4/5, where the value counts something, or where
        the side cannot be told.
    """
    *chain, last = before.split("=")
    word, side = _behind_words(last)
    if chain and not word and _LABEL.fullmatch(label := _behind_words(chain[-1])[1]):
        return label  # F = ma = 50
    if _LABEL.fullmatch(side):
        return side
    says = word.lower() in _SAYS_WHAT_IT_IS and not _CALLS_IT_ONE.search(before)
    if says or _COUNTED.search(value) or _OPERATOR_FIRST.match(side) or side.count("(") != side.count(")"):
        return None
    bare = _QUANTITY.sub(lambda found: found[1] if _is_measured(found[2]) else found[0], side)
    unknown = set(_LETTERS.findall(bare)) - _FUNCTIONS
    if any(len(run) > 2 and run.islower() for run in unknown):
        return None
    return side if unknown and _OPERATES.search(side) else None


def _behind_words(text: str) -> tuple[str, str]:
    """The last word of a text, if it has one, and the formula behind it."""
    parts = _TIMES.sub(" * ", text).split()
    start = len(parts)
    while start and (parts[start - 1] in _FUNCTIONS or not _WORD.fullmatch(parts[start - 1])):
        start -= 1
    return parts[start - 1] if start else "", " ".join(parts[start:])


def _is_measured(unit: str) -> bool:
    return all(part in "gmsh" or len(part) > 2 or is_unit(part) or has_prefix(part) for part in unit.split("/"))
