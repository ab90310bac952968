"""From a trainer to a trained model and the record of its run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from accelerate import PartialState
from safetensors import SafetensorError
from transformers import PrinterCallback, TrainerCallback
from transformers.trainer_callback import ProgressCallback

from hero_rl.trainers.checkpoints import flaw, newest_whole
from hero_rl.training.records import AnyRun, MetricsFile, is_finished, run_folder, write_records
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
) -> Path:
    """Train, keep the record in `config.output_dir`, and save the model there.

    Args:
        config: of the run.
        arguments: TRL's.
        make: the trainer, given its callbacks.
        resume: go on from the newest checkpoint that can be read; a finished run is left as it is.
        progress: show a progress line.
        shown: its signals, see `ProgressLine`.
        needed: files that a checkpoint must have besides the trainer's state.
        callbacks: more callbacks.

    Returns:
        Folder of the trained model.
    """
    folder = Path(config.output_dir)
    main = arguments.process_index == 0
    with run_folder(config, resume, main):
        checkpoint = newest_whole(folder, needed) if resume else None
        # What transformers writes last of a model: a save that was killed lacks it.
        whole = not flaw(folder / "model", ("training_args.bin",))
        if checkpoint and is_finished(checkpoint, arguments.max_steps) and whole:
            return folder / "model"
        line = (ProgressLine() if shown is None else ProgressLine(shown=shown)) if progress else None
        trainer = make([MetricsFile(folder / "metrics.jsonl"), *([line] if line else []), *callbacks])
        for noisy in (PrinterCallback, ProgressCallback):
            trainer.remove_callback(noisy)
        if main:  # only now: a model that cannot be loaded leaves no run behind
            write_records(config)
        PartialState().wait_for_everyone()
        try:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        except (SafetensorError, RuntimeError) as error:
            if not any(sign in str(error) for sign in ("I/O error", "failed writing")):
                raise
            raise OSError(f"{folder}: {error}") from error  # a full disk, as the libraries say it
        finally:
            if line is not None:
                line.close()
        trainer.save_model(str(folder / "model"))
        return folder / "model"
