"""verl's trainers with a combination rule: `trainer.v1.trainer_mode=hero_sync`, or an asynchronous one.

    hero_sync             generation, then an update, in turn
    hero_colocate_async   both on the same GPUs; rollouts that were not finished go on with the next weights
    hero_separate_async   on GPUs of their own, at the same time

A rollout of an asynchronous run may be of older weights, or of several; its verdict, its score and its group are its
own, so that nothing here differs: groups are told apart by verl's `uid`, whatever batch they end in.

Generation, the KL penalty, rollout correction, the loss, logging and checkpoints are verl's own
(`verl/trainer/ppo/v1/trainer_base.py`). `_compute_advantage` reads what the reward manager said of each rollout and
lets the estimator `hero` see it; it runs in the one driver process, so that the result does not depend on how the batch
is sharded. An auditor is asked there too. Validation never comes through it, and so never moves the state.

Works with verl 0.9.1.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import transfer_queue as tq
from omegaconf import DictConfig, open_dict
from verl.trainer.ppo.v1.trainer_base import PPOTrainer, register_trainer
from verl.trainer.ppo.v1.trainer_colocate_async import PPOTrainerColocateAsync
from verl.trainer.ppo.v1.trainer_separate_async import PPOTrainerSeparateAsync
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync

from hero_rl.auditing import Auditor, auditor_for
from hero_rl.errors import AlarmError, ConfigError
from hero_rl.monitoring import batch_metrics
from hero_rl.monitoring.unscorable import UnscorableWindow, lost_of, missing_scores
from hero_rl.monitoring.watch import Watch
from hero_rl.reward_models import check_servers
from hero_rl.rules import State
from hero_rl.signals import Shaped
from hero_rl.trainers.state import read_state, state_metrics, write_state
from hero_rl.trainers.verl.checks import check_nodes, check_settings
from hero_rl.trainers.verl.estimator import Handover, handed_over
from hero_rl.trainers.verl.facts import columns_of, counted, described, for_validation
from hero_rl.trainers.verl.items import items_in_queue
from hero_rl.trainers.verl.reward_models import served_by_verl
from hero_rl.trainers.verl.sessions import Sessions, sessions_of
from hero_rl.trainers.verl.settings import read_settings
from hero_rl.verifiers import in_processes
from hero_rl.verifiers.base import takes_requests

__all__ = ["HeroColocateAsyncTrainer", "HeroSeparateAsyncTrainer", "HeroSyncTrainer"]

_Trainer = PPOTrainer if TYPE_CHECKING else object


class _HeroMixin(_Trainer):
    """A combination rule for one of verl's trainers, which stands behind it in the bases.

    Args:
        config: verl's configuration with the block `hero`, see `HeroSettings`. `trainer.v1.trainer_mode` becomes
            verl's own word in it, which its base class compares with in a dozen places.

    Attributes:
        mode: that word.

    Raises:
        ConfigError: settings, Ray's workers or the reward model's endpoint are not fit for HERO; before any GPU is
            taken.
    """

    mode: ClassVar[str]

    def __init__(self, config: DictConfig) -> None:
        self.hero = read_settings(config)
        check_settings(config, self.hero)
        check_servers(self.hero.reward_model)
        check_nodes()
        self.rule = self.hero.rule
        self.rule_state: State = self.rule.init()
        asked = self.hero.auditor and in_processes(self.hero.auditor, self.hero.verifier_processes)
        self.auditor = auditor_for(self.rule, asked)
        self.watch = Watch(self.hero.stop_on_alarm, scored=self.rule.needs_score)
        self._window = UnscorableWindow(self.hero.max_unscorable)
        self._columns: dict[str, dict[str, Any]] = {}
        with open_dict(config):
            config.trainer.v1.trainer_mode = self.mode
        super().__init__(config)

    def on_init_end(self) -> None:
        """Check the reward model that verl serves, which is up by now, before the first rollout."""
        address = self.reward_loop_manager.reward_router_address
        if address is not None:
            check_servers(served_by_verl(self.config.reward.reward_model, address))
        super().on_init_end()

    def _compute_advantage(self, batch: Any, metrics: dict[str, Any]) -> Any:
        sessions = self._sessions(batch)
        if self.auditor is not None:
            sessions = self._audited(self.auditor, sessions, batch, metrics)
        handed = Handover(self.rule, self.rule_state, sessions)
        with handed_over(handed):
            batch = super()._compute_advantage(batch, metrics)
        if handed.shaped is None or handed.after is None:
            raise ConfigError("algorithm.adv_estimator: verl did not ask the estimator `hero` for advantages")
        metrics.update(self._metrics_of(sessions, handed.shaped, handed.after))
        if self.local_trigger_step == 0:  # the first of the updates that are dumped together
            self._columns = {}
        self._columns |= described(batch.keys, sessions, handed.shaped)
        lost = lost_of(sessions.signals, handed.shaped, needs_score=self.rule.needs_score)
        reasons = dict(Counter(facts.get("reason") for facts in sessions.facts))
        missing = int(missing_scores(sessions.signals).sum())
        about = f"in the last batch: verifier's reasons {reasons}, {missing} without a score of the reward model"
        self._window.add(lost, len(sessions.facts), about)
        self.rule_state = handed.after
        return batch

    def _sessions(self, batch: Any) -> Sessions:
        data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=["extra_fields"])
        extra_fields = [getattr(row, "data", row) for row in data["extra_fields"]]
        return sessions_of(batch.keys, batch.tags, extra_fields)

    def _audited(self, auditor: Auditor, sessions: Sessions, batch: Any, metrics: dict[str, Any]) -> Sessions:
        """The batch with the auditor's word on the rollouts that the rule draws, of each on its last output."""
        drawn = auditor.drawn(sessions.signals, self.rule_state)
        rows: list[int] = sessions.last_row[drawn].tolist()
        keys = [batch.keys[row] for row in rows]
        items = items_in_queue(keys, batch.partition_id, self.tokenizer, takes_requests(auditor.verifier))
        audit = auditor.verdicts(drawn, list(zip(*items, strict=True)))
        metrics.update(auditor.metrics(drawn, audit))
        return replace(sessions, signals=replace(sessions.signals, audit=audit.to(sessions.signals.verdict)))

    def _metrics_of(self, sessions: Sessions, shaped: Shaped, after: State) -> dict[str, float]:
        signals = sessions.signals
        reward = shaped.reward[~shaped.reward.isnan()]
        metrics = {
            "reward": reward.mean().item(),
            "reward_std": reward.std().item() if len(reward) > 1 else 0.0,
            "rewards/verifier/mean": signals.verdict.nanmean().item(),
            "rewards/reward_model/mean": signals.score.nanmean().item(),
            **batch_metrics(signals, shaped),
            **state_metrics(self.rule_state, after),
            **counted(sessions.facts),
        }
        alarms, last = self.watch.batch(signals, metrics["hero/rm_auroc"])
        if last is not None:
            raise AlarmError(f"the alarm {last!r} is on, which ends the run (hero.stop_on_alarm)")
        return metrics | alarms

    def _save_checkpoint(self) -> None:
        # Before verl's own files: a checkpoint that verl's tracker names is then complete for HERO.
        folder = Path(self.config.trainer.default_local_dir) / f"global_step_{self.global_steps}"
        self.watch.settle()
        write_state(folder, self.rule, self.rule_state, self.watch.state)
        super()._save_checkpoint()

    def _load_checkpoint(self) -> None:
        super()._load_checkpoint()
        if self.global_steps == 0:
            return
        trainer = self.config.trainer
        latest = Path(trainer.default_local_dir) / f"global_step_{self.global_steps}"
        folder = trainer.resume_from_path if trainer.resume_mode == "resume_path" else latest
        self.rule_state, self.watch.state = read_state(folder, self.rule)

    def _val_metrics_update(
        self, data_sources: Any, sample_uids: Any, reward_extra_infos_dict: Any, *rest: Any, **more: Any
    ) -> dict[str, float]:
        measured = for_validation(reward_extra_infos_dict)
        judged = [verdict for verdict in reward_extra_infos_dict.get("verdict", []) if not math.isnan(verdict)]
        if judged:
            self.watch.evaluation(sum(judged) / len(judged))
        return super()._val_metrics_update(data_sources, sample_uids, measured, *rest, **more)

    def _dump_generations(self, *, reward_extra_infos_dict: Any, **arguments: Any) -> None:
        more = columns_of(reward_extra_infos_dict["uid"], self._columns)
        super()._dump_generations(reward_extra_infos_dict=reward_extra_infos_dict | more, **arguments)


@register_trainer("hero_sync")
class HeroSyncTrainer(_HeroMixin, PPOTrainerSync):
    """verl's `PPOTrainerSync` with a combination rule; see `_HeroMixin`."""

    mode = "sync"


@register_trainer("hero_colocate_async")
class HeroColocateAsyncTrainer(_HeroMixin, PPOTrainerColocateAsync):
    """verl's `PPOTrainerColocateAsync` with a combination rule; see `_HeroMixin`."""

    mode = "colocate_async"


@register_trainer("hero_separate_async")
class HeroSeparateAsyncTrainer(_HeroMixin, PPOTrainerSeparateAsync):
    """verl's `PPOTrainerSeparateAsync` with a combination rule; see `_HeroMixin`.

    The rule sees a mini-batch at a time, as verl's own advantages do there; `sigma_bar` moves with each.
    """

    mode = "separate_async"
