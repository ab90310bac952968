"""A trainer's datasets, read before anything heavy loads: every row must have a prompt, and a reference or a reason.

    checked = check_datasets(train, {"easy": easy, "hard": hard}, "answer")
    checked.train  # without the rows that no verifier applies to

Of a stream the first rows alone are read; the rest is checked as it comes.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from hero_rl.errors import ConfigError, DataError
from hero_rl.files.rows import as_reference, field, is_missing, json_columns, outermost
from hero_rl.rules import Rule, earns_trust, ranks_unverified
from hero_rl.verifiers import BatchVerifier, ByDomain, ByDomainVerifier, Verifier
from hero_rl.verifiers.base import Request, takes_requests
from hero_rl.verifiers.configured import check_columns, columns_read, needs_reference
from hero_rl.verifiers.references import check_references

__all__ = [
    "WHOLE_ROW",
    "Checked",
    "applies",
    "check_datasets",
    "reference_of",
    "tell_unverified",
    "warn_of_unreadable",
    "whole_row",
]

_log = logging.getLogger(__name__)

_OF_A_STREAM = 64  # rows


@dataclass(frozen=True)
class Checked:
    """A trainer's datasets, fit to train on.

    Attributes:
        train: TRL's `train_dataset`, less the rows that are left out.
        evaluation: likewise its `eval_dataset`, one or several by name.
        references: of each dataset, those of its rows that a verifier applies to, by the name that an error gives it.
    """

    train: Any
    evaluation: Any
    references: dict[str, list[Any]]


def check_datasets(
    train: Any,
    evaluation: Any,
    column: str,
    domain: str | None = None,
    verifier: Verifier | BatchVerifier | None = None,
    *,
    rule: Rule | None = None,
    prompted: bool = True,
) -> Checked:
    """Look through the datasets of a run, and leave out the rows that no verifier applies to, saying how many.

    Args:
        train: TRL's `train_dataset`; None where an environment brings the prompts.
        evaluation: TRL's `eval_dataset`, one or several by name.
        column: where a row has its reference.
        domain: where it names its domain; None where no column does.
        verifier: the run's. One that takes requests reads a reference of any kind; one by domain must know each row's.
        rule: the run's; where it ranks such rows, they are kept.
        prompted: whether a row brings its prompt, as it must where no environment does.

    Raises:
        ConfigError: the verifier is one by domain, and there is no column of domains.
        DataError: a dataset lacks a column or has no rows, a row's reference is nothing that can be compared with, or
            no verifier applies to any row that must have one; the message names the row or the dataset, and what to do.
    """
    if isinstance(verifier, ByDomain) and verifier.default is None and domain is None:
        raise ConfigError("the verifier is one by domain: domain_column must name the column with each prompt's domain")
    references: dict[str, list[Any]] = {}

    def checked(name: str, dataset: Any, training: bool = False) -> Any:
        if dataset is None:
            return None
        _check_columns(name, dataset, column, domain, prompted, needs_reference(verifier))
        found = list(_looked_up(name, dataset, column, domain, verifier))
        if not found:
            raise DataError(f"{name} has no rows")
        references[name] = [reference for reference, applies in found if applies]
        lost = len(found) - len(references[name])
        if not lost:
            return dataset
        stream = not hasattr(dataset, "__len__")
        tell_unverified(name, lost, len(found), column, rule, training=training, stream=stream)
        return (
            dataset
            if ranks_unverified(rule)
            else _without(dataset, [applies for _, applies in found], column, domain, verifier)
        )

    if isinstance(evaluation, dict):
        given = {name: checked(f"eval_dataset[{name!r}]", one) for name, one in evaluation.items()}
    else:
        given = checked("eval_dataset", evaluation)
    return Checked(checked("train_dataset", train, training=True), given, references)


def tell_unverified(
    name: str, lost: int, rows: int, column: str, rule: Rule | None, *, training: bool, stream: bool = False
) -> None:
    """Log how many rows of a data set no verifier applies to, and what becomes of them.

    Raises:
        DataError: it is all of them, and they are not ranked; or they are ranked, and all that a run trains on, by a
            rule that trusts a reward model as far as verdicts bear it out.
    """
    share = f"{lost} of {'the first ' if stream else ''}{rows} rows"
    if ranks_unverified(rule):
        if training and lost == rows and not stream and earns_trust(rule):
            kind = getattr(rule, "type", "")
            raise DataError(
                f"{name}: no verifier applies to any row: {column!r} holds no answer in {share}. The rule {kind!r} "
                "trusts the reward model as far as it ranks as a verifier does, here never, and would train nothing: "
                "add rows that a verifier judges, or take the rule 'hero' or 'reward_model_only'"
            )
        _log.warning(
            "%s: no verifier applies to %s; they are ranked by the reward model alone, as the rule says",
            name,
            share,
        )
    elif lost == rows:
        raise DataError(
            f"{name}: no verifier applies to any row: {column!r} holds no answer in {share}. Name the column that "
            "does, or set without_reference of the rule to rank, to rank all of them by the reward model alone"
        )
    else:
        _log.warning(
            "%s: no verifier applies to %s, which are left out: %r holds no answer, or their domain has no verifier; "
            "with rule.without_reference rank they would be ranked by the reward model, within alpha",
            name,
            share,
            column,
        )


def applies(verifier: Verifier | BatchVerifier | None, reference: Any, domain: str = "") -> bool:
    """Whether a run's verifier has something to judge a row by; of none, whether the row has a reference.

    Raises:
        DataError: the verifier is one by domain, and knows no such domain.
    """
    request = Request(reference, "", domain=domain)
    if isinstance(verifier, (ByDomain, ByDomainVerifier)):
        return verifier.applies(request)
    return not (getattr(verifier, "needs_reference", True) and is_missing(reference))


def _without(
    dataset: Any, keep: Sequence[bool], column: str, domain: str | None, verifier: Verifier | BatchVerifier | None
) -> Any:
    """A dataset's rows that are to be kept; of a stream, those that a verifier applies to as they come."""
    rows = [number for number, kept in enumerate(keep) if kept]
    if hasattr(dataset, "select"):
        return dataset.select(rows)
    if hasattr(dataset, "__len__"):
        return [dataset[number] for number in rows]
    return dataset.filter(partial(_is_kept, column=column, domain=domain, verifier=verifier))


def _is_kept(row: dict[str, Any], *, column: str, domain: str | None, verifier: Any) -> bool:
    label = "" if domain is None else str(row[domain])
    reference = reference_of(whole_row(row, column), column, "a row", True, needs_reference(verifier, label))
    return applies(verifier, reference, label)


def warn_of_unreadable(references: dict[str, list[Any]], verifier: Verifier | BatchVerifier) -> None:
    """Log, of each dataset, the share of a sample of its references that the verifier cannot read, and what to do.

    Raises:
        ConfigError: the verifier fails on every one of them, with its first failure; or it returned no `Verdict`.
    """
    if takes_requests(verifier) or not needs_reference(verifier):
        return  # it reads more of a row than its reference, or nothing of it
    for name, several in references.items():
        texts = [one if isinstance(one, str) else one[0] for one in several]
        check = check_references(texts, verifier)
        if not check.works:
            raise ConfigError(f"{name}: {check}")
        if check.share:
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
    """A row's reference as text, or alternatives; None where there is none.

    Args:
        row: of a dataset.
        column: where the reference is.
        place: what an error calls the row.
        whole: leave it the JSON value that it is, for a verifier that takes requests.
        needed: whether there must be a column for it.

    Raises:
        DataError: it is nothing that an answer can be compared with.
    """
    if not needed and outermost(column, row) not in row:
        return None
    value = field(row, column, place)
    if is_missing(value):
        return None
    return json_columns({column: value}).get(column) if whole else as_reference(value, column, place)


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


def _looked_up(
    name: str, dataset: Any, column: str, domain: str | None, verifier: Verifier | BatchVerifier | None
) -> Iterator[tuple[Any, bool]]:
    """The reference of each row, and whether the verifier applies to it."""
    whole = verifier is not None and takes_requests(verifier)
    for number, row in enumerate(_rows(dataset, column, domain, WHOLE_ROW, *columns_read(verifier))):
        place = f"{name}[{number}]"
        label = "" if domain is None else str(field(row, domain, place))
        if isinstance(verifier, ByDomain) and domain is not None:
            verifier.check([label], [place])
        check_columns(verifier, whole_row(row, column), place, label)
        needed = needs_reference(verifier, label)
        reference = reference_of(whole_row(row, column), column, place, whole, needed)
        yield reference, applies(verifier, reference, label)


def _rows(dataset: Any, *columns: str | None) -> Iterator[dict[str, Any]]:
    """The rows, no more of them read than is wanted, with those of the columns that there are."""
    if not hasattr(dataset, "__len__"):
        yield from islice(dataset, _OF_A_STREAM)
        return
    known = getattr(dataset, "column_names", None)
    if known is None:
        yield from (dataset[number] for number in range(len(dataset)))
        return
    wanted = {outermost(column, known) for column in columns if column is not None} & set(known)
    yield from dataset.select_columns(sorted(wanted)) if wanted else ({} for _ in range(len(dataset)))
