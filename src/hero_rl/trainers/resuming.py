"""A run that goes on from a checkpoint is the run that was never interrupted, to the last bit.

Transformers' checkpoints hold weights, optimizer, scheduler and random states. What TRL's trainers keep besides, and
lose, stands here: the order of the prompts in an epoch, the rollouts that several steps share, and what was measured
since the last log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import send_to_device
from torch.utils.data import Sampler
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR
from trl import GRPOTrainer

from hero_rl.errors import CheckpointError
from hero_rl.files.whole import replacing
from hero_rl.trainers.checkpoints import flaw, newest_whole
from hero_rl.trainers.state import STATE_FILE

if TYPE_CHECKING:
    _Base = GRPOTrainer  # RLOOTrainer has the same methods and attributes
else:
    _Base = object

__all__ = ["ExactResume"]


class ExactResume(_Base):
    """Lets a TRL trainer that inherits from it go on from a checkpoint as if nothing had happened."""

    args: Any
    _carried: dict[str, Any] | None = None

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any) -> Any:
        """Train as TRL does; True goes on from the newest checkpoint of `args.output_dir` that can be read.

        Returns:
            TRL's; `training_loss` and `train_loss` are of the whole run, also of one that was resumed.

        Raises:
            CheckpointError: the checkpoint cannot be read, or there is none.
        """
        checkpoint = resume_from_checkpoint or None
        if checkpoint is True:
            checkpoint = newest_whole(Path(self.args.output_dir), (STATE_FILE,))
            if checkpoint is None:
                raise CheckpointError(f"{self.args.output_dir}: there is no checkpoint to go on from")
        elif checkpoint is not None and (wrong := flaw(Path(checkpoint))):
            raise CheckpointError(wrong)
        self._carried = None
        done = super().train(str(checkpoint) if checkpoint else None, *args, **kwargs)
        return done._replace(training_loss=done.metrics["train_loss"])

    def _get_train_sampler(self, *args: Any) -> Any:
        return _OfEpoch(super()._get_train_sampler(*args), self._epoch)

    def _epoch(self) -> int:
        return int(self.state.epoch or 0)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self._get_output_dir(trial=trial)) / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / self._carried_file) as file:
            torch.save(self._to_carry(), file)
        self.accelerator.wait_for_everyone()  # transformers' last file must be that of the checkpoint
        super()._save_checkpoint(model, trial)

    @property
    def _carried_file(self) -> str:
        return f"hero_process_{self.args.process_index}.pt"

    def _to_carry(self) -> dict[str, Any]:
        between = self._step % (self.args.steps_per_generation * self.num_iterations) != 0
        return {
            "batching": self._batching(),
            "step": self._step,
            "rollouts": self._buffered_inputs if between else None,
            "metrics": {name: list(values) for name, values in self._metrics["train"].items()},
            "loss": self._loss.item(),
            "total_loss": self._total_loss_scalar,
            "logged": self._globalstep_last_logged,
        }

    def _batching(self) -> list[int]:
        """Another batching cuts the rollouts in another way, so that what is left of some cannot be used."""
        args = self.args
        return [args.world_size, args.per_device_train_batch_size, args.steps_per_generation, self.num_iterations]

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        file = Path(checkpoint or "") / self._carried_file
        if checkpoint is None or not file.is_file():  # one of an earlier version, or of fewer processes
            return
        try:
            carried = torch.load(file, map_location="cpu", weights_only=True)
        except (UnpicklingError, RuntimeError) as error:
            raise CheckpointError(f"{file} cannot be read: {error}") from None
        self._metrics["train"].update(carried["metrics"])
        if carried["batching"] == self._batching():
            self._step = carried["step"]
            self._buffered_inputs = send_to_device(carried["rollouts"], self.accelerator.device)
        self._carried = carried

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """TRL's; the first loss after a resume brings those since the last log: transformers begins its sums at 0."""
        loss = super().training_step(*args, **kwargs)
        if self._carried is not None:
            loss = loss + self._carried["loss"]
            self._total_loss_scalar = self._carried["total_loss"]
            self._globalstep_last_logged = self._carried["logged"]
            self._carried = None
        return loss

    def _maybe_log_save_evaluate(self, tr_loss: Any, *args: Any, **kwargs: Any) -> None:
        self._loss = tr_loss
        super()._maybe_log_save_evaluate(tr_loss, *args, **kwargs)

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Log, with the whole run's mean loss in the closing row."""
        if "train_loss" in logs:
            logs["train_loss"] = self._total_loss_scalar / max(self.state.global_step, 0.001)
        super().log(logs, *args, **kwargs)


class _OfEpoch(Sampler):
    """TRL's sampler, with an order that follows from the epoch alone and not from how many came before in a process.

    TRL draws each epoch's order from one generator, which no checkpoint holds. Accelerate hands `set_epoch` on to a
    sampler through some of its wrappers and not through all, so the sampler asks for the epoch itself.
    """

    def __init__(self, sampler: Any, epoch: Callable[[], int]) -> None:
        self._sampler, self._epoch = sampler, epoch

    def __iter__(self) -> Iterator[int]:
        if self._sampler.shuffle:
            self._sampler.generator.manual_seed(self._sampler.seed + self._epoch())
        return iter(self._sampler)

    def __len__(self) -> int:
        return len(self._sampler)
