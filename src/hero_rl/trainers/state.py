"""What a run must remember beside the policy, in each of its checkpoints: the rule, its state and the alarm's."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from hero_rl.errors import CheckpointError
from hero_rl.files.whole import write_whole
from hero_rl.monitoring import MonitorState
from hero_rl.rules import Rule, State

__all__ = ["STATE_FILE", "read_state", "state_metrics", "write_state"]

STATE_FILE = "hero_state.json"
"""Name of the file in a checkpoint that holds the rule, its state and the monitor's."""

_logger = logging.getLogger(__name__)


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
    record = {"rule": rule.model_dump(), "state": state.model_dump(), "monitor": monitor.model_dump()}
    record["processes"] = processes
    write_whole(folder / STATE_FILE, json.dumps(record, indent=2))


def read_state(folder: str | Path, rule: Rule) -> tuple[State, MonitorState]:
    """Read a checkpoint's record; warns where the rule's settings have changed since.

    Raises:
        CheckpointError: there is none, or it cannot be read or is another rule's.
    """
    path = Path(folder) / STATE_FILE
    if not path.is_file():
        raise CheckpointError(f"{path} is missing: this checkpoint was not written by a HERO trainer")
    try:
        return _taken_from(json.loads(path.read_bytes()), path, rule)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read: {error!r}") from None


def _taken_from(record: Any, path: Path, rule: Rule) -> tuple[State, MonitorState]:
    if record["rule"]["type"] != rule.type:
        raise CheckpointError(f"{path} holds the state of rule {record['rule']['type']!r}, not {rule.type!r}")
    if record["rule"] != rule.model_dump():
        _logger.warning("the rule's settings differ from those in %s: %s", path, record["rule"])
    state = type(rule.init()).model_validate(record["state"])
    return state, MonitorState.model_validate(record["monitor"])


def state_metrics(before: State, after: State) -> dict[str, float]:
    """The state that a batch was shaped with, as `hero/*`; on the first batch what it stores, which it used itself."""
    metrics = {}
    read = before.model_dump()
    for name, stored in after.model_dump().items():
        value = stored if read[name] is None else read[name]
        if value is not None:
            metrics[f"hero/{name}"] = value
    return metrics
