"""Run by torchrun in two processes: a run of two and a half epochs, from its start or from a checkpoint."""

import sys
from pathlib import Path

from parts import trainer

from hero_rl.rules import Hero
from hero_rl.trainers.trl import HeroGRPOTrainer, HeroRLOOTrainer

KINDS = {"grpo": HeroGRPOTrainer, "rloo": HeroRLOOTrainer}


def main(kind: str, policy: str, folder: Path, checkpoint: str | None = None) -> None:
    settings = {"per_device_train_batch_size": 4, "max_steps": 13, "num_iterations": 2, "ddp_backend": "gloo"}
    settings |= {"save_strategy": "steps", "save_steps": 1, "logging_steps": 2}
    settings |= {"rollouts_dir": str(folder / "rollouts")}
    trainer(policy, folder, Hero(), kind=KINDS[kind], **settings).train(resume_from_checkpoint=checkpoint)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
