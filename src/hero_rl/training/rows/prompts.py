"""Prompts and references from a file or the Hub, checked row by row before anything heavy loads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hero_rl.errors import ConfigError, DataError
from hero_rl.files.messages import is_plain_message
from hero_rl.files.rows import Place, as_text, field, is_missing, json_columns, outermost, read_rows, short
from hero_rl.problems import GeneratedProblems, generated_rows, hub_dataset, is_file
from hero_rl.rules import Rule, ranks_unverified
from hero_rl.trainers.dataset import WHOLE_ROW, applies, reference_of, tell_unverified
from hero_rl.training.configs.policy import DataConfig, PromptConfig
from hero_rl.verifiers import BatchVerifier, ByDomain, ByDomainVerifier, Verifier
from hero_rl.verifiers.base import own_answer, takes_requests
from hero_rl.verifiers.configured import check_columns, needs_reference

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["as_prompt", "load_prompts", "of_one_kind", "rows_of", "source_rows"]


def load_prompts(
    data: DataConfig,
    which: str,
    verifier: Verifier | BatchVerifier | None = None,
    rule: Rule | None = None,
    auditor: Verifier | BatchVerifier | None = None,
) -> Dataset:
    """Load one split as a dataset with the columns `prompt`, `data.reference_column` and `data.domain_column` if named.

    Args:
        data: the configuration's block.
        which: `train` or `eval`.
        verifier: the run's; of one by domain each row's domain must be known.
        rule: the run's. Rows that no verifier applies to are left out, and counted in the log, unless it ranks them.
        auditor: the run's. Where it takes requests, or the verifier does, the rows are kept whole, in `WHOLE_ROW`.

    Returns:
        A dataset: prompts as message lists (or text where `data.chat` is off), references as text, or null.

    Raises:
        DataError: the file is missing or unreadable, a column is missing, a row is bad or there are none; the message
            names file and row.
    """
    from datasets import Dataset

    whole = any(takes_requests(each) for each in (verifier, auditor) if each is not None)
    columns = [data.reference_column, *([data.domain_column] if data.domain_column else [])]
    ranks, lost = ranks_unverified(rule), 0
    rows: list[dict[str, Any]] = []
    for place, row in rows_of(data, which, *columns, everything=whole or not needs_reference(verifier)):
        prompt = as_prompt(field(row, data.prompt_column, place), data, place)
        kept = _kept(row, data, place, verifier)
        for each in (verifier, auditor):
            check_columns(each, row, place, kept.get(data.domain_column or "", ""))
        if whole:
            kept[WHOLE_ROW] = _as_json(row, data, place)
        known = applies(verifier, kept[data.reference_column], kept.get(data.domain_column or "", ""))
        lost += not known
        if known or ranks:
            rows.append({"prompt": prompt, **kept})
    if lost:
        kept_or_lost = len(rows) if ranks else len(rows) + lost
        name, training = str(data.train if which == "train" else data.eval), which == "train"
        tell_unverified(name, lost, kept_or_lost, data.reference_column, rule, training=training)
    return Dataset.from_list(of_one_kind(rows, data, which))


def _kept(row: dict[str, Any], data: DataConfig, place: Place | str, verifier: Any) -> dict[str, Any]:
    """A row's reference as text, of any JSON value where the verifier takes requests, and its domain."""
    kept: dict[str, Any] = {data.reference_column: None}
    if data.domain_column:
        kept[data.domain_column] = as_text(field(row, data.domain_column, place), data.domain_column, place)
    domain = kept.get(data.domain_column or "", "")
    if isinstance(verifier, (ByDomain, ByDomainVerifier)):
        if not data.domain_column and verifier.default is None:
            raise ConfigError("data.domain_column: missing; it names the column with each row's domain")
        verifier.check([domain], [place])
    if not needs_reference(verifier, domain) and outermost(data.reference_column, row) not in row:
        return kept
    reference = field(row, data.reference_column, place)
    if not is_missing(reference):
        if verifier is not None and takes_requests(verifier):
            kept[data.reference_column] = own_answer(_any_reference(row, data, place))
        else:
            kept[data.reference_column] = as_text(reference, data.reference_column, place)
    return kept


def _any_reference(row: dict[str, Any], data: DataConfig, place: Place | str) -> Any:
    return reference_of(row, data.reference_column, str(place), whole=True, needed=False)


def _as_json(row: dict[str, Any], data: DataConfig, place: Place | str) -> str:
    """A whole row as JSON, since Arrow would give all objects of a column all keys."""
    columns = json_columns(row, (data.prompt_column, data.reference_column))
    return json.dumps({"reference": _any_reference(row, data, place), "columns": columns})


def of_one_kind(rows: list[dict[str, Any]], data: PromptConfig, which: str) -> list[dict[str, Any]]:
    """The rows as they are; a `DataError` where there are none, or prompts are text in some and messages in others."""
    source = data.train if which == "train" else data.eval
    if not rows:
        raise DataError(f"{source}: no rows")
    kinds = {isinstance(row["prompt"], str) for row in rows}
    if len(kinds) > 1:
        raise DataError(f"{source}: {data.prompt_column!r} holds text in some rows and message lists in others")
    return rows


def rows_of(
    data: PromptConfig, which: str, *columns: str, everything: bool = False
) -> Iterator[tuple[Place | str, dict[str, Any]]]:
    """(place for messages, row) of the first `data.limit` rows; wanted are the prompt and `columns`, or everything."""
    return islice(_rows(data, which, [] if everything else [data.prompt_column, *columns]), data.limit)


def _rows(data: PromptConfig, which: str, columns: list[str]) -> Iterator[tuple[Place | str, dict[str, Any]]]:
    source = data.train if which == "train" else data.eval
    assert source is not None
    if isinstance(source, GeneratedProblems):
        for row in generated_rows(source):
            yield f"data.{which}: {row['id']}", row
        return
    split = data.train_split if which == "train" else data.eval_split
    yield from source_rows(f"data.{which}", source, data.name, split, columns)


def source_rows(
    setting: str, source: str, name: str | None, split: str, columns: Sequence[str] = ()
) -> Iterator[tuple[Place | str, dict[str, Any]]]:
    """(place for messages, row) of a file, or of a split of a dataset of the Hub.

    Args:
        setting: the setting that names the source.
        source: the file or the dataset.
        name: the dataset's configuration.
        split: its split.
        columns: those that are wanted; none for all.

    Raises:
        DataError: there is no such file, or the dataset cannot be loaded, or a row is no object.
    """
    if is_file(source):
        if not Path(source).is_file():
            raise DataError(f"{setting}: {source}: no such file")
        yield from read_rows(Path(source), columns)
        return
    dataset = hub_dataset(source, name, split)
    known = dataset.column_names or []
    wanted = list(dict.fromkeys(outermost(column, known) for column in columns))
    if wanted and set(wanted) <= set(known):
        dataset = dataset.select_columns(wanted)
    for number, row in enumerate(dataset, start=1):
        yield f"{source}[{split}] row {number}", row


def as_prompt(value: Any, data: PromptConfig, place: Place | str) -> str | list[dict[str, str]]:
    """A row's prompt as text or chat messages, the system prompt first; a `DataError` where it is neither."""
    if isinstance(value, str) and value.strip():
        if not data.chat:
            return value
        messages = [{"role": "user", "content": value}]
    elif isinstance(value, list) and value and all(is_plain_message(m) for m in value):
        messages = [{"role": m["role"], "content": m["content"]} for m in value]
    else:
        raise DataError(f"{place}: {data.prompt_column!r} must be text or a list of chat messages, not {short(value)}")
    if data.system_prompt:
        messages = [{"role": "system", "content": data.system_prompt}, *messages]
    return messages
