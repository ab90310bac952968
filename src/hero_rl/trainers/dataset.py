"""A trainer's datasets, read before anything heavy loads: every row must have a prompt and a reference.

    check_datasets(train, {"easy": easy, "hard": hard}, "answer")

Of a stream the first rows alone are read; the rest is checked as it comes.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any

from hero_rl.errors import ConfigError, DataError, HeroError
from hero_rl.files.rows import as_reference, field, json_columns, outermost, short
from hero_rl.verifiers import BatchVerifier, ByDomain, Verifier
from hero_rl.verifiers.base import takes_requests
from hero_rl.verifiers.references import check_references

__all__ = ["WHOLE_ROW", "check_datasets", "reference_of", "warn_of_unreadable", "whole_row"]

_log = logging.getLogger(__name__)

_OF_A_STREAM = 64  # rows


def check_datasets(
    train: Any,
    evaluation: Any,
    column: str,
    domain: str | None = None,
    verifier: Verifier | BatchVerifier | None = None,
) -> dict[str, list[Any]]:
    """The references of each dataset, by the name that an error gives it.

    Args:
        train: TRL's `train_dataset`; None where an environment brings the prompts.
        evaluation: TRL's `eval_dataset`, one or several by name.
        column: where a row has its reference.
        domain: where it names its domain; None where no column does.
        verifier: the run's. One that takes requests reads a reference of any kind; one by domain must know each row's.

    Raises:
        ConfigError: the verifier is one by domain, and there is no column of domains.
        DataError: a dataset lacks a column or has no rows, or a row has no reference that can be compared with; the
            message names the row and what to do.
    """
    several = evaluation if isinstance(evaluation, dict) else {}
    named = {"train_dataset": train, **{f"eval_dataset[{name!r}]": one for name, one in several.items()}}
    if not several:
        named["eval_dataset"] = evaluation
    if isinstance(verifier, ByDomain) and verifier.default is None and domain is None:
        raise ConfigError("the verifier is one by domain: domain_column must name the column with each prompt's domain")
    whole = verifier is not None and takes_requests(verifier)
    given = {name: dataset for name, dataset in named.items() if dataset is not None}
    found = {name: _references(name, dataset, column, domain, whole) for name, dataset in given.items()}
    if isinstance(verifier, ByDomain) and domain is not None:
        for name, dataset in given.items():
            domains = [str(field(row, domain, name)) for row in _rows(dataset, domain)]
            verifier.check(domains, (f"{name}[{number}]" for number in range(len(domains))))
    return found


def warn_of_unreadable(references: dict[str, list[Any]], verifier: Verifier | BatchVerifier) -> None:
    """Log, of each dataset, the share of a sample of its references that the verifier cannot read, and what to do."""
    if takes_requests(verifier):
        return  # it reads more of a row than its reference
    for name, several in references.items():
        texts = [one if isinstance(one, str) else one[0] for one in several]
        try:
            check = check_references(texts, verifier)
        except HeroError:
            raise
        except Exception:  # in training, such a row abstains and is counted
            _log.exception("%s: the verifier raised on a reference", name)
            continue
        if check.unreadable:
            _log.warning("%s: %s", name, check)


WHOLE_ROW = "hero_row"
"""A column with `{"reference": ..., "columns": {...}}` as JSON: a dataset's own columns do not keep objects as they
were, but give all of a column all keys."""


def whole_row(row: dict[str, Any], column: str) -> dict[str, Any]:
    """A row with what its column `WHOLE_ROW` holds, if it has one, in the place of that; `column` has the reference."""
    if WHOLE_ROW not in row:
        return row
    rest = {name: value for name, value in row.items() if name != WHOLE_ROW}
    kept = json.loads(row[WHOLE_ROW])
    return rest | kept["columns"] | {column: kept["reference"]}


def reference_of(row: dict[str, Any], column: str, place: str, whole: bool = False) -> Any:
    """A row's reference as text, or alternatives.

    Args:
        row: of a dataset.
        column: where the reference is.
        place: what an error calls the row.
        whole: leave it the JSON value that it is, for a verifier that takes requests.

    Raises:
        DataError: there is none, or nothing that an answer can be compared with.
    """
    value = field(row, column, place)
    if whole:
        reference = json_columns({column: value}).get(column)
        if reference not in (None, "", [], {}):
            return reference
    else:
        reference = as_reference(value, column, place)
    texts = [reference] if isinstance(reference, str) else reference or []
    if not any(text.strip() for text in texts):
        raise DataError(
            f"{place}: {column!r} holds no answer, but {short(value)}; put the right answer there, or leave such rows "
            f"out: dataset.filter(lambda row: row[{column!r}])"
        )
    return reference if reference is not None else ""


def _references(name: str, dataset: Any, column: str, domain: str | None, whole: bool) -> list[Any]:
    known = getattr(dataset, "column_names", None)  # None too for a stream that does not say
    for wanted, setting in ((column, " (reference_column)"), (domain, " (domain_column)"), ("prompt", "")):
        if known is not None and wanted is not None and outermost(wanted, known) not in known:
            raise DataError(f"{name} has no column {wanted!r}{setting}; it has {sorted(known)}")
    found = [reference_of(row, column, f"{name}[{number}]", whole) for number, row in enumerate(_rows(dataset, column))]
    if not found:
        raise DataError(f"{name} has no rows")
    return found


def _rows(dataset: Any, column: str) -> Iterator[dict[str, Any]]:
    """The rows, no more of them read than is wanted."""
    if not hasattr(dataset, "__len__"):
        yield from islice(dataset, _OF_A_STREAM)
        return
    known = getattr(dataset, "column_names", None)
    values = dataset.select_columns([outermost(column, known)]) if known else dataset
    yield from (values[number] for number in range(len(values)))
