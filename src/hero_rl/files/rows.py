"""Rows of JSON Lines and Parquet files, each with the place that an error about it names.

for place, row in read_rows(Path("problems.jsonl")):
answer = as_text(field(row, "answer", place), "answer", place)
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from hero_rl.errors import DataError
from hero_rl.files.json_objects import each_key_once

__all__ = [
    "AS_JSON",
    "Place",
    "Reference",
    "Text",
    "as_reference",
    "as_text",
    "field",
    "is_messages",
    "is_missing",
    "json_columns",
    "outermost",
    "read_rows",
    "short",
    "without_nulls",
]

Text: TypeAlias = str | Sequence[Mapping[str, Any]]
"""Text, or chat messages with at least `role` and `content`."""

Reference: TypeAlias = str | Sequence[str]
"""The right answer as text, or several texts of which any one is right."""

AS_JSON = b"hero.json"
"""Mark in the metadata of a Parquet column whose cells are JSON text."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_AT_A_TIME = 256  # rows of a Parquet file that are held as Python objects
_BUFFER = 1 << 20  # bytes of a Parquet column that are read ahead; left to itself, Arrow takes whole row groups

PlacedRows = Generator[tuple["Place", dict[str, Any]], None, None]


@dataclass(frozen=True)
class Place:
    """Where a row stands; as text, what an error message says of it.

    Attributes:
        file: the file.
        row: line of a JSON Lines file or row of a Parquet file, from 1.
        is_line: whether it is a line.
    """

    file: Path
    row: int
    is_line: bool = True

    def __str__(self) -> str:
        return f"{self.file}:{self.row}" if self.is_line else f"{self.file} row {self.row}"


def read_rows(
    path: Path, columns: Sequence[str] = (), moved: Callable[[int], object] = lambda position: None
) -> PlacedRows:
    """Stream a file's rows: Parquet by its suffix, gzipped JSON Lines by `.gz`, else JSON Lines.

    Args:
        path: the file.
        columns: all that is wanted of a Parquet file, whole columns of dotted names; none for all.
        moved: told how many of the file's bytes are read, before each row.

    Yields:
        The row's place and the row. Blank lines are passed over; NaN, which Python's own writers put where JSON has
        null, is None.

    Raises:
        DataError: the file cannot be opened or read, or a row is no JSON object; the message names file and row.
    """
    try:
        yield from _parquet_rows(path, columns, moved) if path.suffix == ".parquet" else _json_rows(path, moved)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None


def _json_rows(path: Path, moved: Callable[[int], object]) -> PlacedRows:
    with path.open("rb") as raw, gzip.open(raw) if path.suffix == ".gz" else nullcontext(raw) as lines:
        number = 0
        try:
            for number, line in enumerate(lines, start=1):
                moved(raw.tell())
                if line.strip():
                    place = Place(path, number)
                    yield place, _parsed(line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line, place)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"{path}:{number + 1}: the compressed data is damaged or ends too soon: {error}") from None


def _parsed(line: bytes, place: Place) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8"), parse_constant=_constant, object_pairs_hook=each_key_once)
    except UnicodeDecodeError as error:
        where = f"at byte {error.start + 1} of the line"
        raise DataError(f"{place}: not valid UTF-8: {error.reason} {where}{_expected(place)}") from None
    except json.JSONDecodeError as error:
        half = "" if line.endswith(b"\n") else "; the file ends in the middle of this line"
        what = f"{error.msg.removesuffix(' at')} at character {error.pos + 1}"
        raise DataError(f"{place}: not valid JSON: {what}{_expected(place) or half}") from None
    except (ValueError, RecursionError) as error:
        what = "nested too deep" if isinstance(error, RecursionError) else error
        raise DataError(f"{place}: not valid JSON: {what}") from None
    if not isinstance(row, dict):
        raise DataError(f"{place}: an object is expected, not {type(row).__name__}{_expected(place)}")
    return row


def _expected(place: Place) -> str:
    """The end of a message about a first line that is no row, in a file whose name promises none."""
    if place.row > 1 or place.file.suffix in (".jsonl", ".gz"):
        return ""
    return f"; {place.file.name} must be JSON Lines, an object a line, or Parquet, named .parquet"


def _constant(name: str) -> None:
    if name != "NaN":
        raise ValueError(f"{name} is no number")


def _parquet_rows(path: Path, columns: Sequence[str], moved: Callable[[int], object]) -> PlacedRows:
    import pyarrow
    import pyarrow.parquet

    number, size = 0, path.stat().st_size
    try:
        with pyarrow.parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as table:
            total, schema = table.metadata.num_rows, table.schema_arrow
            wanted = {column: outermost(column, schema.names) for column in columns}
            for column, whole in wanted.items():
                if whole not in schema.names:
                    raise DataError(f"{path}: no column {column!r}; it has {sorted(schema.names)}")
            as_json = {field.name for field in schema if field.metadata and AS_JSON in field.metadata}
            messages = {field.name for field in schema if is_messages(field.type)}
            for batch in table.iter_batches(
                batch_size=_AT_A_TIME, columns=list(dict.fromkeys(wanted.values())) or None
            ):
                for row in batch.to_pylist():
                    number += 1
                    moved(size * number // total)
                    yield Place(path, number, is_line=False), _restored(row, as_json, messages)
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        where = f"{path}: not a parquet file" if number == 0 else f"{path} row {number + 1}"
        raise DataError(f"{where}: {error}") from None


def _restored(row: dict[str, Any], as_json: set[str], messages: set[str]) -> dict[str, Any]:
    """A row with JSON text read, and messages as they were."""
    row |= {name: json.loads(row[name]) for name in as_json & row.keys() if row[name] is not None}
    return row | {name: without_nulls(row[name]) for name in messages & row.keys()}


def is_messages(kind: Any) -> bool:
    """Whether an Arrow type is that of a list of chat messages."""
    import pyarrow

    if not (pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind)):
        return False
    return pyarrow.types.is_struct(kind.value_type) and kind.value_type.get_field_index("role") >= 0


def without_nulls(messages: list[Any] | None) -> list[Any] | None:
    """Messages without the null keys that Parquet gives every message when one of them has the key."""
    if messages is None:
        return None
    return [
        message and {key: part for key, part in message.items() if part is not None or key == "content"}
        for message in messages
    ]


def field(row: Mapping[str, Any], column: str, place: Place | str) -> Any:
    """A row's value in a column, or, where a dotted name is no column's, in the objects that the columns hold.

    Raises:
        DataError: there is none of that name; the message lists what there is.
    """
    if column in row:
        return row[column]
    outer, dot, inner = column.partition(".")
    if dot and isinstance(row.get(outer), Mapping):
        try:
            return field(row[outer], inner, place)
        except DataError as error:
            raise DataError(f"{error} in {outer!r}") from None
    raise DataError(f"{place}: no column {column!r}; it has {sorted(row)}")


def outermost(column: str, names: Collection[str]) -> str:
    """The column that a dotted name reaches into; a column's own name is that column."""
    return column if column in names else column.partition(".")[0]


def as_text(value: Any, column: str, place: Place | str) -> str:
    """A value that is text, or a number as text, and not blank; else a `DataError` that names column and place."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of integers with a gap in it is read as floats
    if type(value) is int or (isinstance(value, float) and math.isfinite(value)):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{place}: {column!r} must be text or a number, not {short(value)}")
    return value


def as_reference(value: Any, column: str, place: Place | str) -> Reference | None:
    """Text, a number as text, or a list of these, any one of which is right; None where there is none.

    Raises:
        DataError: anything else; the message names column and place.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(value if value % 1 else int(value))
    if isinstance(value, (list, tuple)) and not any(isinstance(one, (list, tuple)) for one in value):
        several = [as_reference(one, column, place) for one in value]
        known = [one for one in several if isinstance(one, str)]
        return known if len(known) > 1 else next(iter(known), None)
    raise DataError(f"{place}: {column!r} must be text, a number, a list of such or null, not {short(value)}")


def is_missing(reference: Any) -> bool:
    """Whether a row has no reference: null, NaN, blank text, nothing in a list or an object, or a list of such."""
    plain = reference.tolist() if hasattr(reference, "tolist") else reference
    return all(map(_says_nothing, plain if isinstance(plain, (list, tuple)) else [plain]))


def _says_nothing(value: Any) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and not value.strip()) or value in ([], {})


def json_columns(row: Mapping[str, Any], but: Collection[str] = ()) -> dict[str, Any]:
    """A row's columns as JSON values, for a verifier; those that JSON cannot hold, as images, are left out.

    Args:
        row: of any source; arrays become lists, times their ISO text.
        but: columns that are not wanted.
    """
    found = {}
    for name, value in row.items():
        if name not in but:
            with suppress(TypeError, RecursionError):
                found[str(name)] = _json_value(value)
    return found


def _json_value(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(name): _json_value(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_value(inner) for inner in value]
    for convert in ("tolist", "isoformat"):  # of arrays and their scalars, of times
        if hasattr(value, convert):
            return _json_value(getattr(value, convert)())
    raise TypeError(type(value).__name__)


def short(value: Any) -> str:
    """A value as an error message quotes it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
