"""How columns become a rollout.

    >>> from hero_rl.rollouts.layouts import Columns, layout_of
    >>> layout_of({"input": "1 + 1 =", "output": "2", "gts": "2", "score": 1.0, "step": 3}, Columns()).format
    'verl'

A layout names, for each field, the columns that may hold it, the likeliest first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from hero_rl.errors import ConfigError, DataError
from hero_rl.files.rows import Place, as_reference, field, short
from hero_rl.rollouts.formats import FOREIGN, Foreign
from hero_rl.rollouts.formats.verl import parts_of
from hero_rl.rollouts.record import FIELDS, NUMBERS, Rollout
from hero_rl.rollouts.values import (
    as_group,
    as_id,
    as_label,
    as_number,
    as_score,
    as_sign_or_verdict,
    as_step,
    as_text_or_messages,
    as_verdict,
    listed,
)

__all__ = ["FORMATS", "Columns", "Format", "Layout", "foreign_of", "layout_of"]

Format = Literal[
    "rollouts",
    "trl",
    "verl",
    "grouped",
    "verifiers",
    "traces",
    "nemo_rl",
    "open_instruct",
    "slime",
    "openrlhf",
    "lm_eval",
    "lighteval",
    "gsm8k",
]
FORMATS: tuple[Format, ...] = get_args(Format)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Columns:
    """Names of columns, where a file has others than its format usually has; None is the usual one.

    Attributes:
        prompt: text or chat messages.
        completion: text or chat messages, or a list of them in a grouped file.
        reference: the right answer: text or a number.
        group: what the rollouts of one prompt share.
        verdict: 1 or true, 0 or false, between them partial credit, null for an abstention.
        score: the reward model's raw score.
        label: known correctness, which stands in where there is no column of verdicts.
        step: the optimiser step.

    Raises:
        ConfigError: one column is named for the score and for what the score is measured against.
    """

    prompt: str | None = None
    completion: str | None = None
    reference: str | None = None
    group: str | None = None
    verdict: str | None = None
    score: str | None = None
    label: str | None = None
    step: str | None = None

    def __post_init__(self) -> None:
        if self.score is not None and self.score in (self.verdict, self.label):
            other = "verdict" if self.score == self.verdict else "label"
            raise ConfigError(
                f"column {self.score!r} is named for the {other} and for the score; a score is what the reward model "
                f"says, and is measured against the {other}"
            )


_USUAL: dict[str, dict[str, tuple[str, ...]]] = {
    "rollouts": {
        "id": ("id",),
        "prompt": ("prompt",),
        "completion": ("completion",),
        "reference": ("reference", "gold"),
        "group": ("group",),
        "verdict": ("verdict",),
        "label": ("label",),
        "score": ("score", "rm_score"),
        "reward": ("reward",),
        "advantage": ("advantage",),
        "step": ("step",),
    },
    # TRL names a column after each reward function; ours are `verifier` and `reward_model`.
    "trl": {
        "prompt": ("prompt",),
        "completion": ("completion",),
        "reference": ("reference",),
        "group": ("group",),
        "verdict": ("verifier",),
        "score": ("reward_model",),
        "reward": ("reward",),
        "advantage": ("advantage",),
        "step": ("step",),
    },
    # verl's `score` is the reward that it trained on, whatever that was made of; the other numbers are `hero_sync`'s.
    "verl": {
        "id": ("uid", "request_id"),
        "prompt": ("input",),
        "completion": ("output",),
        "reference": ("gts",),
        "verdict": ("verdict",),
        "score": ("rm_score",),
        "reward": ("shaped_reward", "score"),
        "advantage": ("advantage",),
        "step": ("step",),
    },
    "grouped": {
        "id": ("id",),
        "prompt": ("prompt",),
        "completion": ("completions",),
        "reference": ("reference", "gold"),
        "verdict": ("verdicts",),
        "label": ("labels",),
        "score": ("scores", "rm_scores"),
        "reward": ("rewards",),
        "advantage": ("advantages",),
        "step": ("step",),
    },
} | {name: {field: (field,) for field in one.fields} for name, one in FOREIGN.items()}


def as_any_reference(value: Any, column: str, place: Place) -> Any:
    """A reference as text or several, or an object as it is, for a verifier that takes requests."""
    return value if isinstance(value, dict) else as_reference(value, column, place)


_READ = {
    "prompt": as_text_or_messages,
    "completion": as_text_or_messages,
    "reference": as_any_reference,
    "id": as_id,
    "group": as_group,
    "step": as_step,
    "verdict": as_verdict,
    "score": as_score,
    "reward": as_number,
    "advantage": as_number,
}


@dataclass(frozen=True)
class Layout:
    """The columns that a file's fields are read from.

    Attributes:
        format: name of the format.
        source: field -> its column, for the fields that the file has.
        absent: columns that the file does not have and that would be fields if it had.
        verdict_was_named: whether the user named the verdict's column.
        verdict_is_label: whether known correctness stands in for it, 0 or 1.
        file: whose first row all this was told from.
    """

    format: Format
    source: Mapping[str, str]
    absent: frozenset[str]
    verdict_was_named: bool = False
    verdict_is_label: bool = False
    file: Path | None = None

    def rollouts(self, row: Row, place: Place, number: int) -> Iterator[Rollout]:
        """The rollouts of one row.

        Args:
            row: the row.
            place: where it stands.
            number: how many rows came before it, over all files.

        Raises:
            DataError: a column is missing, or holds what it must not; the message names place and column.
        """
        late = sorted(self.absent & row.keys())
        if late:
            raise DataError(
                f"{place}: column {late[0]!r} is not in the first row of {self.file}, which sets the layout"
            )
        if self.format == "grouped":
            yield from self._of_group(row, place, number)
        else:
            yield self._one(row, place)

    def _one(self, row: Row, place: Place) -> Rollout:
        values = {name: self._read(name)(field(row, c, place), c, place) for name, c in self.source.items()}
        if values.get("group") is None:
            values["group"] = self._group_of(values)
        return Rollout(**values, extra=self._extra(row), place=place)

    def _read(self, name: str) -> Callable[[Any, str, Place], Any]:
        """What reads a field: of a column that was named for the verdict, -1 is taken for 0."""
        if name == "verdict" and (self.verdict_was_named or self.verdict_is_label):
            return as_sign_or_verdict if self.verdict_was_named else as_label
        return _READ[name]

    def _group_of(self, values: Mapping[str, Any]) -> str:
        """The group of a row that names none: verl's uid without its counters, else the prompt."""
        parts = parts_of(values.get("id")) if self.format == "verl" else None
        if parts is not None:
            return parts[0]
        prompt = json.dumps(values["prompt"], sort_keys=True)
        return hashlib.sha256(prompt.encode()).hexdigest()[:16]

    def _of_group(self, row: Row, place: Place, number: int) -> Iterator[Rollout]:
        """One rollout for each completion of the row."""
        completions = listed(field(row, self.source["completion"], place), self.source["completion"], place)
        count = len(completions)
        shared: dict[str, Any] = {"group": number}
        each: dict[str, list[Any]] = {}
        for name, column in self.source.items():
            read, value = self._read(name), field(row, column, place)
            if name in ("completion", *NUMBERS):
                values = listed(value, column, place)
                if len(values) != count:
                    raise DataError(f"{place}: {column!r} has {len(values)} entries for {count} completions")
                each[name] = [read(value, f"{column}[{n}]", place) for n, value in enumerate(values)]
            else:
                shared[name] = read(value, column, place)
        shared["group"] = number if shared["group"] is None else shared["group"]
        name_of_row = shared.pop("id", None)
        extra = self._extra(row)
        split = {name for name, value in extra.items() if isinstance(value, list) and len(value) == count}
        for n in range(count):
            own = {name: values[n] for name, values in each.items()}
            rest = {name: value[n] if name in split else value for name, value in extra.items()}
            rollout_id = None if name_of_row is None else f"{name_of_row}/{n}"
            yield Rollout(**shared, **own, id=rollout_id, extra=rest, place=place)

    def _extra(self, row: Row) -> dict[str, Any]:
        """The columns that are no field; one that has a field's name and is not that field is renamed."""
        used = set(self.source.values())
        extra = {name: row[name] for name in row if name not in used and name not in FIELDS}
        for name in row:
            if name not in used and name in FIELDS:
                free = f"input_{name}"
                while free in row:
                    free = f"input_{free}"
                extra[free] = row[name]
        return extra


def layout_of(row: Row, columns: Columns, format: Format | None = None, file: Path | None = None) -> Layout:
    """Tell a file's layout from its first row.

    Args:
        row: the first row; of a Parquet file with its columns in order.
        columns: names that take the place of the usual ones.
        format: the format, where it shall not be guessed.
        file: where it stands.

    Raises:
        ConfigError: a column that was asked for is not there.
        DataError: the row is of none of the formats, or lacks what its format cannot do without.
    """
    for given in fields(Columns):
        column = getattr(columns, given.name)
        if column is not None and not _has(row, column):
            raise ConfigError(f"no column {column!r} for the {given.name}; the file has {sorted(row)}")
    format = format or _guess(row, columns)
    source: dict[str, str] = {}
    for name, usual in _USUAL[format].items():
        present = [column for column in usual if column in row]
        if present:
            source[name] = present[0]
    for given in fields(Columns):
        column = getattr(columns, given.name)
        if column is not None:
            source = {name: other for name, other in source.items() if other != column} | {given.name: column}
    label = source.pop("label", None)
    if columns.label and columns.verdict:
        raise ConfigError(f"{columns.verdict!r} for the verdict or {columns.label!r} as the label, not both")
    is_label = label is not None and (columns.label is not None or "verdict" not in source)
    if is_label:
        source["verdict"] = str(label)
    for name in ("prompt", "completion"):
        if name not in source:
            raise DataError(f"no column {_USUAL[format][name][0]!r} for the {name}; the file has {sorted(row)}")
    absent = {column for name, usual in _USUAL[format].items() if name not in source for column in usual} - row.keys()
    return Layout(format, source, frozenset(absent), columns.verdict is not None, is_label, file)


def _has(row: Row, column: str) -> bool:
    try:
        field(row, column, "")
    except DataError:
        return False
    return True


def foreign_of(row: Row, columns: Columns, format: Format | None = None) -> Foreign | None:
    """The tool whose rows these are; None for a layout of columns, as a named column for completions says."""
    if format is not None:
        return FOREIGN.get(format)
    return None if columns.completion else next((one for one in FOREIGN.values() if one.is_mine(row)), None)


def _guess(row: Row, columns: Columns) -> Format:
    names = list(row)
    if columns.completion is not None:
        return "grouped" if _is_list_of_texts(field(row, columns.completion, "")) else "rollouts"
    if "completions" in row:
        return "grouped"
    if names[:3] == ["step", "prompt", "completion"] and names[-1] == "advantage":
        return "trl"
    if "completion" in row:
        return "rollouts"
    if "input" in row and "output" in row:
        return "verl"
    raise DataError(
        f"none of the formats {', '.join(FORMATS)}: there is no column 'completion', 'completions' or 'output', "
        f"the file has {short(sorted(row))}"
    )


def _is_list_of_texts(value: Any) -> bool:
    """Whether a value holds several completions and not the messages of one."""
    return isinstance(value, Sequence) and not isinstance(value, str) and not any(isinstance(v, dict) for v in value)
