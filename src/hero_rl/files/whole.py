"""Files that are whole or not there: the one way of this package to write or replace a file."""

from __future__ import annotations

import errno
import fcntl
import glob
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from hero_rl.errors import ConfigError

__all__ = ["real", "replacing", "write_json", "write_jsonl", "write_whole"]


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes its name only when it is whole and on the disk.

    A link stays a link, and what it points to is replaced. The temporary file lies beside it under a name that nobody
    knows before, and is made by us or not at all: a link that somebody put there is never followed. What a killed
    process left of the same file is removed.

    Raises:
        ConfigError: the path is a link that leads back to itself.
    """
    path = real(path)
    _sweep(path)
    temporary, file = _temporary(path)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text so that a reader, or a crash, never meets half of it."""
    with replacing(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    """`write_whole` of a value as JSON."""
    write_whole(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows as JSON Lines, whole or not at all; returns how many there were."""
    count = 0
    with replacing(path) as file:
        for row in rows:
            file.write(_line(row))
            count += 1
    return count


def _line(row: Mapping[str, Any]) -> bytes:
    text = json.dumps(row, ensure_ascii=False, allow_nan=False)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:  # half of a surrogate pair has no UTF-8, but an escape
        return json.dumps(row).encode() + b"\n"


def real(path: Path) -> Path:
    """Where a path leads once its links are followed.

    Raises:
        ConfigError: they lead round in a circle.
    """
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ConfigError(f"{path}: {error.strerror}") from None
    return path.resolve()


def _temporary(path: Path) -> tuple[Path, BinaryIO]:
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            file = temporary.open("xb")
        except OSError as error:  # of the file that was asked for, not of a name that nobody knows
            raise OSError(error.errno, error.strerror, str(path)) from None
        with suppress(OSError):  # a file system without locks, where nothing is swept either
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file.fileno()).st_nlink:
            return temporary, file
        file.close()  # swept between the two calls


def _sweep(path: Path) -> None:
    """Remove temporary files of a path whose writers are gone: a living one holds its own."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 8}.tmp"):
        with suppress(OSError):
            file = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would wait for a writer
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(file)
