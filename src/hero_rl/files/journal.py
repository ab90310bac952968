"""A file of JSON lines that is only ever appended to, so that a killed run loses no line that it had finished."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hero_rl.errors import DataError

__all__ = ["Journal"]


class Journal:
    """Appends lines, and gives back those that are whole; a last one that a kill cut short is cut off.

    Attributes:
        path: the file; its folder is made.
        lines: offset and content of the lines that were there, in their order.

    Raises:
        DataError: a line before the last is damaged, which no kill does, or lacks a key; names file and line.
    """

    def __init__(self, path: Path, keys: Sequence[str] = ()) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        self.lines: list[tuple[int, dict[str, Any]]] = []
        self._end = 0
        self._file.seek(0)
        try:
            for number, line in enumerate(self._file, start=1):
                self._take(line, number, keys)
        except DataError:
            self._file.close()
            raise
        self._file.truncate(self._end)

    def _take(self, line: bytes, number: int, keys: Sequence[str]) -> None:
        row = _whole(line)
        if row is None and line.endswith(b"\n"):
            raise DataError(f"{self.path}:{number}: not a JSON object; put the line right, or take it out")
        if row is None:
            return
        if missing := [key for key in keys if key not in row]:
            raise DataError(f"{self.path}:{number}: no {missing[0]!r}; put the line right, or take it out")
        self.lines.append((self._end, row))
        self._end += len(line)

    def append(self, lines: Iterable[bytes]) -> list[int]:
        """Append lines, their ends included; returns where each begins."""
        offsets, text = [], bytearray()
        for line in lines:
            offsets.append(self._end + len(text))
            text += line
        self._file.write(text)
        self._file.flush()  # to the system, which outlives this process
        self._end += len(text)
        return offsets

    def at(self, offset: int) -> dict[str, Any]:
        """The line that begins there."""
        self._file.seek(offset)
        return json.loads(self._file.readline())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _whole(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
