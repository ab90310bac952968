"""Files that are made in turn: each whole or not there, each known to be of these inputs and settings.

Beside a finished file stands a small one with what it was made of, so that the next call takes it as it is and a call
with other settings refuses to mix both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeAlias

from hero_rl.errors import ConfigError
from hero_rl.files.whole import replacing

__all__ = [
    "Bars",
    "no_bars",
    "open_folder",
    "read_json",
    "sha256",
    "stage",
    "write_json",
    "write_jsonl",
    "write_text",
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


def stage(path: Path, head: Mapping[str, Any], restart: bool, make: Callable[[], object]) -> bool:
    """Have a file made, unless it is there and was made of the same; returns whether it was there.

    Args:
        path: the file; `make` writes it, whole or not at all.
        head: all that it depends on, as JSON.
        restart: make it anew, whatever is there.
        make: makes it.

    Raises:
        ConfigError: it is there and was made of something else.
    """
    said = json.loads(json.dumps(head))
    note = path.with_name(f".{path.name}.made_of")
    if path.exists() and not restart:
        made_of = read_json(note)
        if made_of == said:
            return True
        changed = [name for name in said if not made_of or made_of.get(name) != said[name]]
        raise ConfigError(
            f"{path} is there, and was made with another {' and another '.join(changed)}; give the same, another "
            "output_dir, or begin anew with --restart"
        )
    path.unlink(missing_ok=True)
    write_json(note, said)
    make()
    return False


def read_json(path: Path) -> Any:
    """What a file holds; None where it is not there or no JSON."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def write_text(path: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    with replacing(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


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


def sha256(path: Path) -> str:
    """Digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
