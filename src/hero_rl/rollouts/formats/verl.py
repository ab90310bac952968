"""The rows of verl's dumps that are rollouts: the last output of each session, and no padding.

A row of the v1 trainer has the uid `{prompt}_{session}_{index}`: a session is one rollout, and an agent may give
several outputs in it, of which the last is judged (`_log_rollout_data` of `verl/trainer/ppo/v1/trainer_base.py`, verl
0.9.1). Rows come in any order. Some are none: verl fills a batch up with copies
(`verl/trainer/ppo/padding_utils.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hero_rl.rollouts.formats.base import LeftOut

__all__ = ["is_padding", "last_outputs", "left_out", "parts_of"]

_PADDING = re.compile(r"pad[0-9a-f]{32}")
_KEY = re.compile(r"(.*)_(\d+)_(\d+)", re.DOTALL)

LastOutputs = Mapping[tuple[str, str], int]
"""The highest index of each session that has several outputs."""


def parts_of(key: Any) -> tuple[str, str, int] | None:
    """Prompt, session and index of a row's uid; None for one that is put together otherwise."""
    found = _KEY.fullmatch(key) if isinstance(key, str) else None
    return (found[1], found[2], int(found[3])) if found else None


def is_padding(prompt: str) -> bool:
    """Whether the prompt of a uid marks a row that fills a batch up."""
    return _PADDING.fullmatch(prompt) is not None


def last_outputs(rows: Iterable[Mapping[str, Any]]) -> LastOutputs:
    """What a first reading of a file finds; sessions with one output take no room."""
    last: dict[tuple[str, str], int] = {}
    for row in rows:
        parts = parts_of(row.get("uid"))
        if parts is not None and parts[2] > 0:
            last[parts[:2]] = max(last.get(parts[:2], 0), parts[2])
    return last


def left_out(row: Mapping[str, Any], last: LastOutputs) -> LeftOut | None:
    """Why a row is no rollout; None for one that is."""
    parts = parts_of(row.get("uid"))
    if parts is None:
        return None
    if is_padding(parts[0]):
        return LeftOut("padding")
    return LeftOut("an earlier output of its session") if parts[2] < last.get(parts[:2], 0) else None
