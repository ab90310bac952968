"""Run by torchrun in two processes: trains three groups of four a step, six rollouts a rank, and writes what it saw."""

import json
import sys
from pathlib import Path

from parts import LoudnessModel, ParityVerifier, config, prompts

from hero_rl.rules import Hero
from hero_rl.trainers.trl import HeroGRPOTrainer


class Recorder(HeroGRPOTrainer):
    """Keeps the advantages that this rank's loss will see."""

    seen: list[list[float]]

    def _generate_and_score_completions(self, inputs):
        output = super()._generate_and_score_completions(inputs)
        self.seen.append(output["advantages"].tolist())
        return output


def main(policy: str, folder: Path) -> None:
    trainer = Recorder(
        model=policy,
        verifier=ParityVerifier(abstain=5),
        reward_model=LoudnessModel(missing=7),
        rule=Hero(),
        args=config(output_dir=str(folder), per_device_train_batch_size=6, max_steps=2, ddp_backend="gloo"),
        train_dataset=prompts(9),
    )
    trainer.seen = []
    trainer.train()
    rank = trainer.accelerator.process_index
    record = {
        "world": trainer.accelerator.num_processes,
        "advantages": trainer.seen,
        "state": trainer.rule_state.model_dump(),
        "monitor": trainer.watch.state.model_dump(),
        "log": trainer.state.log_history,
    }
    (folder / f"rank{rank}.json").write_text(json.dumps(record))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
