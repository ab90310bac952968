"""Files that are made in turn: each whole or not there, each known to be of these inputs and settings.

Beside a finished file stands a small one with what it was made of, so that the next call takes it as it is and a call
with other settings refuses to mix both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeAlias

from hero_rl.errors import ConfigError
from hero_rl.files.whole import write_json

__all__ = [
    "Bars",
    "made_of",
    "no_bars",
    "open_folder",
    "read_json",
    "sha256",
    "stage",
]

Bars: TypeAlias = Callable[[str, int | None], AbstractContextManager[Callable[[float], object]]]
"""(what is done, how much of it) -> what is told, again and again, how much is done."""


def no_bars(what: str, total: int | None) -> AbstractContextManager[Callable[[float], object]]:
    """Shows nothing."""
    return nullcontext(lambda done: None)


def open_folder(folder: Path) -> None:
    """Make a folder where there is none.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"output_dir: {folder}: {error.strerror}") from None


_WAY_OUT = "give the same, another output_dir, or begin anew with --restart"


def stage(
    path: Path, head: Mapping[str, Any], restart: bool, make: Callable[[], object], way_out: str = _WAY_OUT
) -> bool:
    """Have a file made, unless it is there and was made of the same; returns whether it was there.

    Args:
        path: the file; `make` writes it, whole or not at all.
        head: all that it depends on, as JSON.
        restart: make it anew, whatever is there.
        make: makes it.
        way_out: what can be done where it was made of something else.

    Raises:
        ConfigError: it is there and was made of something else.
    """
    said = json.loads(json.dumps(head))
    note = _note_of(path)
    if path.exists() and not restart:
        before = made_of(path)
        if before == said:
            return True
        changed = [name for name in said if name not in before or before[name] != said[name]]
        raise ConfigError(f"{path} is there, and was made with another {' and another '.join(changed)}; {way_out}")
    path.unlink(missing_ok=True)
    write_json(note, said)
    try:
        make()
    finally:
        if not path.exists():
            note.unlink(missing_ok=True)
    return False


def made_of(path: Path) -> dict[str, Any]:
    """What a file that `stage` had made was made of; nothing where that is not said."""
    return read_json(_note_of(path)) or {}


def _note_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.made_of")


def read_json(path: Path) -> Any:
    """What a file holds; None where it is not there or no JSON."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def sha256(path: Path) -> str:
    """Digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
