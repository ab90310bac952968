"""Prompts and references from a file or the Hub, checked row by row before anything heavy loads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hero_rl.errors import DataError
from hero_rl.rows import Place, as_text, field, read_rows, short
from hero_rl.training.config import DataConfig

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["FILES", "hub_dataset", "load_prompts"]

FILES = {".jsonl", ".json", ".parquet"}
"""Suffixes of what is a file, whether it is there or not, and no name on the Hub."""


def load_prompts(data: DataConfig, which: str) -> Dataset:
    """Load one split as a dataset with the columns `prompt` and `data.reference_column`.

    Args:
        data: the configuration's block.
        which: `train` or `eval`.

    Returns:
        A dataset: prompts as message lists (or text where `data.chat` is off), references as text.

    Raises:
        DataError: the file is missing or unreadable, a column is missing, a row is bad or there are none; the message
            names file and row.
    """
    from datasets import Dataset

    source = data.train if which == "train" else data.eval
    assert source is not None
    rows = []
    for place, row in _rows(source, data, which):
        if data.limit is not None and len(rows) == data.limit:
            break
        rows.append(
            {
                "prompt": _prompt(field(row, data.prompt_column, place), data, place),
                data.reference_column: _reference(field(row, data.reference_column, place), data, place),
            }
        )
    if not rows:
        raise DataError(f"{source}: no rows")
    kinds = {isinstance(row["prompt"], str) for row in rows}
    if len(kinds) > 1:
        raise DataError(f"{source}: {data.prompt_column!r} holds text in some rows and message lists in others")
    return Dataset.from_list(rows)


def _rows(source: str, data: DataConfig, which: str) -> Iterator[tuple[Place | str, dict[str, Any]]]:
    """(place for messages, row) of every row."""
    path = Path(source)
    if path.suffix in FILES or path.exists():
        if not path.is_file():
            raise DataError(f"data.{which}: {source}: no such file")
        yield from read_rows(path, [data.prompt_column, data.reference_column])
    else:
        split = data.train_split if which == "train" else data.eval_split
        for number, row in enumerate(_hub_rows(source, data, split), start=1):
            yield f"{source}[{split}] row {number}", row


def hub_dataset(source: str, name: str | None, split: str) -> Dataset:
    """A split of a dataset of the Hub.

    Raises:
        DataError: it cannot be loaded.
    """
    from datasets import load_dataset

    try:
        return load_dataset(source, name, split=split)
    except Exception as error:  # the library raises a dozen kinds; each means that there is no data
        raise DataError(f"{source} (neither a file here nor a dataset that could be loaded): {error}") from error


def _hub_rows(source: str, data: DataConfig, split: str) -> Iterable[Any]:
    dataset = hub_dataset(source, data.name, split)
    known = dataset.column_names or []
    wanted = [column for column in (data.prompt_column, data.reference_column) if column in known]
    return dataset.select_columns(wanted) if len(wanted) == 2 else dataset


def _prompt(value: Any, data: DataConfig, place: Place | str) -> str | list[dict[str, str]]:
    if isinstance(value, str) and value.strip():
        if not data.chat:
            return value
        messages = [{"role": "user", "content": value}]
    elif isinstance(value, list) and value and all(_is_message(m) for m in value):
        messages = [{"role": m["role"], "content": m["content"]} for m in value]
    else:
        raise DataError(f"{place}: {data.prompt_column!r} must be text or a list of chat messages, not {short(value)}")
    if data.system_prompt:
        messages = [{"role": "system", "content": data.system_prompt}, *messages]
    return messages


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str) and isinstance(value.get("content"), str)


def _reference(value: Any, data: DataConfig, place: Place | str) -> str:
    return as_text(value, data.reference_column, place)
