"""Rows of JSON Lines and Parquet files, each with the place that an error about it names.

for place, row in read_rows(Path("problems.jsonl")):
answer = as_text(field(row, "answer", place), "answer", place)
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hero_rl.errors import DataError

__all__ = ["as_text", "field", "read_rows", "short"]


def read_rows(path: Path, columns: Sequence[str] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """Stream a file's rows: Parquet by its suffix, gzipped JSON Lines by `.gz`, else JSON Lines.

    Args:
        path: the file.
        columns: all that is wanted of a Parquet file; none for all.

    Yields:
        The row's place ("file:line" or "file row n") and the row. Blank lines are passed over.

    Raises:
        DataError: the file cannot be opened or read, or a row is no JSON object; the message names file and row.
    """
    try:
        yield from _parquet_rows(path, columns) if path.suffix == ".parquet" else _json_rows(path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None


def _json_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with _opened(path) as lines:
        number = 0
        try:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise DataError(f"{path}:{number}: an object is expected, not {type(row).__name__}")
                    yield f"{path}:{number}", row
        except (json.JSONDecodeError, RecursionError) as error:
            what = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep"
            raise DataError(f"{path}:{number}: not valid JSON: {what}") from None
        except UnicodeDecodeError as error:
            raise DataError(f"{path}:{number + 1}: not valid UTF-8: {error.reason}") from None


def _opened(path: Path) -> Any:
    if path.suffix == ".gz":
        import gzip

        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
    except pyarrow.ArrowInvalid as error:
        raise DataError(f"{path}: not a parquet file: {error}") from None
    for column in columns:
        if column not in file.schema_arrow.names:
            raise DataError(f"{path}: no column {column!r}; it has {sorted(file.schema_arrow.names)}")
    number = 0
    for batch in file.iter_batches(batch_size=1024, columns=list(columns) or None):
        for row in batch.to_pylist():
            number += 1
            yield f"{path} row {number}", row


def field(row: dict[str, Any], column: str, place: str) -> Any:
    """A row's value in a column; a `DataError` that lists the columns where it has none of that name."""
    if column not in row:
        raise DataError(f"{place}: no column {column!r}; it has {sorted(row)}")
    return row[column]


def as_text(value: Any, column: str, place: str) -> str:
    """A value that is text, or a number as text, and not blank; else a `DataError` that names column and place."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of integers with a gap in it is read as floats
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{place}: {column!r} must be text or a number, not {short(value)}")
    return value


def short(value: Any) -> str:
    """A value as an error message quotes it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
