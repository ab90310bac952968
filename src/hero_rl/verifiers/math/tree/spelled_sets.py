"""Sets of numbers in words: "all positive integers", "odd numbers", "real numbers"."""

from __future__ import annotations

import re
from fractions import Fraction

from hero_rl.verifiers.math.tree.formulas import (
    Node,
    Number,
    Product,
    Qualified,
    Relation,
    Sequence,
    SetOperation,
    Sum,
    Symbol,
)

__all__ = ["SpelledSet", "class_of", "is_multiples_of", "spelled_set"]

_SPELLED = re.compile(
    r"(?:(?:the\s+)?set\s+of\s+)?(?:(?:all|every|any|each)\s+)?(?:(?:of|the)\s+)?"
    r"(?P<adjectives>(?:(?:positive|negative|non-?negative|non-?zero|odd|even|real|rational|natural|whole|complex)\s+)*)"
    r"(?P<noun>integers?|numbers?|reals?|naturals?|rationals?|odd|even)"
)
_MULTIPLES = re.compile(
    r"(?:(?:the\s+)?set\s+of\s+)?(?:(?:all|any|every)\s+)?(?:of\s+)?(?:the\s+)?"
    r"(?:(?:integer|integral)\s+)?(?:multiples\s+of|(?:integers|whole\s+numbers)\s+(?:that\s+are\s+)?divisible\s+by)"
)
_PARTS = {"positive": "+", "negative": "-", "nonnegative": "0", "nonzero": "*"}
_BASES = {
    "real": "reals",
    "rational": "rationals",
    "natural": "naturals",
    "complex": "complexes",
    "integer": "integers",
}
_PARAMETER = Symbol("k")
_WHOLE = Relation((_PARAMETER, Symbol("integers")), ("in",))


class SpelledSet:
    """What words say of numbers, until the letter that they speak of is known.

    Attributes:
        base: `reals`, `integers` and the like.
        part: "", or the sign of the positive, negative, non-negative or non-zero ones.
        remainder: 1 for odd numbers, 0 for even ones, else None.
    """

    def __init__(self, base: str, part: str, remainder: int | None) -> None:
        self.base = base
        self.part = part
        self.remainder = remainder

    def node(self) -> Node:
        """The set itself."""
        if self.remainder is not None:
            return class_of(self.remainder, 2)
        if self.base == "reals" and self.part == "0":
            return Sequence("tuple", (Number(Fraction(0)), Symbol("infinity")), "[", ")")
        if self.base == "reals" and self.part == "*":
            return SetOperation("difference", Symbol("reals"), Sequence("set", (Number(Fraction(0)),), "{", "}"))
        return Symbol(self.base + self.part)

    def of(self, letter: Node) -> Node:
        """What the words say of a letter."""
        if self.remainder is not None:
            found = class_of(self.remainder, 2)
            return Qualified(Relation((letter, found.value), ("=",)), found.conditions)
        return Relation((letter, self.node()), ("in",))


def class_of(remainder: int, modulus: int) -> Qualified:
    """The whole numbers of one remainder, as a family."""
    multiple = Product((Number(Fraction(modulus)), _PARAMETER))
    return Qualified(Sum((multiple, Number(Fraction(remainder)))) if remainder else multiple, (_WHOLE,))


def is_multiples_of(text: str) -> bool:
    """Whether a run of words can only be followed by the number whose multiples, of either sign and zero, are meant.

    Safe: every word is known, so that "positive multiples of" and "a multiple of" are none of these.
    """
    return _MULTIPLES.fullmatch(" ".join(text.lower().split())) is not None


def spelled_set(text: str) -> SpelledSet | None:
    """The set that a run of words names; None where it names none, or one with more conditions than are known here.

    Safe: every word of it must be known.
    """
    match = _SPELLED.fullmatch(" ".join(text.lower().split()))
    if match is None:
        return None
    adjectives = [word.replace("-", "") for word in match["adjectives"].split()]
    noun = match["noun"].rstrip("s")
    parities = [word for word in (*adjectives, noun) if word in ("odd", "even")]
    parts = [_PARTS[word] for word in adjectives if word in _PARTS]
    bases = [_BASES[word] for word in (*adjectives, noun) if word in _BASES]
    if "whole" in adjectives:
        bases, parts = [*bases, "integers"], parts or ["0"]
    if parities:
        return SpelledSet("integers", "", int(parities[0] == "odd")) if not parts and len(parities) == 1 else None
    if len(parts) > 1 or len(set(bases)) > 1 or not (bases or parts):
        return None
    return SpelledSet(bases[0] if bases else "reals", parts[0] if parts else "", None)
