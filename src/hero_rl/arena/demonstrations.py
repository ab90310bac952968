"""Worked completions, `P U Q V A <answer>` with P = ab and Q = de: what a policy learns to write.

A step slips with a given probability; the steps after it go on from the slipped number, as a human's would.
"""

from __future__ import annotations

import random

from hero_rl.arena.answers import ANSWER_WORD, FORMS, write_taught
from hero_rl.arena.task import MAX_NUMBER, Problem, ProblemType

__all__ = ["demonstrate", "slipped_number"]

_OFFSETS = (-10, -2, -1, 1, 2, 10)

# A slip of an easy answer that keeps its numbers: the order or the choice that the type asks for goes wrong.
_CONFUSED_FORM: dict[ProblemType, str] = {"s": "descending set", "f": "descending factors"}


def demonstrate(rng: random.Random, problem: Problem, slip: float = 0.0) -> str:
    """A worked completion; each of its five steps slips with probability `slip`. Without a slip it is right."""

    def step(value: int) -> int:
        return slipped_number(rng, value) if rng.random() < slip else value

    p = step(problem.a * problem.b)
    u = step(min(p + problem.c, MAX_NUMBER))
    q = step(problem.d * problem.e)
    v = step(max(q - problem.f, 1))
    write = _slipped_answer if rng.random() < slip else write_taught
    return f"{p} {u} {q} {v} {ANSWER_WORD} {write(rng, problem.type, u, v)}"


def slipped_number(rng: random.Random, value: int) -> int:
    """A near miss of a number: off by 1, 2 or 10, between 1 and 99."""
    return rng.choice([value + offset for offset in _OFFSETS if 1 <= value + offset <= MAX_NUMBER])


def _slipped_answer(rng: random.Random, problem_type: ProblemType, u: int, v: int) -> str:
    """An answer with a number miscopied or the two confused."""
    if rng.random() < 0.5:
        u, v = (slipped_number(rng, u), v) if rng.random() < 0.5 else (u, slipped_number(rng, v))
        return write_taught(rng, problem_type, u, v)
    if problem_type == "M":
        return str(min(u, v))
    if problem_type in _CONFUSED_FORM:
        return FORMS[_CONFUSED_FORM[problem_type]](u, v)
    if problem_type in ("S", "F"):
        return write_taught(rng, problem_type, v, v)
    return write_taught(rng, problem_type, v, u)
