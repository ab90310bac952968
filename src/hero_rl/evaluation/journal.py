"""A file of JSON lines that is only ever appended to, so that a killed run loses no line that it had finished."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["Journal"]


class Journal:
    """Appends lines, and gives back those that are whole; what a kill cut short is cut off.

    Attributes:
        path: the file; its folder is made.
        lines: offset and content of the lines that were there, in their order.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        self.lines: list[tuple[int, dict[str, Any]]] = []
        end = 0
        self._file.seek(0)
        for line in self._file:
            row = _whole(line)
            if row is None:
                break
            self.lines.append((end, row))
            end += len(line)
        self._file.truncate(end)
        self._end = end

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
