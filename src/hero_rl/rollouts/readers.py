"""Rollouts from files, one at a time: never the whole file in memory.

    for rollout in read_rollouts("runs/a/rollouts"):
        print(rollout.step, rollout.verdict, rollout.score)

JSON Lines (also gzipped) and Parquet, told apart by suffix; whose columns they are is told from the first row. A folder
is read file by file in the order of the numbers in their names, which is the order of the steps.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

from hero_rl.errors import ConfigError, DataError
from hero_rl.rollouts.layouts import FORMATS, Columns, Format, Layout, layout_of
from hero_rl.rollouts.record import Place, Rollout
from hero_rl.rollouts.values import without_nulls

__all__ = ["AS_JSON", "RolloutReader", "read_rollouts"]

AS_JSON = b"hero.json"
"""Mark in the metadata of a Parquet column whose cells are JSON text."""

_SUFFIXES = (".jsonl", ".json", ".jsonl.gz", ".json.gz", ".parquet")
_AT_A_TIME = 256  # rows of a Parquet file that are held as Python objects

PlacedRows = Generator[tuple[Place, dict[str, Any]], None, None]


class RolloutReader:
    """The rollouts of a file or of a folder of files; each iteration reads them anew.

    Attributes:
        path: the file or the folder.
        files: what is read, in order. Of a run's folder with files of training and of evaluation, those of training.
        left_out: the run's files of evaluation where those of training are read.
        layout: which columns become which field.
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
            with closing(_rows(file, lambda done, before=before: self._moved(before + done))) as rows:
                for place, row in rows:
                    yield from self.layout.rollouts(row, place, number)
                    number += 1
            before += file.stat().st_size
            self.position = before

    def _moved(self, position: int) -> None:
        self.position = position

    def _layout(self, columns: Columns, format: Format | None) -> Layout:
        for file in self.files:
            with closing(_rows(file, lambda done: None)) as rows:
                for _, row in rows:
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
        raise DataError(f"{path}: no file that ends in {', '.join(_SUFFIXES)}")
    training = [file for file in found if file.name.startswith("train_")]
    evaluation = [file for file in found if file.name.startswith("eval_")]
    # The batches of an evaluation are no steps of the run: a rule's state never moves on them.
    if training and len(training) + len(evaluation) == len(found):
        return training, evaluation
    return found, []


def _in_order(file: Path) -> list[tuple[int, str]]:
    """Sorts by the numbers in a name: 9.jsonl before 10.jsonl."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", file.name)]


def _rows(file: Path, moved: Callable[[int], None]) -> PlacedRows:
    try:
        yield from _parquet_rows(file, moved) if file.suffix == ".parquet" else _json_rows(file, moved)
    except OSError as error:
        raise DataError(f"{file}: {error.strerror or error}") from None


def _json_rows(file: Path, moved: Callable[[int], None]) -> PlacedRows:
    with file.open("rb") as raw, gzip.open(raw) if file.suffix == ".gz" else nullcontext(raw) as lines:
        number = 0
        try:
            for number, line in enumerate(lines, start=1):
                moved(raw.tell())
                if line.strip():
                    place = Place(file, number)
                    yield place, _parsed(line, place)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"{file}:{number + 1}: the compressed data is damaged or ends too soon: {error}") from None


def _parsed(line: bytes, place: Place) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8"), parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise DataError(f"{place}: not valid UTF-8: {error.reason} at byte {error.start + 1} of the line") from None
    except json.JSONDecodeError as error:
        half = "" if line.endswith(b"\n") else "; the file ends in the middle of this line"
        raise DataError(f"{place}: not valid JSON: {error.msg} at character {error.colno}{half}") from None
    except (ValueError, RecursionError) as error:
        what = "nested too deep" if isinstance(error, RecursionError) else error
        raise DataError(f"{place}: not valid JSON: {what}") from None
    if not isinstance(row, dict):
        raise DataError(f"{place}: an object is expected, not {type(row).__name__}")
    return row


def _constant(name: str) -> None:
    """NaN, which Python's own writers (verl's among them) put where JSON has null."""
    if name != "NaN":
        raise ValueError(f"{name} is no number")


def _parquet_rows(file: Path, moved: Callable[[int], None]) -> PlacedRows:
    import pyarrow
    import pyarrow.parquet

    number, size = 0, file.stat().st_size
    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            total = table.metadata.num_rows
            as_json = {f.name for f in table.schema_arrow if f.metadata and AS_JSON in f.metadata}
            for batch in table.iter_batches(batch_size=_AT_A_TIME):
                for row in batch.to_pylist():
                    number += 1
                    moved(size * number // total)
                    yield Place(file, number, is_line=False), _restored(row, as_json)
    except pyarrow.ArrowInvalid as error:
        where = f"{file}: not a parquet file" if number == 0 else f"{file} row {number + 1}"
        raise DataError(f"{where}: {error}") from None


def _restored(row: dict[str, Any], as_json: set[str]) -> dict[str, Any]:
    """A row as it was before Parquet: JSON text read, and no key of a message that is there for its neighbours only."""
    return {
        name: (None if value is None else json.loads(value)) if name in as_json else without_nulls(value)
        for name, value in row.items()
    }
