"""verl's reward manager for HERO: a verdict and a score for every rollout, NaN where there is none.

    reward.reward_manager.source=importlib reward.reward_manager.name=HeroRewardManager
    reward.reward_manager.module.path=pkg://hero_rl.trainers.verl.reward_manager
    reward.custom_reward_function.path=pkg://hero_rl.trainers.verl.reward_manager

verl makes one in each of its reward workers (`verl/experimental/reward_loop/reward_loop.py`) and hands it one rollout
at a time, many at once. Those that wait are scored together, while the next ones gather.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase
from verl.protocol import DataProto

from hero_rl.reward_models import RewardModel
from hero_rl.reward_models.loading import loaded
from hero_rl.rules import ranks_unverified
from hero_rl.scoring import Scorer
from hero_rl.trainers.verl.facts import Facts, facts_of, failed
from hero_rl.trainers.verl.items import Item, item_of
from hero_rl.trainers.verl.reward_models import served_by_verl
from hero_rl.trainers.verl.settings import HeroSettings, read_settings
from hero_rl.verifiers import Processes, in_processes
from hero_rl.verifiers.base import takes_requests
from hero_rl.verifiers.configured import needs_reference
from hero_rl.verifiers.processes.cores import own_cores

__all__ = ["HeroRewardManager", "compute_score"]


class HeroRewardManager(RewardManagerBase):
    """Scores rollouts by the verifier and the reward model of the block `hero`.

    `reward_score` is the verdict, so that verl's own metrics show what the verifier saw, NaN where it abstained. What
    fails is told in the rollout's facts and never raised: verl would go on without the rollout's group.

    Args:
        config: verl's configuration.
        tokenizer: the policy's.
        compute_score: not used; verl hands one to every reward manager.
        reward_router_address: host and port of the reward model that verl serves.
        reward_model_tokenizer: not used; the reward model's own is loaded with its settings.

    Raises:
        ConfigError: the block `hero` is missing or wrong.
    """

    def __init__(
        self,
        config: Any,
        tokenizer: Any,
        compute_score: Any = None,
        reward_router_address: str | None = None,
        reward_model_tokenizer: Any = None,
    ) -> None:
        super().__init__(config, tokenizer, compute_score)
        settings = read_settings(config)
        reward_model = _reward_model(settings, config, reward_router_address)
        processes = _shared_out(settings.verifier_processes, config)
        self.scorer = Scorer(in_processes(settings.verifier, processes), reward_model)
        self._ranks = ranks_unverified(settings.rule)
        self._queue = _Queue(self._score)

    async def run_single(self, data: DataProto) -> dict[str, Any]:
        """Reward and facts of one rollout, of which the last output is judged."""
        try:
            facts = await self._queue.put(self._item(data[-1:][0]))
        except Exception as error:
            facts = failed(error, 1)[0]
        return {"reward_score": facts["verdict"], "reward_extra_info": facts}

    def _item(self, row: Any) -> Item:
        # Outputs of one session are padded to one length, with an id that is an ordinary token for some tokenizers.
        response = row.batch["responses"][: int(row.non_tensor_batch["response_len"])]
        prompt = row.batch.get("prompts", None)
        data, verifier = row.non_tensor_batch, self.scorer.verifier
        domain = str(data.get("data_source", ""))
        needed = needs_reference(verifier, domain) and not self._ranks
        return item_of(data, prompt, response, self.tokenizer, takes_requests(verifier), needed)

    def _score(self, items: list[Item]) -> list[Facts]:
        try:
            columns = list(zip(*items, strict=True))
            return facts_of(self.scorer.score(*columns), columns[-1])
        except Exception as error:
            return failed(error, len(items))


def compute_score(**_: Any) -> float:
    """Stands where verl wants a function of `reward.custom_reward_function.path`; the reward manager never calls it."""
    raise AssertionError("HeroRewardManager scores by the block `hero`")


class _Queue:
    """Hands what waits to a function in one go, in a thread; while it works, the next batch gathers."""

    def __init__(self, work: Callable[[list[Item]], list[Facts]]) -> None:
        self._work = work
        self._waiting: list[tuple[Item, asyncio.Future[Facts]]] = []
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hero-reward")

    async def put(self, item: Item) -> Facts:
        future: asyncio.Future[Facts] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            items = [item for item, _ in batch]
            results = await asyncio.get_running_loop().run_in_executor(self._thread, self._work, items)
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():  # its caller may have given up
                    future.set_result(result)


def _reward_model(settings: HeroSettings, config: Any, address: str | None) -> RewardModel | None:
    if settings.reward_model is not None:
        return loaded(settings.reward_model)
    return served_by_verl(config.reward.reward_model, address).load() if address is not None else None


def _shared_out(processes: Processes, config: Any) -> Processes:
    """Verifier processes of one reward worker: the cores of a machine are shared between its reward workers."""
    if processes.workers is not None:
        return processes
    on_each_node = -(-config.reward.num_workers // config.trainer.nnodes)
    return processes.model_copy(update={"workers": max(1, own_cores() // on_each_node)})
