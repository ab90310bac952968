"""Rows of a dataset of the Hub, or of a file that stands for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hero_rl.errors import DataError

__all__ = ["FILES", "commit_of", "hub_dataset", "hub_rows", "is_file"]

FILES = {".jsonl", ".json", ".parquet"}
"""Suffixes of what is a file, whether it is there or not, and no name on the Hub."""


def is_file(source: str) -> bool:
    """Whether a name means a file rather than a dataset of the Hub."""
    return Path(source).suffix in FILES or source.endswith(".jsonl.gz") or Path(source).exists()


def hub_dataset(
    source: str,
    name: str | None,
    split: str,
    revision: str | None = None,
    streaming: bool = False,
    columns: list[str] | None = None,
) -> Any:
    """A split of a dataset of the Hub.

    Args:
        source: its id.
        name: its configuration.
        split: its split.
        revision: branch, tag or commit; None is the branch `main`.
        streaming: fetch rows as they are read, rather than all of them before the first.
        columns: fetch these alone where the files allow it, as Parquet does; other columns may come all the same.

    Raises:
        DataError: it cannot be loaded.
    """
    from datasets import load_dataset

    some: dict[str, Any] = {"columns": columns} if columns else {}
    try:
        return load_dataset(source, name, split=split, revision=revision, streaming=streaming, **some)
    except Exception as error:  # the library raises a dozen kinds; each means that there is no data
        if columns and isinstance(error, (TypeError, ValueError)) and "columns" in str(error):
            return hub_dataset(source, name, split, revision, streaming)
        raise DataError(f"{source} (neither a file here nor a dataset that could be loaded): {error}") from error


def hub_rows(dataset: Any, source: str, columns: list[str]) -> Iterator[dict[str, Any]]:
    """The rows of a streamed dataset with the columns alone that are wanted.

    Raises:
        DataError: the connection broke, or the data is damaged; names the row.
    """
    number = 0
    rows = iter(dataset.select_columns(columns))
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except Exception as error:  # of the network, of Arrow, of the file system behind the library
            raise DataError(f"{source} row {number + 1}: {type(error).__name__}: {error}") from error
        number += 1
        yield row


def commit_of(source: str, revision: str | None) -> str | None:
    """The commit that a revision of a dataset is now; None where the Hub cannot be asked."""
    from huggingface_hub import HfApi

    try:
        return HfApi().dataset_info(source, revision=revision, timeout=10).sha
    except Exception:  # offline, no such dataset, a broken proxy: loading it says which
        return None
