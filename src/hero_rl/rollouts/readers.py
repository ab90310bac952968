"""Rollouts from files, one at a time: never the whole file in memory.

    for rollout in read_rollouts("runs/a/rollouts"):
        print(rollout.step, rollout.verdict, rollout.score)

JSON Lines (also gzipped) and Parquet, told apart by suffix; whose columns they are is told from the first row. A folder
is read file by file in the order of the numbers in their names, which is the order of the steps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from hero_rl.errors import ConfigError, DataError
from hero_rl.files.rows import read_rows
from hero_rl.rollouts.layouts import FORMATS, Columns, Format, Layout, layout_of
from hero_rl.rollouts.record import Rollout

__all__ = ["RolloutReader", "read_rollouts"]

_SUFFIXES = (".jsonl", ".json", ".jsonl.gz", ".json.gz", ".parquet")


class RolloutReader:
    """The rollouts of a file or of a folder of files; each iteration reads them anew.

    Attributes:
        path: the file or the folder.
        files: what is read, in order. Of a folder with files named `train_...`, as a run leaves them, those alone.
        left_out: the folder's other files, those of evaluation among them.
        layout: which columns become which field.
        columns: names of the first row's columns.
        size: bytes of all files.
        position: how many of them the running iteration has read.

    Raises:
        ConfigError: a column that was asked for is not there.
        DataError: there is no such file, it is of none of the formats, or it has no rows.
    """

    def __init__(
        self,
        path: str | Path,
        columns: Columns = Columns(),  # noqa: B008 - frozen
        format: Format | None = None,
    ) -> None:
        if format is not None and format not in FORMATS:
            raise ConfigError(f"format {format!r} is none of {', '.join(FORMATS)}")
        self.path = Path(path)
        self.files, self.left_out = _files(self.path)
        self.size = sum(file.stat().st_size for file in self.files)
        self.position = 0
        self.layout = self._layout(columns, format)

    def __iter__(self) -> Iterator[Rollout]:
        number = before = 0
        for file in self.files:
            with closing(read_rows(file, moved=lambda done, before=before: self._moved(before + done))) as rows:
                for place, row in rows:
                    yield from self.layout.rollouts(row, place, number)
                    number += 1
            before += file.stat().st_size
            self.position = before

    def _moved(self, position: int) -> None:
        self.position = position

    def _layout(self, columns: Columns, format: Format | None) -> Layout:
        for file in self.files:
            with closing(read_rows(file)) as rows:
                for _, row in rows:
                    self.columns = sorted(row)
                    try:
                        return layout_of(row, columns, format)
                    except (ConfigError, DataError) as error:
                        raise type(error)(f"{file}: {error}") from None
        raise DataError(f"{self.path}: no rows")


def read_rollouts(
    path: str | Path,
    columns: Columns = Columns(),  # noqa: B008 - frozen
    format: Format | None = None,
) -> Iterator[Rollout]:
    """Stream the rollouts of a file or of a folder of files.

    Args:
        path: JSON Lines (also gzipped) or Parquet, or a folder of such files.
        columns: names that take the place of the format's usual ones.
        format: `rollouts`, `trl`, `verl` or `grouped`, where it shall not be guessed.

    Raises:
        ConfigError, DataError: as `RolloutReader`; a bad row is named with its file, its row and its column.
    """
    return iter(RolloutReader(path, columns, format))


def _files(path: Path) -> tuple[list[Path], list[Path]]:
    """The files to read in order, and those left out."""
    if not path.is_dir():
        if not path.exists():
            raise DataError(f"{path}: No such file or directory")
        return [path], []
    found = [file for file in path.iterdir() if file.is_file() and file.name.endswith(_SUFFIXES)]
    found = sorted((file for file in found if not file.name.startswith(".")), key=_in_order)
    if not found:
        inside = sorted(file.parent.name for file in path.glob("*/*") if file.name.endswith(_SUFFIXES))
        hint = f"; did you mean {path / inside[0]}?" if inside else ""
        raise DataError(f"{path}: no file that ends in {', '.join(_SUFFIXES)}{hint}")
    training = [file for file in found if file.name.startswith("train_")]
    # The batches of an evaluation are no steps of the run: a rule's state never moves on them.
    return (training, [file for file in found if file not in training]) if training else (found, [])


def _in_order(file: Path) -> list[tuple[int, str]]:
    """Sorts by the numbers in a name: 9.jsonl before 10.jsonl."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", file.name)]
