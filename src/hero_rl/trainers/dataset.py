"""A trainer's datasets, read before anything heavy loads: every row must have a prompt and a reference.

    check_datasets(train, {"easy": easy, "hard": hard}, "answer")

Of a stream the first rows alone are read; the rest is checked as it comes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any

from hero_rl.errors import DataError, HeroError
from hero_rl.files.rows import Reference, as_reference, field, outermost, short
from hero_rl.verifiers import BatchVerifier, Verifier
from hero_rl.verifiers.references import check_references

__all__ = ["check_datasets", "reference_of", "warn_of_unreadable"]

_log = logging.getLogger(__name__)

_OF_A_STREAM = 64  # rows


def check_datasets(train: Any, evaluation: Any, column: str, domain: str | None = None) -> dict[str, list[Reference]]:
    """The references of each dataset, by the name that an error gives it.

    Args:
        train: TRL's `train_dataset`; None where an environment brings the prompts.
        evaluation: TRL's `eval_dataset`, one or several by name.
        column: where a row has its reference.
        domain: where it names its domain; None where no column does.

    Raises:
        DataError: a dataset lacks a column or has no rows, or a row has no reference that can be compared with; the
            message names the row and what to do.
    """
    several = evaluation if isinstance(evaluation, dict) else {}
    named = {"train_dataset": train, **{f"eval_dataset[{name!r}]": one for name, one in several.items()}}
    if not several:
        named["eval_dataset"] = evaluation
    return {name: _references(name, dataset, column, domain) for name, dataset in named.items() if dataset is not None}


def warn_of_unreadable(references: dict[str, list[Reference]], verifier: Verifier | BatchVerifier) -> None:
    """Log, of each dataset, the share of a sample of its references that the verifier cannot read, and what to do."""
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


def reference_of(row: dict[str, Any], column: str, place: str) -> Reference:
    """A row's reference as text, or alternatives.

    Args:
        row: of a dataset.
        column: where the reference is.
        place: what an error calls the row.

    Raises:
        DataError: there is none, or nothing that an answer can be compared with.
    """
    value = field(row, column, place)
    reference = as_reference(value, column, place)
    texts = [reference] if isinstance(reference, str) else reference or []
    if not any(text.strip() for text in texts):
        raise DataError(
            f"{place}: {column!r} holds no answer, but {short(value)}; put the right answer there, or leave such rows "
            f"out: dataset.filter(lambda row: row[{column!r}])"
        )
    return reference if reference is not None else ""


def _references(name: str, dataset: Any, column: str, domain: str | None) -> list[Reference]:
    known = getattr(dataset, "column_names", None)  # None too for a stream that does not say
    for wanted, setting in ((column, " (reference_column)"), (domain, " (domain_column)"), ("prompt", "")):
        if known is not None and wanted is not None and outermost(wanted, known) not in known:
            raise DataError(f"{name} has no column {wanted!r}{setting}; it has {sorted(known)}")
    found = [reference_of(row, column, f"{name}[{number}]") for number, row in enumerate(_rows(dataset, column))]
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
