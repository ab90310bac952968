"""Prompts and references from a file or the Hub, checked row by row before anything heavy loads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hero_rl.errors import DataError
from hero_rl.files.rows import Place, as_text, field, outermost, read_rows, short
from hero_rl.problems import hub_dataset, is_file
from hero_rl.training.configs.policy import DataConfig, PromptConfig

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["as_prompt", "load_prompts", "of_one_kind", "rows_of"]


def load_prompts(data: DataConfig, which: str) -> Dataset:
    """Load one split as a dataset with the columns `prompt`, `data.reference_column` and `data.domain_column` if named.

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

    columns = [data.reference_column, *([data.domain_column] if data.domain_column else [])]
    rows = [
        {
            "prompt": as_prompt(field(row, data.prompt_column, place), data, place),
            **{column: as_text(field(row, column, place), column, place) for column in columns},
        }
        for place, row in rows_of(data, which, *columns)
    ]
    return Dataset.from_list(of_one_kind(rows, data, which))


def of_one_kind(rows: list[dict[str, Any]], data: PromptConfig, which: str) -> list[dict[str, Any]]:
    """The rows as they are; a `DataError` where there are none, or prompts are text in some and messages in others."""
    source = data.train if which == "train" else data.eval
    if not rows:
        raise DataError(f"{source}: no rows")
    kinds = {isinstance(row["prompt"], str) for row in rows}
    if len(kinds) > 1:
        raise DataError(f"{source}: {data.prompt_column!r} holds text in some rows and message lists in others")
    return rows


def rows_of(data: PromptConfig, which: str, *columns: str) -> Iterator[tuple[Place | str, dict[str, Any]]]:
    """(place for messages, row) of the first `data.limit` rows; `columns` are those wanted beside the prompt."""
    return islice(_rows(data, which, [data.prompt_column, *columns]), data.limit)


def _rows(data: PromptConfig, which: str, columns: list[str]) -> Iterator[tuple[Place | str, dict[str, Any]]]:
    source = data.train if which == "train" else data.eval
    assert source is not None
    path = Path(source)
    if is_file(source):
        if not path.is_file():
            raise DataError(f"data.{which}: {source}: no such file")
        yield from read_rows(path, columns)
    else:
        split = data.train_split if which == "train" else data.eval_split
        for number, row in enumerate(_hub_rows(source, data, split, columns), start=1):
            yield f"{source}[{split}] row {number}", row


def _hub_rows(source: str, data: PromptConfig, split: str, columns: list[str]) -> Iterable[Any]:
    dataset = hub_dataset(source, data.name, split)
    known = dataset.column_names or []
    wanted = list(dict.fromkeys(outermost(column, known) for column in columns))
    return dataset.select_columns(wanted) if set(wanted) <= set(known) else dataset


def as_prompt(value: Any, data: PromptConfig, place: Place | str) -> str | list[dict[str, str]]:
    """A row's prompt as text or chat messages, the system prompt first; a `DataError` where it is neither."""
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
