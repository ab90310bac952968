"""A file of lines that is only ever appended to, so that a killed call loses no line that it had finished."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hero_rl.errors import ConfigError, DataError

__all__ = ["Journal"]


def _not_through_a_link(path: str, flags: int) -> int:
    """A file that a link leads to is somebody else's, and would be cut to whole lines."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


class Journal:
    """Appends lines and gives them back by their place; a last one that a kill cut short is cut off.

    Attributes:
        path: the file; its folder is made.

    Args:
        path: the file.
        begins: what a file of this kind begins with; one that begins with something else is refused.

    Raises:
        ConfigError: the file cannot be opened, is of another kind, or another process is writing it.
    """

    def __init__(self, path: Path, begins: bytes = b"") -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "a+b", opener=_not_through_a_link)  # noqa: SIM115
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror or error}") from None
        try:
            self._lock(begins)
        except ConfigError:
            self._file.close()
            raise
        self._end = sum(len(line) for line in self._lines() if line.endswith(b"\n"))
        self._file.truncate(self._end)

    def _lock(self, begins: bytes) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(f"{self.path}: another process is writing it") from None
        self._file.seek(0)
        if not begins.startswith(self._file.read(len(begins))):
            raise ConfigError(f"{self.path} is in the way: it is no file of an interrupted call")

    def _lines(self) -> Iterator[bytes]:
        self._file.seek(0)
        return iter(self._file)

    def append(self, lines: Iterable[bytes]) -> list[int]:
        """Append lines, their ends included; returns where each begins."""
        places, text = [], bytearray()
        for line in lines:
            places.append(self._end + len(text))
            text += line
        self._file.write(text)
        self._file.flush()  # to the system, which outlives this process
        self._end += len(text)
        return places

    def items(self, keys: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, Any]]]:
        """Place and content of every line, each of them a JSON object with these keys.

        Raises:
            DataError: one is not, which no kill does; names file and line.
        """
        place = 0
        for number, line in enumerate(self._lines(), start=1):
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            missing = [key for key in keys if key not in row] if isinstance(row, dict) else []
            if not isinstance(row, dict) or missing:
                said = f"no {missing[0]!r}" if missing else "not a JSON object"
                raise DataError(f"{self.path}:{number}: {said}; put the line right, or take it out")
            yield place, row
            place += len(line)

    def line(self, place: int) -> bytes:
        """The line that begins at a place."""
        self._file.seek(place)
        return self._file.readline()

    def at(self, place: int) -> dict[str, Any]:
        """The JSON object on the line that begins at a place."""
        return json.loads(self.line(place))

    def close(self) -> None:
        """Close the file."""
        self._file.close()
