"""What a tool's format is: how its rows are known, and what each becomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hero_rl.errors import DataError
from hero_rl.files.rows import Place, short
from hero_rl.rollouts.record import FIELDS

__all__ = ["Decode", "Foreign", "LeftOut", "Row", "only", "the_rest"]

Row = Mapping[str, Any]

Decode = Callable[[list[int]], str]
"""Token ids to text."""


@dataclass(frozen=True)
class LeftOut:
    """Stands for what is no rollout, such as one that the tool could not finish.

    Attributes:
        why: what is counted.
    """

    why: str


@dataclass(frozen=True)
class Foreign:
    """A format of another tool.

    Attributes:
        name: what `--format` calls it.
        is_mine: whether a first row is of this format.
        fields: the columns of our own that each of its rows has; `label` stands in for a verdict.
        rows: one row of the file, its place, and how token ids become text -> rows with those columns, and others that
            are kept.
    """

    name: str
    is_mine: Callable[[Row], bool]
    fields: tuple[str, ...]
    rows: Callable[[Row, Place, Decode], Iterator[Row | LeftOut]]


def the_rest(row: Row, *used: str) -> dict[str, Any]:
    """The columns that nothing was made of; one with a field's name is none of ours."""
    taken = {*FIELDS, "label"}
    return {f"input_{name}" if name in taken else name: value for name, value in row.items() if name not in used}


def only(value: Any, column: str, place: Place) -> Any:
    """The entry of a list of one, or what is no list."""
    if not isinstance(value, list):
        return value
    if len(value) != 1:
        raise DataError(f"{place}: {column!r} must hold one entry, not {short(value)}")
    return value[0]
