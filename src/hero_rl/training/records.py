"""The folder of a run: what it was asked for, what it ran on, what it measured."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from pydantic import ValidationError
from transformers import TrainerCallback

from hero_rl.errors import ConfigError
from hero_rl.files.environment import environment
from hero_rl.files.lock import only_writer
from hero_rl.files.whole import write_json, write_whole
from hero_rl.training.configs.policy import TrainConfig
from hero_rl.training.configs.reward import RewardTrainConfig
from hero_rl.training.configs.sft import SftConfig, VerlSftConfig
from hero_rl.training.configs.verl import VerlTrainConfig

__all__ = ["AnyRun", "MetricsFile", "is_finished", "keep_until", "run_folder", "write_records"]

AnyRun: TypeAlias = TrainConfig | VerlTrainConfig | RewardTrainConfig | SftConfig | VerlSftConfig


@contextmanager
def run_folder(config: AnyRun, resume: bool, main: bool = True) -> Iterator[None]:
    """Hold the folder of a run, as its only writer, and refuse one that this run must not write into.

    Args:
        config: of the run.
        resume: go on with the run that lies there.
        main: whether this is the first of its processes, which alone does it.

    Raises:
        ConfigError: another process is writing there; the folder holds a run already and `resume` is off; there is
            nothing to resume; or the settings changed since (the engine's own arguments may).
    """
    if not main:
        yield
        return
    with only_writer(Path(config.output_dir)):
        _check_folder(config, resume)
        yield


def _check_folder(config: AnyRun, resume: bool) -> None:
    folder = Path(config.output_dir)
    record = folder / "config.yaml"
    if not resume:
        if record.exists() or any(folder.glob("checkpoint-*")):
            raise ConfigError(f"output_dir: {folder} holds a run; choose another folder, or continue it with --resume")
    elif not record.exists():
        raise ConfigError(f"output_dir: {folder} holds no run to resume")
    else:
        _refuse_changes(yaml.safe_load(record.read_text()), config, record)


def write_records(config: AnyRun) -> None:
    """Make the run's folder and write `config.yaml` and `environment.json` into it."""
    folder = Path(config.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "config.yaml", yaml.safe_dump(config.model_dump(), sort_keys=False))
    write_json(folder / "environment.json", environment(seed=config.seed))


def is_finished(checkpoint: Path, max_steps: int) -> bool:
    """Whether a checkpoint is the end of its run; `max_steps` below 1 means the length that the run had.

    Raises:
        ConfigError: it lies beyond that end: the model of a longer run is none of the shorter one that is asked for.
    """
    state = json.loads((checkpoint / "trainer_state.json").read_text())
    step, end = state["global_step"], max_steps if max_steps > 0 else state["max_steps"]
    if step > end:
        raise ConfigError(f"max_steps: {end}, and {checkpoint} is of a longer run, of {step}; choose another folder")
    return step == end


class MetricsFile(TrainerCallback):
    """Appends every log of the trainer to `metrics.jsonl`, NaN as null; forgets what a resumed run will redo."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Drop what lies beyond the checkpoint that the run starts from."""
        if state.is_world_process_zero:
            keep_until(self.path, state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Append one line."""
        if state.is_world_process_zero and logs:
            row = {"step": state.global_step} | {k: _finite(v) for k, v in logs.items()}
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


def keep_until(path: Path, step: int) -> list[str]:
    """Drop the lines of a log that are of later steps, and the one that a kill cut short; returns what is kept."""
    if not path.exists():
        return []
    lines = [line for line in path.read_text().splitlines() if _step(line) <= step]
    write_whole(path, "".join(line + "\n" for line in lines))
    return lines


def _step(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except json.JSONDecodeError:
        return math.inf  # the line that a kill cut short


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _refuse_changes(old: dict[str, Any], config: AnyRun, record: Path) -> None:
    new = yaml.safe_load(yaml.safe_dump(config.model_dump()))
    changed = [key for key in new if key not in ("trl", "verl") and new[key] != _filled(old, config).get(key)]
    if changed:
        raise ConfigError(f"{record}: cannot resume with other settings; changed: {', '.join(changed)}")


def _filled(old: dict[str, Any], config: AnyRun) -> dict[str, Any]:
    """A record with the defaults of settings that it is older than."""
    try:
        return yaml.safe_load(yaml.safe_dump(type(config).model_validate(old).model_dump()))
    except ValidationError:
        return old
