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
from hero_rl.verifiers.domains import needs_reference
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
    *,
    prompted: bool = True,
) -> dict[str, list[Any]]:
    """The references of each dataset, by the name that an error gives it.

    Args:
        train: TRL's `train_dataset`; None where an environment brings the prompts.
        evaluation: TRL's `eval_dataset`, one or several by name.
        column: where a row has its reference.
        domain: where it names its domain; None where no column does.
        verifier: the run's. One that takes requests reads a reference of any kind; one by domain must know each row's.
        prompted: whether a row brings its prompt, as it must where no environment does.

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
    given = {name: dataset for name, dataset in named.items() if dataset is not None}
    found = {}
    for name, dataset in given.items():
        _check_columns(name, dataset, column, domain, prompted, needs_reference(verifier))
        found[name] = _references(name, dataset, column, domain, verifier)
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


def reference_of(row: dict[str, Any], column: str, place: str, whole: bool = False, needed: bool = True) -> Any:
    """A row's reference as text, or alternatives; None where there is none and none is needed.

    Args:
        row: of a dataset.
        column: where the reference is.
        place: what an error calls the row.
        whole: leave it the JSON value that it is, for a verifier that takes requests.
        needed: whether there must be one.

    Raises:
        DataError: there is none, or nothing that an answer can be compared with.
    """
    if not needed and outermost(column, row) not in row:
        return None
    value = field(row, column, place)
    if whole:
        reference = json_columns({column: value}).get(column)
        if reference not in (None, "", [], {}):
            return reference
    else:
        reference = as_reference(value, column, place)
    texts = [reference] if isinstance(reference, str) else reference or []
    if needed and not any(text.strip() for text in texts):
        raise DataError(
            f"{place}: {column!r} holds no answer, but {short(value)}; put the right answer there, or leave such rows "
            f"out: dataset.filter(lambda row: row[{column!r}])"
        )
    return reference


def _check_columns(name: str, dataset: Any, column: str, domain: str | None, prompted: bool, needed: bool) -> None:
    known = getattr(dataset, "column_names", None)
    if known is None:  # a stream that does not say
        return
    wanted = {column: " (reference_column)"} if needed else {}
    wanted |= {} if domain is None else {domain: " (domain_column)"}
    wanted |= {"prompt": ""} if prompted else {}
    for each, setting in wanted.items():
        if outermost(each, known) not in known:
            raise DataError(f"{name} has no column {each!r}{setting}; it has {sorted(known)}")


def _references(
    name: str, dataset: Any, column: str, domain: str | None, verifier: Verifier | BatchVerifier | None
) -> list[Any]:
    whole = verifier is not None and takes_requests(verifier)
    found = []
    for number, row in enumerate(_rows(dataset, column, domain)):
        place = f"{name}[{number}]"
        needed = needs_reference(verifier, "" if domain is None else str(field(row, domain, place)))
        found.append(reference_of(row, column, place, whole, needed))
    if not found:
        raise DataError(f"{name} has no rows")
    return found


def _rows(dataset: Any, *columns: str | None) -> Iterator[dict[str, Any]]:
    """The rows, no more of them read than is wanted."""
    if not hasattr(dataset, "__len__"):
        yield from islice(dataset, _OF_A_STREAM)
        return
    known = getattr(dataset, "column_names", None)
    if known is None:
        yield from (dataset[number] for number in range(len(dataset)))
        return
    wanted = {outermost(column, known) for column in columns if column is not None} & set(known)
    values = dataset.select_columns(sorted(wanted))
    yield from (values[number] if wanted else {} for number in range(len(dataset)))
