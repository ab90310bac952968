"""The journal in which results are collected before they get their name, and from which a killed call goes on.

A line that starts with `#` is a note, any other a row of the result:

    #{"head": ...}      what was read and how
    #{"judged": ...}    what is known of some rollouts of the batch that is under way
    {...}               the batch's rows
    #{"batch": ...}     the batch is whole, and what its writer needs to go on behind it

Whatever stands behind the last whole note is cut off when a call goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hero_rl.errors import ConfigError
from hero_rl.files.journal import Journal

__all__ = ["Partial"]


class Partial(Journal):
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
        super().__init__(output.with_name(output.name + ".partial"), begins=b'#{"head":')
        self.batches: list[dict[str, Any]] = []
        self.judged: list[dict[str, Any]] = []
        self._end = 0 if restart else self._read(json.loads(json.dumps(head)))
        self._file.truncate(self._end)
        self._of_use = self._end > 0
        if not self._of_use:
            self._note({"head": head})

    def __enter__(self) -> Partial:
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the file for a later call, unless nothing is in it."""
        self.close()
        if not self._of_use:
            self.path.unlink(missing_ok=True)

    def _read(self, head: Mapping[str, Any]) -> int:
        """Take in the notes; returns where the last of them ends, 0 if there is nothing to keep."""
        found: Any = None
        end = position = 0
        for line in self._lines():
            position += len(line)
            if not line.startswith(b"#"):
                continue
            try:
                note = json.loads(line[1:])
            except ValueError:
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
            self.close()
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
        self.append([*lines, _line({"batch": note})])
        self.batches.append(dict(note))
        self._of_use = True

    def _note(self, note: Mapping[str, Any]) -> None:
        self.append([_line(note)])

    def rows(self) -> Iterator[bytes]:
        """The rows of the whole batches."""
        return (line for line in self._lines() if not line.startswith(b"#"))

    def places(self) -> list[int]:
        """Where each row of the whole batches begins; see `line`."""
        found, position = [], 0
        for line in self._lines():
            if not line.startswith(b"#"):
                found.append(position)
            position += len(line)
        return found

    def remove(self) -> None:
        """Delete the file: its rows are in the output, or nobody wants them."""
        self.path.unlink()
        self._of_use = False


def _line(note: Mapping[str, Any]) -> bytes:
    return b"#" + json.dumps(note).encode() + b"\n"
