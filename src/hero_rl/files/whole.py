"""Files that are whole or not there: the one way of this package to write or replace a file."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["replacing", "write_whole"]


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes its name only when it is whole and on the disk.

    A link stays a link, and what it points to is replaced. The temporary file lies beside it under a name that nobody
    knows before, and is made by us or not at all: a link that somebody put there is never followed.
    """
    path = path.resolve()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text so that a reader, or a crash, never meets half of it."""
    with replacing(path) as file:
        file.write(text.encode())
