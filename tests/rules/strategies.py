"""Hypothesis strategies for ragged batches of signals."""

import math

import torch
from hypothesis import strategies as st

from hero_rl.rules import Hero
from hero_rl.signals import Signals

scores = st.one_of(
    st.floats(-40, 40, allow_nan=False).map(lambda x: round(x, 3)),
    st.sampled_from([0.0, 1.0, 7.5, math.nan]),
)


@st.composite
def columns(draw, verdicts=(0.0, 1.0, math.nan), score=scores, max_rollouts=24):
    """(verdict, score, group) as lists: any group sizes, ids in any order."""
    number = draw(st.integers(1, max_rollouts))
    rows = [(draw(st.sampled_from(verdicts)), draw(score), draw(st.integers(-3, 4)) * 1000003) for _ in range(number)]
    return tuple(list(column) for column in zip(*rows, strict=True))


def signals(batch, dtype=torch.float64):
    verdict, score, group = batch
    return Signals(
        torch.tensor(verdict, dtype=dtype), torch.tensor(score, dtype=dtype), torch.tensor(group, dtype=torch.int64)
    )


@st.composite
def heroes(draw, **fixed):
    alpha = draw(st.floats(0.01, 0.6))
    settings = {
        "alpha": alpha,
        "beta": draw(st.floats(0.01, 0.99 - alpha)),
        "w_min": draw(st.floats(0, 1)),
        "w_max": draw(st.floats(1, 4)),
        "k": draw(st.floats(0, 10)),
        "sigma": draw(st.sampled_from(["raw", "relative"])),
        "singleton": draw(st.sampled_from(["floor", "middle"])),
        "scale": draw(st.sampled_from(["none", "group", "batch"])),
        "momentum": draw(st.floats(0, 0.99)),
    }
    return Hero(**(settings | fixed))
