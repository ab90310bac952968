"""One training run with verl: checked here, trained by verl's own program in a process of its own."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hero_rl.errors import ConfigError
from hero_rl.foreign import refuse_no_folder
from hero_rl.reward_models import LocalRewardModelConfig
from hero_rl.trainers.dataset import WHOLE_ROW
from hero_rl.training.configs.policy import DataConfig
from hero_rl.training.configs.verl import VerlTrainConfig
from hero_rl.training.quiet import quiet_libraries
from hero_rl.training.records import run_folder
from hero_rl.training.rows.prompts import load_prompts
from hero_rl.training.verl.command import MODULE, objections, place, verl_words
from hero_rl.training.verl.hydra_words import hydra_words
from hero_rl.training.verl.launch import METRICS_FILE, Command, absolute, launch, metrics_file, need_verl, whole_files

__all__ = ["VerlRun", "check_verl_run", "train_command", "train_with_verl"]


@dataclass(frozen=True)
class VerlRun:
    """A run whose settings and data are known to be good.

    Attributes:
        config: its configuration, paths absolute.
        data: what is to be written for verl, `train` and `eval`.
        warnings: settings without effect, or with a price.
    """

    config: VerlTrainConfig
    data: dict[str, Any]
    warnings: list[str]


def check_verl_run(config: VerlTrainConfig, *, compose: bool = True) -> VerlRun:
    """Check settings and data; with `compose`, have hydra and verl check theirs too, which needs verl but no GPU.

    Raises:
        ConfigError: a setting is wrong, or HERO would do nothing under it.
        DataError: a file, column or row is missing or bad.
        ModuleNotFoundError: verl is not installed.
    """
    if compose:
        need_verl()
    config = absolute(config)
    refuse_no_folder("model.path", config.model.path)
    if isinstance(config.reward_model, LocalRewardModelConfig):
        refuse_no_folder("reward_model.path", config.reward_model.path)
    found = objections(config)
    errors = [f"{_in_our_words(one.setting)}: {one.text}" for one in found if one.level == "error"]
    if errors:
        raise ConfigError("\n".join(errors))
    data = {}
    if config.data is not None:
        with quiet_libraries():
            data = {
                which: load_prompts(config.data, which, config.verifier, config.rule, config.auditor)
                for which in ("train", "eval")
                if _has(config.data, which)
            }
    if compose:
        from hero_rl.trainers.verl.composed import check_composed

        with redirect_stdout(sys.stderr):  # verl says there that all is well
            check_composed(verl_words(config))
    return VerlRun(config, data, [f"{_in_our_words(one.setting)}: {one.text}" for one in found if one.level != "error"])


def train_with_verl(config: VerlTrainConfig, *, resume: bool = False, quiet: bool = False) -> Path:
    """Train a policy with verl, which says on stdout how it goes, and keep the record of the run.

    Args:
        config: what to do.
        resume: go on from the newest checkpoint, on the data that the run began with.
        quiet: verl's words go to stderr.

    Returns:
        Folder of verl's checkpoints.

    Raises:
        HeroError: settings or data are wrong, or verl failed.
    """
    with run_folder(absolute(config), resume):
        run = check_verl_run(config)
        for warning in run.warnings:
            print(warning, file=sys.stderr)
        folder = Path(run.config.output_dir)
        command = train_command(run.config, resume=resume)
        launch(run.config, command, lambda: _write_data(run), quiet=quiet)
        return folder / "checkpoints"


def train_command(config: VerlTrainConfig, *, resume: bool = False) -> Command:
    """Verl's program and every one of its overrides."""
    # verl's trainer is a worker of Ray, which has our environment only where this run starts Ray itself.
    to_workers = {f"ray_kwargs.ray_init.runtime_env.env_vars.{METRICS_FILE}": metrics_file(config.output_dir)}
    words = [*verl_words(config, resume=resume), *hydra_words(to_workers, add=True)]
    return Command([sys.executable, "-m", MODULE, *words], {})


def _write_data(run: VerlRun) -> None:
    """The prompts in verl's layout; files that a run began with are kept."""
    if not run.data or Path(place(run.config, "train")).exists():
        return
    assert run.config.data is not None
    with whole_files([place(run.config, which) for which in run.data]) as files:
        for (which, rows), file in zip(run.data.items(), files, strict=True):
            source = run.config.data.train if which == "train" else run.config.data.eval
            _verl_rows(rows, run.config.data, str(source), which).to_parquet(file)


def _verl_rows(rows: Any, data: DataConfig, source: str, which: str) -> Any:
    """A dataset in the layout of `verl/utils/dataset/rl_dataset.py`."""
    from datasets import Dataset

    return Dataset.from_list(
        [
            {
                "prompt": row["prompt"],
                "data_source": row[data.domain_column] if data.domain_column else Path(source).stem,
                "reward_model": {"style": "rule", "ground_truth": row[data.reference_column]},
                "extra_info": {"index": number, "split": which},
                **({WHOLE_ROW: row[WHOLE_ROW]} if WHOLE_ROW in row else {}),
            }
            for number, row in enumerate(rows)
        ]
    )


def _has(data: Any, which: str) -> bool:
    return which == "train" or data.eval is not None


def _in_our_words(setting: str) -> str:
    """An objection's setting as the configuration of `hero train` names it."""
    return setting.removeprefix("hero.") if setting.startswith("hero.") else f"verl.{setting}"
