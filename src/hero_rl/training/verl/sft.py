"""One supervised fine-tuning with verl: its own `verl.trainer.sft_trainer`, from the blocks of `hero sft`."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from hero_rl.foreign import refuse_no_folder
from hero_rl.training.configs.sft import VerlSftConfig
from hero_rl.training.configs.verl import flat
from hero_rl.training.quiet import quiet_libraries
from hero_rl.training.records import run_folder
from hero_rl.training.rows.demonstrations import load_demonstrations
from hero_rl.training.verl.command import PRECISIONS, model_settings, place
from hero_rl.training.verl.hydra_words import hydra_words
from hero_rl.training.verl.launch import METRICS_FILE, Command, absolute, launch, metrics_file, need_verl, whole_files

__all__ = ["MODULE", "check_verl_sft", "sft_command", "sft_words", "train_sft_with_verl"]

MODULE = "verl.trainer.sft_trainer"
"""verl's program."""


def sft_words(config: VerlSftConfig, *, resume: bool = False) -> list[str]:
    """Every override of the command, as hydra reads it; data is taken to lie where `place` says."""
    folder = config.output_dir
    usual = {
        "trainer.project_name": "hero-rl",
        "trainer.experiment_name": Path(folder).name,
        "trainer.logger": ["console", "file"],
    }
    own = flat(config.verl)
    settings = {
        **model_settings(config.model, "model"),
        "engine.model_dtype": PRECISIONS[config.model.dtype],
        "data.train_files": place(config, "train"),
        **({"data.val_files": place(config, "eval")} if config.data.eval else {}),
        "trainer.seed": config.seed,
        "trainer.default_local_dir": f"{folder}/checkpoints",
        "trainer.resume_mode": "auto" if resume else "disable",
        "hydra.run.dir": f"{folder}/hydra",
        **{name: value for name, value in usual.items() if name not in own},
    }
    return [*hydra_words(settings), *hydra_words(own, literal=False)]


def sft_command(config: VerlSftConfig, *, resume: bool = False) -> Command:
    """Verl's program under torchrun, and every one of its overrides."""
    processes = str(flat(config.verl).get("trainer.n_gpus_per_node", 1))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", processes]
    words = [*torchrun, "-m", MODULE, *sft_words(config, resume=resume)]
    return Command(words, {METRICS_FILE: metrics_file(config.output_dir)})


def check_verl_sft(config: VerlSftConfig, *, compose: bool = True) -> tuple[VerlSftConfig, dict[str, Any]]:
    """Check settings and data; with `compose`, have hydra compose verl's configuration, which needs verl but no GPU.

    Returns:
        The configuration, paths absolute, and the rows of `train` and `eval`.

    Raises:
        HeroError: a setting or the data is wrong.
        ModuleNotFoundError: verl is not installed.
    """
    if compose:
        need_verl()
    config = absolute(config)
    refuse_no_folder("model.path", config.model.path)
    with quiet_libraries():
        splits = ["train", *(["eval"] if config.data.eval else [])]
        data = {which: load_demonstrations(config.data, which) for which in splits}
    if compose:
        from hero_rl.trainers.verl.composed import composed

        with redirect_stdout(sys.stderr):
            composed(sft_words(config), "sft_trainer_engine")
    return config, data


def train_sft_with_verl(config: VerlSftConfig, *, resume: bool = False, quiet: bool = False) -> Path:
    """Train with verl, which says on stdout how it goes, and keep the record of the run.

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
        config, data = check_verl_sft(config)
        launch(config, sft_command(config, resume=resume), lambda: _write(config, data), quiet=quiet)
        return Path(config.output_dir) / "checkpoints"


def _write(config: VerlSftConfig, data: dict[str, Any]) -> None:
    """The demonstrations in the layout of `verl/utils/dataset/multiturn_sft_dataset.py`; older files are kept."""
    from datasets import Dataset

    if Path(place(config, "train")).exists():
        return
    with whole_files([place(config, which) for which in data]) as files:
        for rows, file in zip(data.values(), files, strict=True):
            Dataset.from_list([{"messages": [*row["prompt"], *row["completion"]]} for row in rows]).to_parquet(file)
