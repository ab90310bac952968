"""Worked completions, `P U Q V A <answer>` with P = ab and Q = de: what a policy learns to write.

A step slips with a given probability; the steps after it go on from the slipped number, as a human's would.
"""

from __future__ import annotations

import random

from hero_lab.arena.answers import ANSWER_WORD, write_taught
from hero_lab.arena.task import MAX_NUMBER, Exercise

__all__ = ["demonstrate", "slipped_number"]

_OFFSETS = (-10, -2, -1, 1, 2, 10)


def demonstrate(rng: random.Random, problem: Exercise, slip: float = 0.0) -> str:
    """A worked completion; each of its five steps slips with probability `slip`. Without a slip it is right."""

    def step(value: int) -> int:
        return slipped_number(rng, value) if rng.random() < slip else value

    p = step(problem.a * problem.b)
    u = step(min(p + problem.c, MAX_NUMBER))
    q = step(problem.d * problem.e)
    v = step(max(q - problem.f, 1))
    chain = f"{p} {u} {q} {v}"
    if rng.random() < slip:  # one of the two is miscopied into the answer
        u, v = rng.choice([(slipped_number(rng, u), v), (u, slipped_number(rng, v))])
    return f"{chain} {ANSWER_WORD} {write_taught(rng, problem.type, u, v)}"


def slipped_number(rng: random.Random, value: int) -> int:
    """A near miss of a number: off by 1, 2 or 10, between 1 and 99."""
    return rng.choice([value + offset for offset in _OFFSETS if 1 <= value + offset <= MAX_NUMBER])
