"""Prompts and completions to imitate, checked row by row before anything heavy loads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hero_rl.errors import DataError
from hero_rl.files.rows import Place, as_text, field, short
from hero_rl.training.configs.sft import DemonstrationConfig
from hero_rl.training.rows.prompts import as_prompt, of_one_kind, rows_of

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["load_demonstrations"]


def load_demonstrations(data: DemonstrationConfig, which: str) -> Dataset:
    """Load one split as a dataset with the columns `prompt` and `completion`, as TRL takes them.

    Args:
        data: the configuration's block.
        which: `train` or `eval`.

    Returns:
        A dataset: both columns message lists, or both text where `data.chat` is off and prompts are text.

    Raises:
        DataError: the file is missing or unreadable, a column is missing, a row is bad or there are none; the message
            names file and row.
    """
    from datasets import Dataset

    rows = []
    for place, row in rows_of(data, which, data.completion_column):
        prompt = as_prompt(field(row, data.prompt_column, place), data, place)
        text = _completion(field(row, data.completion_column, place), data.completion_column, place)
        completion = text if isinstance(prompt, str) else [{"role": "assistant", "content": text}]
        rows.append({"prompt": prompt, "completion": completion})
    return Dataset.from_list(of_one_kind(rows, data, which))


def _completion(value: Any, column: str, place: Place | str) -> str:
    if isinstance(value, list):
        if len(value) != 1 or not isinstance(value[0], dict) or value[0].get("role") != "assistant":
            raise DataError(f"{place}: {column!r} must be text or one message of the assistant, not {short(value)}")
        value = value[0].get("content")
    return as_text(value, column, place)
