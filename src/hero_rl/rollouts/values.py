"""One value of a row, checked: what each field may hold, and what an error says of anything else.

>>> as_verdict(True, "label", Place(Path("a.jsonl"), 3))
1.0
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hero_rl.errors import DataError
from hero_rl.files.rows import Place, short

__all__ = [
    "as_group",
    "as_id",
    "as_label",
    "as_number",
    "as_score",
    "as_sign_or_verdict",
    "as_step",
    "as_text_or_messages",
    "as_verdict",
    "listed",
]

_LARGEST = 3.4028234663852886e38  # of float32, in which reward models score; its square is still a float64


def as_text_or_messages(value: Any, column: str, place: Place) -> str | list[dict[str, Any]]:
    """Text, or chat messages."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return [_message(message, f"{column}[{n}]", place) for n, message in enumerate(value)]
    raise _wrong(value, column, place, "text or a list of chat messages")


def _message(value: Any, column: str, place: Place) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not isinstance(value.get("role"), str):
        raise _wrong(value, column, place, "a chat message with a role")
    content = value.get("content")
    blocks = isinstance(content, list) and all(isinstance(block, Mapping) and "type" in block for block in content)
    if not blocks and not isinstance(content, (str, type(None))):
        raise _wrong(content, f"{column}.content", place, "text, a list of typed blocks or null")
    return dict(value)


def as_number(value: Any, column: str, place: Place) -> float | None:
    """A finite number; None for null and NaN."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(value, column, place, "a number or null")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise _wrong(value, column, place, "a finite number")
    return None if math.isnan(number) else number


def as_score(value: Any, column: str, place: Place) -> float | None:
    """A number that float32 holds; None for null and NaN."""
    score = as_number(value, column, place)
    if score is not None and abs(score) > _LARGEST:
        raise _wrong(value, column, place, "a number that float32 holds")
    return score


def as_verdict(value: Any, column: str, place: Place) -> float | None:
    """1.0, 0.0, partial credit between them, or None for an abstention."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (bool, int, float)) and 0 <= value <= 1:
        return float(value)
    raise _wrong(value, column, place, "a number from 0 to 1, true, false or null")


def as_label(value: Any, column: str, place: Place) -> float | None:
    """1.0 or 0.0, known correctness, or None where it is not known."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return float(value)
    raise _wrong(value, column, place, "0, 1, true, false or null")


def as_sign_or_verdict(value: Any, column: str, place: Place) -> float | None:
    """A verdict, or -1 for incorrect, as rewards of +1 and -1 have it."""
    return 0.0 if not isinstance(value, bool) and value == -1 else as_verdict(value, column, place)


def as_step(value: Any, column: str, place: Place) -> int | None:
    """A whole number; floats are what a column of them with a gap in it is read as."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value % 1:
        raise _wrong(value, column, place, "a whole number or null")
    return int(value)


def as_group(value: Any, column: str, place: Place) -> str | int | None:
    """Text or a whole number, or None."""
    if value is None or isinstance(value, str):
        return value
    try:
        return as_step(value, column, place)
    except DataError:
        raise _wrong(value, column, place, "text, a whole number or null") from None


def as_id(value: Any, column: str, place: Place) -> str | None:
    """Text, or a whole number as text, or None."""
    value = as_group(value, column, place)
    return None if value is None else str(value)


def listed(value: Any, column: str, place: Place) -> list[Any]:
    """A list, one entry a completion."""
    if not isinstance(value, list):
        raise _wrong(value, column, place, "a list")
    return value


def _wrong(value: Any, column: str, place: Place, expected: str) -> DataError:
    return DataError(f"{place}: {column!r} must be {expected}, not {short(value)}")
