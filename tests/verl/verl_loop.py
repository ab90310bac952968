"""A whole run of `hero_sync` on the CPU: what needs GPUs is a script, the rest is verl's own.

Real: hydra's configuration, the trainer's loop, the queue, agent loop workers with the single-turn agent, reward
workers, padding and reordering, advantages, metrics, dumps, verl's part of a checkpoint. Stand-ins: the inference
servers, the actor's workers (which need NCCL), and what moves weights between the two.
"""

import hashlib

from verl.experimental.reward_loop import RewardLoopManager
from verl.trainer.ppo.v1 import AgentLoopManagerTQ
from verl.utils import tensordict_utils as tu
from verl.workers.rollout.replica import TokenOutput

from hero_rl.trainers.verl.trainer import HeroSyncTrainer


class Script:
    """The client of the inference servers: right, wrong and rambling answers in the byte tokenizer's ids."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.asked = 0

    async def generate(self, request_id, *, prompt_ids, **_):
        self.asked += 1
        text = self.tokenizer.decode(prompt_ids, skip_special_tokens=True)
        number = int(text.split("+")[0])
        kind = hashlib.sha256(f"{number} {self.asked}".encode()).digest()[0] % 3
        said = [f"so #### {2 * number}", f"#### {2 * number + 1}", f"well {self.asked}"][kind]
        ids = self.tokenizer(said + "<|end|>")["input_ids"][:16]
        steps = {"min_global_steps": 0, "max_global_steps": 0}
        return TokenOutput(token_ids=ids, log_probs=[-5.0] * len(ids), stop_reason="completed", extra_fields=steps)


class Actor:
    """The actor's workers on three ranks, so that batches are padded; keeps the batches that it was to learn from."""

    def __init__(self):
        self._dispatch_info = {"actor": [0, 1, 2]}
        self.learnt = []
        self.saved = []

    def update_actor(self, batch):
        self.learnt.append((list(batch.keys), list(batch.tags)))
        return tu.get_tensordict({}, non_tensor_dict={"metrics": {"mfu": 0.0, "grad_norm": 1.0}})

    def save_checkpoint(self, path, *_, **__):
        self.saved.append(path)

    def load_checkpoint(self, **_):
        pass


class Idle:
    """What moves weights to the inference servers."""

    def update_weights(self, *_):
        pass

    def sleep_replicas(self):
        pass

    def get_n_gpus(self):
        return 3


class OnCpu(HeroSyncTrainer):
    """The trainer with stand-ins for what needs GPUs."""

    def _setup(self):
        self._init_tokenizer()
        self._init_dataloader()
        self._init_dump_executor()
        self.ref_in_actor = False
        self.actor_rollout_wg = Actor()
        self.checkpoint_manager = self.resource_pool_manager = Idle()
        self._load_checkpoint()
        self.reward_loop_manager = RewardLoopManager(config=self.config)


def run(config):
    """Train as `verl.trainer.main_ppo` does once TransferQueue is up; returns the trainer."""
    import ray

    trainer = OnCpu(config)
    trainer.init()
    manager = AgentLoopManagerTQ.create(
        config=config,
        llm_client=Script(trainer.tokenizer),
        teacher_client=None,
        reward_loop_worker_handles=trainer.get_reward_handles(),
    )
    try:
        trainer.fit(manager)
    finally:
        for worker in [*manager.agent_loop_workers, *trainer.get_reward_handles()]:
            ray.kill(worker)
    return trainer
