"""From a trainer to a trained model and the record of its run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from accelerate import PartialState
from transformers import TrainerCallback

from hero_rl.training.records import (
    AnyRun,
    MetricsFile,
    check_folder,
    is_finished,
    latest_checkpoint,
    write_records,
)
from hero_rl.training.trl.progress import ProgressLine

__all__ = ["fit"]


def fit(
    config: AnyRun,
    arguments: Any,
    make: Callable[[list[TrainerCallback]], Any],
    *,
    resume: bool,
    progress: bool,
    shown: Mapping[str, str] | None = None,
    needed: Sequence[str] = (),
    callbacks: Sequence[TrainerCallback] = (),
    begun: Callable[[], object] = lambda: None,
    finish: Callable[[Any], object] = lambda trainer: None,
    finished: str = "model/training_args.bin",
) -> Path:
    """Train, keep the record in `config.output_dir`, and save the model there.

    Args:
        config: of the run.
        arguments: TRL's.
        make: the trainer, given its callbacks.
        resume: go on from the newest complete checkpoint; a finished run is left as it is.
        progress: show a progress line.
        shown: its signals, see `ProgressLine`.
        needed: files that a checkpoint must have besides the trainer's state.
        callbacks: more callbacks.
        begun: called once the model is loaded, with the record of the run.
        finish: called with the trainer when it is done, before the model is saved.
        finished: file of the run's folder that is written last. Of a model transformers writes its arguments last: a
            save that was killed lacks them.

    Returns:
        Folder of the trained model.
    """
    folder = Path(config.output_dir)
    main = arguments.process_index == 0
    if main:
        check_folder(config, resume)
    checkpoint = latest_checkpoint(folder, needed) if resume else None
    if checkpoint and is_finished(checkpoint, arguments.max_steps) and (folder / finished).is_file():
        return folder / "model"
    line = (ProgressLine() if shown is None else ProgressLine(shown=shown)) if progress else None
    trainer = make([MetricsFile(folder / "metrics.jsonl"), *([line] if line else []), *callbacks])
    if main:  # only now: a model that cannot be loaded leaves no run behind
        write_records(config)
        begun()
    PartialState().wait_for_everyone()
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        if line is not None:
            line.close()
    finish(trainer)
    trainer.save_model(str(folder / "model"))
    return folder / "model"
