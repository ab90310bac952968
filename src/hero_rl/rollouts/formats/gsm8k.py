"""`example_model_solutions.jsonl` of GSM8K: a problem a row, with the labelled solution of each of four models.

As in `grade_school_math/data` of openai/grade-school-math, commit 3101c7d. The answer stands after `A:` in the last
line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hero_rl.errors import DataError
from hero_rl.files.rows import Place, short
from hero_rl.rollouts.formats.base import Decode, Foreign, LeftOut, Row

__all__ = ["GSM8K"]


def _is_mine(row: Row) -> bool:
    return {"question", "ground_truth"} <= row.keys() and any(_is_solution(value) for value in row.values())


def _is_solution(value: Any) -> bool:
    return isinstance(value, dict) and {"is_correct", "solution"} <= value.keys()


def _rows(row: Row, place: Place, decode: Decode) -> Iterator[Row | LeftOut]:
    _, mark, answer = str(row["ground_truth"]).rpartition("A:")
    if not mark:
        raise DataError(f"{place}: 'ground_truth' must end in 'A:' and the answer, not {short(row['ground_truth'])}")
    for name, value in row.items():
        if _is_solution(value):
            yield {
                "group": place.row,
                "prompt": row["question"],
                "completion": value["solution"],
                "reference": answer.strip(),
                "label": value["is_correct"],
                "model": name,
            }


_FIELDS = ("group", "prompt", "completion", "reference", "label")
GSM8K = Foreign("gsm8k", _is_mine, _FIELDS, _rows)
