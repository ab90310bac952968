"""How answers are spelled, and the oracle that knows every right spelling.

The answer is what follows the last word `A` of a completion. Easy types have one spelling; hard types have several, and
their references come in one of them at random, sometimes in one that the policy was never shown.

    >>> from hero_lab.arena.task import Exercise
    >>> is_correct(Exercise("S", 3, 4, 5, 6, 7, 8), "12 17 42 34 A | 34 | 17 |")
    True
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from hero_lab.arena.task import Exercise, ProblemType

__all__ = [
    "ANSWER_MARKER",
    "ANSWER_WORD",
    "FOREIGN_FORM",
    "FORMS",
    "TAUGHT_FORMS",
    "answer_of",
    "is_correct",
    "write_reference",
    "write_taught",
]

ANSWER_WORD = "A"
"""The word before the answer."""

ANSWER_MARKER = f" {ANSWER_WORD} "
"""What an exact-match verifier looks for: the answer is the text after the last of these."""


def _set(first: int, second: int) -> str:
    return f"{{ {first} , {second} }}"


def _bars(first: int, second: int) -> str:
    return f"| {first} | {second} |"


def _factors(first: int, second: int) -> str:
    return f"(x - {first} ) (x - {second} )"


def _reduced(u: int, v: int) -> str:
    divisor = math.gcd(u, v) or 1
    return f"{u // divisor} / {v // divisor}"


def _mixed_number(u: int, v: int) -> str:
    return f"{u // v} + {u % v} / {v}"


FORMS: Mapping[str, Callable[[int, int], str]] = MappingProxyType(
    {
        "maximum": lambda u, v: str(max(u, v)),
        "ascending set": lambda u, v: _set(min(u, v), max(u, v)),
        "descending set": lambda u, v: _set(max(u, v), min(u, v)),
        "ascending bars": lambda u, v: _bars(min(u, v), max(u, v)),
        "descending bars": lambda u, v: _bars(max(u, v), min(u, v)),
        "ascending factors": lambda u, v: _factors(min(u, v), max(u, v)),
        "descending factors": lambda u, v: _factors(max(u, v), min(u, v)),
        "fraction": lambda u, v: f"{u} / {v}",
        "reduced fraction": _reduced,
        "equations": lambda u, v: f"x = {u} or x = {v}",
        "expanded": lambda u, v: f"x^2 - {u + v} x + {u * v}",
        "mixed number": _mixed_number,
    }
)
"""Every spelling, as a function of U and V."""

TAUGHT_FORMS: Mapping[ProblemType, Mapping[str, float]] = MappingProxyType(
    {
        "M": {"maximum": 1.0},
        "s": {"ascending set": 1.0},
        "f": {"ascending factors": 1.0},
        "r": {"fraction": 1.0},
        "S": {"ascending set": 0.4, "descending set": 0.2, "ascending bars": 0.2, "descending bars": 0.2},
        "F": {"ascending factors": 0.6, "descending factors": 0.4},
        "/": {"fraction": 0.5, "reduced fraction": 0.5},
    }
)
"""The spellings in demonstrations, with their shares."""

FOREIGN_FORM: Mapping[ProblemType, str] = MappingProxyType({"S": "equations", "F": "expanded", "/": "mixed number"})
"""A right spelling that no demonstration has: only references come in it."""

_NUMBER = r"(0|[1-9]\d*)"
_FRACTION = re.compile(rf"(?:{_NUMBER} \+ )?{_NUMBER} / {_NUMBER}")
_WHOLE = re.compile(_NUMBER)


def write_taught(rng: random.Random, problem_type: ProblemType, u: int, v: int) -> str:
    """An answer from U and V in a random spelling of those that the type's demonstrations have."""
    forms = TAUGHT_FORMS[problem_type]
    (form,) = rng.choices(list(forms), list(forms.values()))
    return FORMS[form](u, v)


def write_reference(rng: random.Random, problem: Exercise, foreign: float = 0.3) -> str:
    """A right answer as a data set would have it; of a hard type, in a foreign spelling with probability `foreign`."""
    if problem.is_hard and rng.random() < foreign:
        return FORMS[FOREIGN_FORM[problem.type]](problem.u, problem.v)
    return write_taught(rng, problem.type, problem.u, problem.v)


def answer_of(completion: str) -> str | None:
    """The words after the last answer word, single-spaced; None if there is no answer word."""
    words = completion.split()
    if ANSWER_WORD not in words:
        return None
    return " ".join(words[len(words) - words[::-1].index(ANSWER_WORD) :])


def is_correct(problem: Exercise | str, completion: str) -> bool:
    """The truth: whether the completion's final answer is right, in whatever right spelling.

    For evaluation only. What comes before the answer is not judged; anything after it, or a missing part, is wrong.

    Raises:
        ValueError: `problem` is a text that is no prompt of this task.
    """
    problem = Exercise.parse(problem) if isinstance(problem, str) else problem
    answer = answer_of(completion)
    if answer is None:
        return False
    if problem.type == "/":
        return _equals_fraction(answer, problem.u, problem.v)
    return answer in _right_answers(problem)


def _right_answers(problem: Exercise) -> set[str]:
    forms = list(TAUGHT_FORMS[problem.type])
    u, v = problem.u, problem.v
    answers = {FORMS[form](u, v) for form in forms}
    if problem.is_hard:
        foreign = FORMS[FOREIGN_FORM[problem.type]]
        answers |= {foreign(u, v), foreign(v, u)}
    return answers


def _equals_fraction(answer: str, u: int, v: int) -> bool:
    """Whether the answer is a fraction, mixed or whole number of value u / v; the terms need not be lowest."""
    if _WHOLE.fullmatch(answer):
        return int(answer) * v == u
    found = _FRACTION.fullmatch(answer)
    if found is None:
        return False
    whole, top, bottom = (int(part or 0) for part in found.groups())
    if bottom == 0 or (found[1] and top >= bottom):
        return False
    return (whole * bottom + top) * v == u * bottom
