"""Rollouts into files: under a temporary name first, so that nothing is ever half-written.

    write_rollouts("judged.parquet", read_rollouts("runs/a/rollouts"))

What is read back equals what was written: numbers bit for bit, NaN as null. JSON Lines (also gzipped) and Parquet, told
apart by suffix. JSON has no bytes, so these become base 64.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import gzip
import json
import math
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from hero_rl.errors import ConfigError, DataError
from hero_rl.files.rows import AS_JSON, is_messages, without_nulls
from hero_rl.files.whole import real, replacing
from hero_rl.rollouts.record import FIELDS, NUMBERS, Rollout

__all__ = ["check_suffix", "row_line", "write_lines", "write_rollouts"]

_SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")
_AT_A_TIME = 1024  # rows of one row group


def write_rollouts(path: str | Path, rollouts: Iterable[Rollout]) -> int:
    """Write rollouts into one file, whole or not at all.

    Args:
        path: ends in .jsonl, .jsonl.gz or .parquet.
        rollouts: read once, one at a time.

    Returns:
        How many there were.

    Raises:
        ConfigError: another suffix.
        DataError: a value that JSON does not know; the message names the rollout and the column.
    """
    return write_lines(Path(path), map(row_line, rollouts))


def write_lines(path: Path, lines: Iterable[bytes]) -> int:
    """`write_rollouts` for rollouts that are lines already, as `row_line` makes them."""
    check_suffix(path)
    if path.suffix != ".parquet":
        with replacing(path) as file:
            return _write_lines(file, lines, path.suffix == ".gz")
    # Parquet wants the types of all columns before the first row, so the rows wait in a file without a name.
    with tempfile.TemporaryFile(dir=path.parent) as spool, replacing(path) as file:
        count = _write_lines(spool, lines, zipped=False)
        _write_parquet(file, spool)
    return count


def check_suffix(path: Path) -> None:
    """Raise a `ConfigError` for a name that says nothing of a format, or that a folder has, or that leads nowhere."""
    if real(path).is_dir():
        raise ConfigError(f"{path} is a folder; name a file")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}")
    if not path.name.endswith(_SUFFIXES):
        raise ConfigError(f"{path}: the name must end in one of {', '.join(_SUFFIXES)}")


def row_line(rollout: Rollout) -> bytes:
    """The rollout as one line of JSON, its end included."""
    row = rollout.row()
    try:
        text = json.dumps(row, ensure_ascii=False, allow_nan=False, default=_plain)
    except (TypeError, ValueError):
        text = _dumped_with_care(row, rollout)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:  # half of a surrogate pair has no UTF-8, but an escape
        return json.dumps(json.loads(text)).encode() + b"\n"


def _dumped_with_care(row: dict[str, Any], rollout: Rollout) -> str:
    """A row with NaN in it, or with a value that has no JSON."""
    parts = []
    for name, value in row.items():
        try:
            parts.append(f"{json.dumps(name)}: " + json.dumps(_no_nan(value), ensure_ascii=False, allow_nan=False))
        except (TypeError, ValueError) as error:
            where = rollout.place or rollout.id or "a rollout"
            raise DataError(f"{where}: {name!r} cannot be written: {error}") from None
    return "{" + ", ".join(parts) + "}"


def _no_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _no_nan(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_no_nan(v) for v in value]
    if isinstance(value, (str, int, float, bool, type(None))):
        return None if isinstance(value, float) and math.isnan(value) else value
    return _no_nan(_plain(value))


def _plain(value: Any) -> Any:
    """What JSON has for a value of another library: numpy's, and the types that Parquet files hold."""
    if isinstance(value, (datetime.date, datetime.time, decimal.Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"JSON has no {type(value).__name__}")


def _write_lines(file: BinaryIO, lines: Iterable[bytes], zipped: bool) -> int:
    count = 0
    # No time and no name inside: equal rollouts make equal files.
    target = gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) if zipped else file
    for line in lines:
        target.write(line)
        count += 1
    if zipped:
        target.close()
    return count


def _write_parquet(file: BinaryIO, spool: BinaryIO) -> None:
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema(
        [
            pyarrow.field(
                name, pyarrow.string() if kind is None else kind, metadata={AS_JSON: b"1"} if kind is None else None
            )
            for name, kind in _types(spool).items()
        ]
    )
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        for rows in _chunks(spool):
            columns = [
                pyarrow.array([_cell(row.get(f.name), bool(f.metadata)) for row in rows], f.type) for f in schema
            ]
            writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))


def _cell(value: Any, as_json: bool) -> Any:
    return json.dumps(value) if as_json and value is not None else value


def _types(spool: BinaryIO) -> dict[str, Any]:
    """The Arrow type of every column; None where the values do not come back as they were: JSON text keeps those."""
    import pyarrow

    types: dict[str, Any] = {name: pyarrow.float64() for name in NUMBERS} | {"step": pyarrow.int64()}
    fixed = set(types)
    order = dict.fromkeys(FIELDS)
    for rows in _chunks(spool):
        for name in dict.fromkeys(name for row in rows for name in row):
            order[name] = None
            if name not in fixed:
                types[name] = _joined(types.get(name, pyarrow.null()), [row.get(name) for row in rows])
    for rows in _chunks(spool):
        for name in order:
            values = [row.get(name) for row in rows]
            if types.get(name) is not None and not _comes_back(values, types[name]):
                types[name] = None
    return {name: types.get(name, pyarrow.null()) for name in order}


def _joined(known: Any, values: list[Any]) -> Any:
    """One type for what came before and for more values; None if there is none."""
    import pyarrow

    if known is None:
        return None
    try:
        schemas = [pyarrow.schema([("x", kind)]) for kind in (known, pyarrow.array(values).type)]
        return pyarrow.unify_schemas(schemas, promote_options="permissive").field("x").type
    except (pyarrow.ArrowException, UnicodeEncodeError, OverflowError):
        return None


def _comes_back(values: list[Any], kind: Any) -> bool:
    import pyarrow

    try:
        back = pyarrow.array(values, kind).to_pylist()
    except (pyarrow.ArrowException, UnicodeEncodeError, OverflowError):
        return False
    if is_messages(kind):
        back = [without_nulls(value) for value in back]
    return back == values and _storable(kind)


def _storable(kind: Any) -> bool:
    """Whether Parquet has the type: it has no structs without fields, and lists of nothing are not worth a try."""
    import pyarrow

    if pyarrow.types.is_struct(kind):
        return kind.num_fields > 0 and all(_storable(kind.field(n).type) for n in range(kind.num_fields))
    if pyarrow.types.is_list(kind):
        return not pyarrow.types.is_null(kind.value_type) and _storable(kind.value_type)
    return True


def _chunks(spool: BinaryIO) -> Iterator[list[dict[str, Any]]]:
    spool.seek(0)
    while rows := [json.loads(line) for line in islice(spool, _AT_A_TIME)]:
        yield rows
