"""One writer to a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from hero_rl.errors import ConfigError

__all__ = ["only_writer"]

_NAME = ".lock"


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold a folder, which is made if need be, against other processes; the system lets go of it if this one dies.

    A folder that was made here, and in which nothing was written, is removed again, with the folders above it that were
    made for it.

    Raises:
        ConfigError: another process holds it, or it cannot be made.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    lock = FileLock(folder / _NAME)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(f"{folder}: another process is writing there") from None
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror or error}") from None
    try:
        yield
    finally:
        with suppress(OSError):
            if made and [path.name for path in folder.iterdir()] == [_NAME]:
                (folder / _NAME).unlink()
                for each in made:
                    each.rmdir()
        lock.release()
