"""What a run must remember beside the policy, in each of its checkpoints: the rule, its state and the alarm's."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from hero_rl.errors import CheckpointError
from hero_rl.files.whole import write_json
from hero_rl.monitoring import MonitorState
from hero_rl.rules import Rule, State

__all__ = ["STATE_FILE", "read_state", "state_metrics", "write_state"]

STATE_FILE = "hero_state.json"
"""Name of the file in a checkpoint that holds the rule, its state and the monitor's."""

_logger = logging.getLogger(__name__)


class _Record(BaseModel):
    rule: dict[str, Any]
    state: dict[str, Any]
    monitor: dict[str, Any]


def write_state(folder: str | Path, rule: Rule, state: State, monitor: MonitorState, processes: int = 1) -> None:
    """Write the record into a checkpoint's folder, which is made if need be: whole, or not at all.

    Args:
        folder: of the checkpoint.
        rule: of the run.
        state: the rule's.
        monitor: the alarms'.
        processes: how many of them leave files of their own in the checkpoint.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    record: dict[str, Any] = {"rule": rule.model_dump(), "state": state.model_dump(), "monitor": monitor.model_dump()}
    record["processes"] = processes
    write_json(folder / STATE_FILE, record)


def read_state(folder: str | Path, rule: Rule) -> tuple[State, MonitorState]:
    """Read a checkpoint's record; warns where the rule's settings have changed since.

    Raises:
        CheckpointError: there is none, or it is damaged, or another rule's.
    """
    path = Path(folder) / STATE_FILE
    if not path.is_file():
        raise CheckpointError(f"{path} is missing: this checkpoint was not written by a HERO trainer")
    try:
        record = _Record.model_validate_json(path.read_bytes()).model_dump()
    except ValidationError as error:
        raise CheckpointError(f"{path} is damaged, so that this checkpoint cannot be resumed: {error}") from None
    if record["rule"].get("type") != rule.type:
        raise CheckpointError(f"{path} holds the state of rule {record['rule'].get('type')!r}, not {rule.type!r}")
    if record["rule"] != rule.model_dump():
        _logger.warning("the rule's settings differ from those in %s: %s", path, record["rule"])
    try:
        return type(rule.init()).model_validate(record["state"]), MonitorState.model_validate(record["monitor"])
    except ValidationError as error:
        raise CheckpointError(f"{path} holds no state of this rule: {error}") from None


def state_metrics(before: State, after: State) -> dict[str, float]:
    """The state that a batch was shaped with, as `hero/*`; on the first batch what it stores, which it used itself.

    NaN where the run does not know one yet, so that every step logs the same names.
    """
    read, stored = _numbers(before), _numbers(after)
    return {name: stored[name] if math.isnan(read.get(name, math.nan)) else read[name] for name in stored}


def _numbers(state: BaseModel, prefix: str = "hero/") -> dict[str, float]:
    """Numbers of a state by name: of a state within it `<name>_<its name>`, by domain `<name>/<domain>/<its name>`."""
    out: dict[str, float] = {}
    for name in type(state).model_fields:
        value = getattr(state, name)
        if isinstance(value, BaseModel):
            out |= _numbers(value, f"{prefix}{name}_")
        elif isinstance(value, dict):
            for domain, inner in value.items():
                out |= _numbers(inner, f"{prefix}{name}/{domain}/") if isinstance(inner, BaseModel) else {}
        elif value is None or isinstance(value, (int, float)):  # of what else a rule of one's own remembers, no number
            out[prefix + name] = math.nan if value is None else value
    return out
