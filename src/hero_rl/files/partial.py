"""The file in which results are collected before they get their name, and from which a killed call goes on.

It is only ever appended to. A line that starts with `#` is a note, any other a row of the result:

    #{"head": ...}      what was read and how
    #{"judged": ...}    what is known of some rollouts of the batch that is under way
    {...}               the batch's rows
    #{"batch": ...}     the batch is whole, and what its writer needs to go on behind it

Whatever stands behind the last whole note is cut off when a call goes on.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hero_rl.errors import ConfigError

__all__ = ["Partial"]

_BEGINNING = b'#{"head":'


class Partial:
    """The partial file of one output.

    Attributes:
        path: the output's name and `.partial`.
        batches: notes of the batches that are whole.
        judged: notes on the batch that is under way.

    Raises:
        ConfigError: the file is of another input or of other settings, or of another program, or another process is
            writing it.
    """

    def __init__(self, output: Path, head: Mapping[str, Any], restart: bool) -> None:
        self.path = output.with_name(output.name + ".partial")
        self.batches: list[dict[str, Any]] = []
        self.judged: list[dict[str, Any]] = []
        try:
            self._file = self.path.open("a+b")
        except OSError as error:
            raise ConfigError(f"{self.path}: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise ConfigError(f"{self.path}: another process is writing it") from None
        self._refuse_strange()
        end = 0 if restart else self._read(json.loads(json.dumps(head)))
        self._file.truncate(end)
        self._of_use = end > 0
        if end == 0:
            self._note({"head": head})

    def __enter__(self) -> Partial:
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the file for a later call, unless nothing is in it."""
        self._file.close()
        if not self._of_use:
            self.path.unlink(missing_ok=True)

    def _refuse_strange(self) -> None:
        self._file.seek(0)
        begins = self._file.read(len(_BEGINNING))
        if not _BEGINNING.startswith(begins):
            self._file.close()
            raise ConfigError(f"{self.path} is in the way: it is no file of an interrupted call")

    def _read(self, head: Mapping[str, Any]) -> int:
        """Take in the notes; returns where the last of them ends, 0 if there is nothing to keep."""
        found: Any = None
        end = position = 0
        self._file.seek(0)
        for line in self._file:
            position += len(line)
            if not line.startswith(b"#"):
                continue
            try:
                note = json.loads(line[1:]) if line.endswith(b"\n") else None
            except ValueError:
                note = None
            if note is None:
                break
            found = note.get("head", found)
            if "judged" in note:
                self.judged.append(note["judged"])
            elif "batch" in note:
                self.batches.append(note["batch"])
                self.judged = []
            end = position
        if not self.batches and not self.judged:
            return 0
        self._refuse_another(found, head)
        return end

    def _refuse_another(self, found: Mapping[str, Any], head: Mapping[str, Any]) -> None:
        changed = [name for name in head if found.get(name) != head[name]]
        if changed:
            self._file.close()
            raise ConfigError(
                f"{self.path} is what an interrupted call left, and it had another {' and another '.join(changed)}; "
                "give the same, or begin anew with --restart"
            )

    def add_judged(self, judged: Mapping[str, Any]) -> None:
        """Keep what is known of some rollouts of the batch under way."""
        self._note({"judged": judged})
        self._of_use = True

    def add_batch(self, lines: Sequence[bytes], note: Mapping[str, Any]) -> None:
        """Append a whole batch."""
        self._file.write(b"".join(lines))
        self._note({"batch": note})
        self.batches.append(dict(note))
        self._of_use = True

    def _note(self, note: Mapping[str, Any]) -> None:
        self._file.write(b"#" + json.dumps(note).encode() + b"\n")
        self._file.flush()  # to the system, which outlives this process

    def rows(self) -> Iterator[bytes]:
        """The rows of the whole batches."""
        self._file.seek(0)
        return (line for line in self._file if not line.startswith(b"#"))

    def places(self) -> list[int]:
        """Where each row of the whole batches begins; see `row`."""
        found, position = [], 0
        self._file.seek(0)
        for line in self._file:
            if not line.startswith(b"#"):
                found.append(position)
            position += len(line)
        return found

    def row(self, place: int) -> bytes:
        """The row that begins at a place."""
        self._file.seek(place)
        return self._file.readline()

    def remove(self) -> None:
        """Delete the file: its rows are in the output."""
        self.path.unlink()
