"""Rows `{"input", "output", "reward"}` of OpenRLHF's `batch_inference`, as it was up to 0.9.5.

As `openrlhf/cli/batch_inference.py` wrote them before commit 6a981c8c took it out. Newer versions write no rollouts:
they log single samples to their tracker. There is no reference, and the reward is a reward model's.
"""

from __future__ import annotations

from collections.abc import Iterator

from hero_rl.files.rows import Place
from hero_rl.rollouts.formats.base import Decode, Foreign, LeftOut, Row, the_rest

__all__ = ["OPENRLHF"]


def _is_mine(row: Row) -> bool:
    return {"input", "output", "reward"} <= row.keys() and not {"gts", "step", "uid"} & row.keys()


def _rows(row: Row, place: Place, decode: Decode) -> Iterator[Row | LeftOut]:
    yield {"prompt": row["input"], "completion": row["output"], "score": row["reward"]} | the_rest(
        row, "input", "output", "reward"
    )


_FIELDS = ("prompt", "completion", "score")
OPENRLHF = Foreign("openrlhf", _is_mine, _FIELDS, _rows)
