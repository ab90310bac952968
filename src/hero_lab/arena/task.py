"""The task: two chains of arithmetic, and a question about their results.

A problem is `T a *b +c d *e -f ?`, with `U = a b + c` and `V = d e - f`. The type `T` says what is asked about U and V.
Words are parted by single spaces, and every word is one token.

    >>> problem = Exercise(type="M", a=3, b=4, c=5, d=6, e=7, f=8)
    >>> problem.prompt, problem.u, problem.v
    ('M 3 *4 +5 6 *7 -8 ?', 17, 34)
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

__all__ = [
    "EASY_TYPES",
    "HARD_TYPES",
    "MAX_NUMBER",
    "PROMPT_END",
    "PROMPT_TOKENS",
    "Exercise",
    "ProblemType",
    "Regime",
    "Split",
    "sample_problems",
    "types_of",
]

ProblemType = Literal["M", "s", "f", "r", "S", "F", "/"]
"""What is asked: the maximum, the set, the factors, the fraction (easy); solution set, factors, fraction (hard)."""

EASY_TYPES: tuple[ProblemType, ...] = ("M", "s", "f", "r")
"""Easy to verify: the right answer has one spelling."""

HARD_TYPES: tuple[ProblemType, ...] = ("S", "F", "/")
"""Hard to verify: the right answer has several spellings, and a reference shows one of them."""

Regime = Literal["easy", "hard", "mixed"]
"""Which types prompts are drawn from."""

Split = Literal["train", "development", "test", "report"]
"""Disjoint sets of numbers: to train on, to choose by, to watch a run with, and for the final figures."""

PROMPT_END = "?"
"""Last word of every prompt; no answer contains it."""

PROMPT_TOKENS = 8
"""Words, and so tokens, of every prompt."""

MAX_NUMBER = 99
"""Largest number that is a word of its own."""

# Percent of all number sextuples, in the order in which the hash deals them out; training has the rest.
_HELD_OUT: tuple[tuple[Split, int], ...] = (("test", 10), ("development", 5), ("report", 10))

_PROMPT = re.compile(r"([MsfrSF/]) ([2-9]) \*([2-9]) \+([1-9]) ([2-9]) \*([2-9]) -([1-9]) \?")


@dataclass(frozen=True)
class Exercise:
    """One problem.

    Attributes:
        type: what is asked about U and V.
        a: factor, 2 to 9.
        b: factor, 2 to 9.
        c: summand, 1 to 9.
        d: factor, 2 to 9.
        e: factor, 2 to 9.
        f: subtrahend, 1 to 9.

    Raises:
        ValueError: a number is out of range, V is below 2, U equals V, or the numbers do not suit the type: `r` needs U
            and V coprime, `/` needs them not to be.
    """

    type: ProblemType
    a: int
    b: int
    c: int
    d: int
    e: int
    f: int

    def __post_init__(self) -> None:
        if self.type not in get_args(ProblemType):
            raise ValueError(f"unknown problem type {self.type!r}")
        factors, terms = (self.a, self.b, self.d, self.e), (self.c, self.f)
        if not all(2 <= factor <= 9 for factor in factors) or not all(1 <= term <= 9 for term in terms):
            raise ValueError(f"factors are 2 to 9 and terms 1 to 9: {self.numbers}")
        if not _suits(self.type, self.u, self.v):
            raise ValueError(f"U = {self.u} and V = {self.v} make no problem of type {self.type!r}")

    @property
    def numbers(self) -> tuple[int, int, int, int, int, int]:
        """The six numbers, in the prompt's order."""
        return (self.a, self.b, self.c, self.d, self.e, self.f)

    @property
    def u(self) -> int:
        """Result of the first chain, 5 to 90."""
        return self.a * self.b + self.c

    @property
    def v(self) -> int:
        """Result of the second chain, 2 to 80."""
        return self.d * self.e - self.f

    @property
    def is_hard(self) -> bool:
        """Whether the right answer has several spellings."""
        return self.type in HARD_TYPES

    @property
    def prompt(self) -> str:
        """The problem as the policy reads it."""
        return f"{self.type} {self.a} *{self.b} +{self.c} {self.d} *{self.e} -{self.f} {PROMPT_END}"

    @cached_property
    def split(self) -> Split:
        """Which split the numbers belong to, whatever the type."""
        digest = hashlib.blake2b(bytes(self.numbers), digest_size=8).digest()
        place = int.from_bytes(digest, "big") % 100
        for split, percent in _HELD_OUT:
            if place < percent:
                return split
            place -= percent
        return "train"

    @classmethod
    def parse(cls, prompt: str) -> Exercise:
        """Read a problem back from its prompt; surrounding whitespace is of no account.

        Raises:
            ValueError: the text is no prompt of this task.
        """
        found = _PROMPT.fullmatch(prompt.strip())
        if found is None:
            raise ValueError(f"no prompt of the arena: {prompt!r}")
        type_, *numbers = found.groups()
        return cls(type_, *map(int, numbers))  # pyright: ignore[reportArgumentType]


def types_of(regime: Regime) -> tuple[ProblemType, ...]:
    """The types of a regime."""
    return {"easy": EASY_TYPES, "hard": HARD_TYPES, "mixed": EASY_TYPES + HARD_TYPES}[regime]


def sample_problems(rng: random.Random, types: tuple[ProblemType, ...], split: Split) -> Iterator[Exercise]:
    """Draw problems without end, the type uniformly and then the numbers; a problem may come again."""
    while True:
        type_ = rng.choice(types)
        while (problem := _draw(rng, type_)) is None or problem.split != split:
            pass
        yield problem


def _draw(rng: random.Random, type_: ProblemType) -> Exercise | None:
    """A problem with uniform numbers, or None where they do not suit the type."""
    a, b, d, e = (rng.randint(2, 9) for _ in range(4))
    c, f = rng.randint(1, 9), rng.randint(1, 9)
    return Exercise(type_, a, b, c, d, e, f) if _suits(type_, a * b + c, d * e - f) else None


def _suits(type_: ProblemType, u: int, v: int) -> bool:
    if v < 2 or u == v:
        return False
    coprime = math.gcd(u, v) == 1
    return {"r": coprime, "/": not coprime}.get(type_, True)
