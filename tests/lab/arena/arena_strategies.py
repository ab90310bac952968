"""Hypothesis strategies for the arena."""

import random

from hypothesis import strategies as st

from hero_lab.arena.task import EASY_TYPES, HARD_TYPES, Exercise, sample_problems

types = st.sampled_from(EASY_TYPES + HARD_TYPES)
rngs = st.integers(0, 2**32).map(random.Random)


@st.composite
def problems(draw, types=types) -> Exercise:
    """Problems of the given types from any split."""
    split = draw(st.sampled_from(("train", "development", "test", "report")))
    return next(sample_problems(draw(rngs), (draw(types),), split))


hard_problems = problems(st.sampled_from(HARD_TYPES))
