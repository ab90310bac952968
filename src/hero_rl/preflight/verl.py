"""What is wrong with a trainer's settings before a run: those under which HERO does nothing, or cannot work.

    for objection in verl_objections(config, rule=Hero(), own_reward_model=False):
        print(objection)

Pure functions of settings, so that they cost nothing and need no trainer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hero_rl.rules import Rule

__all__ = ["NestedSettings", "Objection", "verl_objections"]

_OF_VERL = ("sync", "colocate_async", "separate_async")
_MODES = tuple(f"hero_{mode}" for mode in _OF_VERL)
_GROUP_RELATIVE = ("grpo", "grpo_vectorized", "grpo_passk", "rloo", "rloo_vectorized")


@dataclass(frozen=True)
class Objection:
    """One thing to know about a trainer's settings.

    Attributes:
        level: `error` if the run would not be what was asked for, `warning` if a setting has no effect or a price.
        setting: its dotted name in the trainer's configuration.
        text: what is wrong with its value, and what to do.
    """

    level: Literal["error", "warning"]
    setting: str
    text: str

    def __str__(self) -> str:
        return f"{self.level}: {self.setting}: {self.text}"


def verl_objections(config: Mapping[str, Any], *, rule: Rule, own_reward_model: bool) -> list[Objection]:
    """Objections to verl's settings (verl 0.9.1, `verl/trainer/config/ppo_trainer.yaml`).

    Args:
        config: the whole configuration as nested mappings; what it does not name is taken to be verl's default.
        rule: the rule of the run.
        own_reward_model: whether the block `hero.reward_model` names one.
    """
    settings = NestedSettings(config)
    return [
        *_on_the_trainer(settings),
        *_on_the_advantage(settings, rule),
        *_on_the_reward(settings),
        *_on_the_reward_model(settings, rule, own_reward_model),
    ]


class NestedSettings:
    """Nested mappings, read by dotted name."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config

    def get(self, name: str, default: Any = None) -> Any:
        """The value, or the default where there is none."""
        node: Any = self._config
        for key in name.split("."):
            node = node.get(key) if isinstance(node, Mapping) else None
        return default if node is None else node


def _on_the_trainer(settings: NestedSettings) -> Iterator[Objection]:
    if not settings.get("trainer.use_v1", True):
        yield Objection("error", "trainer.use_v1", "HERO works in verl's v1 trainer alone: set it to true")
    mode = settings.get("trainer.v1.trainer_mode", "sync")
    if mode not in _MODES:
        yield Objection(
            "error",
            "trainer.v1.trainer_mode",
            f"{mode} hands no verdicts and scores to any rule: set it to hero_{mode if mode in _OF_VERL else 'sync'}",
        )
    if settings.get("critic.enable", False):
        yield Objection(
            "warning", "critic.enable", "HERO's advantages do not come from a critic, which would train idly"
        )


def _on_the_advantage(settings: NestedSettings, rule: Rule) -> Iterator[Objection]:
    estimator = settings.get("algorithm.adv_estimator", "gae")
    divides = settings.get("algorithm.norm_adv_by_std_in_grpo", True)
    if estimator != "hero":
        cancels = estimator in _GROUP_RELATIVE and divides
        why = (
            "; and with norm_adv_by_std_in_grpo a prompt's weight and a band's width would cancel in any reward"
            if cancels
            else ""
        )
        yield Objection("error", "algorithm.adv_estimator", f"{estimator} ignores the rule: set it to hero{why}")
    elif not divides and getattr(rule, "scale", "none") == "group":
        yield Objection(
            "warning",
            "algorithm.norm_adv_by_std_in_grpo",
            "false has no effect here: hero.rule.scale=group divides by the group's standard deviation",
        )
    if settings.get("algorithm.filter_groups.enable", False):
        yield Objection(
            "error",
            "algorithm.filter_groups.enable",
            "it drops the groups that the verifier is silent on, which are those that HERO is for: set it to false",
        )
    rollouts = settings.get("actor_rollout_ref.rollout.n", 1)
    if isinstance(rollouts, int) and rollouts < 2:  # an interpolation is known once hydra has composed it
        yield Objection(
            "error",
            "actor_rollout_ref.rollout.n",
            f"{rollouts} rollout a prompt has no advantage within its group: set it to at least 2 (the paper's is 8)",
        )


def _on_the_reward(settings: NestedSettings) -> Iterator[Objection]:
    name = settings.get("reward.reward_manager.name", "naive")
    path = str(settings.get("reward.reward_manager.module.path", ""))
    source = settings.get("reward.reward_manager.source", "register")
    if source != "importlib" or name != "HeroRewardManager":
        yield Objection(
            "error",
            "reward.reward_manager",
            f"{name} from {path or source} gives no verdicts and scores: set source=importlib, "
            "name=HeroRewardManager and module.path=pkg://hero_rl.trainers.verl.reward_manager",
        )


def _on_the_reward_model(settings: NestedSettings, rule: Rule, own: bool) -> Iterator[Objection]:
    pooled = settings.get("reward.reward_model.enable", False)
    if rule.needs_score and not own and not pooled:
        yield Objection(
            "error",
            "hero.reward_model",
            f"the rule {rule.type!r} needs a reward model: name one there, or set reward.reward_model.enable=true",
        )
    if own and pooled:
        yield Objection(
            "error", "hero.reward_model", "there is one in reward.reward_model too (enable=true): leave one of them out"
        )
    if pooled:
        yield from _on_the_pool(settings)
    elif own and _type_of(settings) == "local":
        yield Objection(
            "warning",
            "hero.reward_model.type",
            f"local loads the model into each of {settings.get('reward.num_workers', 8)} reward workers "
            "(reward.num_workers), to which verl gives no GPU",
        )


def _type_of(settings: NestedSettings) -> str:
    """The kind of `hero.reward_model`, behind its cache if it has one."""
    kind = settings.get("hero.reward_model.type", "local")
    return settings.get("hero.reward_model.inner.type", "local") if kind == "cached" else kind


def _on_the_pool(settings: NestedSettings) -> Iterator[Objection]:
    """A reward model that verl itself serves."""
    if not settings.get("reward.reward_model.enable_resource_pool", False):
        yield Objection(
            "error",
            "reward.reward_model.enable_resource_pool",
            "on the policy's own GPUs verl scores without the references, so that nothing could be verified: set it "
            "to true, with n_gpus_per_node and nnodes, or serve the model elsewhere and name it in hero.reward_model",
        )
    elif settings.get("reward.reward_model.rollout.free_cache_engine", True):
        yield Objection(
            "error",
            "reward.reward_model.rollout.free_cache_engine",
            "verl puts the reward model's server to sleep when it has started, and nothing wakes it in a pool of its "
            "own: set it to false",
        )
    if settings.get("reward.custom_reward_function.path") is None:
        yield Objection(
            "error",
            "reward.custom_reward_function.path",
            "while it is null, verl asks the reward model itself and never the reward manager: set it to "
            "pkg://hero_rl.trainers.verl.reward_manager",
        )
