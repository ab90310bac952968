"""What is inert or dangerous in a trainer's settings, before any run: the code behind `hero preflight`.

    for objection in preflight("config.yaml").objections:
        print(objection)

Three kinds of settings are told apart by their keys: a configuration of `hero train`, verl's own settings, and
arguments of TRL's `GRPOConfig`, where HERO's reward is taken to be a reward function, also of a Python script.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hero_rl.errors import ConfigError, DataError
from hero_rl.preflight.advantage_functions import AdvantageFunction, trl_advantages, verl_advantages
from hero_rl.preflight.probing import Names, advantages_of_rewards, advantages_of_rule, probe
from hero_rl.preflight.verl import Objection, verl_objections
from hero_rl.preflight.weight_transfer import transfer_objections
from hero_rl.reward_models import AnyRewardModel, check_servers
from hero_rl.rules import Hero
from hero_rl.settings import lay_over, read_yaml, resolve
from hero_rl.trainers.verl.settings import HeroSettings
from hero_rl.training.configs.policy import TrainConfig
from hero_rl.training.configs.verl import VerlTrainConfig, flat
from hero_rl.training.quiet import quiet_libraries
from hero_rl.training.references import reference_objections
from hero_rl.training.rows.prompts import load_prompts
from hero_rl.training.script import is_script_object, script_arguments
from hero_rl.training.trl.policy import check
from hero_rl.training.verl.command import objections, verl_settings

__all__ = ["Preflight", "preflight"]

Kind = Literal["hero", "trl", "verl"]

_TRL_ROLLOUTS = 8  # `num_generations` unless told otherwise


@dataclass(frozen=True)
class Preflight:
    """What was found.

    Attributes:
        kind: whose settings the file has.
        objections: errors first.
    """

    kind: Kind
    objections: list[Objection]


def preflight(path: str | Path, overrides: Mapping[str, Any] | None = None, *, offline: bool = False) -> Preflight:
    """Find what is inert or dangerous in a file of settings, or in the `GRPOConfig` of a script.

    Args:
        path: a YAML file; nested blocks or dotted names. Or `module:object`, which imports the module.
        overrides: settings by dotted name that take the place of the file's.
        offline: ask no reward model's server.

    Raises:
        ConfigError: the file is no mapping of settings, or there is no such object.
    """
    with quiet_libraries():
        raw = script_arguments(str(path)) if is_script_object(str(path)) else read_yaml(path)
        settings = lay_over(lay_over({}, raw), dict(overrides or {}))
        kind = _kind(settings)
        found = {"hero": _on_hero, "trl": _on_trl, "verl": _on_verl}[kind](settings, str(path), offline)
        return Preflight(kind, sorted(found, key=lambda objection: objection.level))


def _kind(settings: Mapping[str, Any]) -> Kind:
    if isinstance(settings.get("algorithm"), Mapping) or "actor_rollout_ref" in settings:
        return "verl"
    return "hero" if {"data", "verifier"} & settings.keys() else "trl"


def _on_hero(settings: dict[str, Any], path: str, offline: bool) -> Iterator[Objection]:
    if settings.get("engine") == "verl":
        yield from _on_verl_engine(settings, path, offline)
        return
    try:
        config = resolve(settings, {}, path, TrainConfig)
        run = check(config)
        rollouts = run.arguments.num_generations or 1
    except (ConfigError, ValueError) as error:
        yield from (Objection("error", "settings", line) for line in str(error).splitlines())
        return
    if isinstance(config.rule, Hero):
        yield from probe(advantages_of_rule(rollouts, config.rule), rollouts, Names("rule.scale", "set it to none"))
    if "scale_rewards" in config.trl:
        yield Objection("warning", "trl.scale_rewards", "it has no effect: rule.scale takes its place")
    if config.rule.type == "verifier_only" and config.reward_model is not None:
        yield Objection("warning", "reward_model", "it is scored and logged, and no gradient depends on it")
    yield from reference_objections(config, run.train_dataset[config.data.reference_column])
    yield from _on_server(config.reward_model, offline)


def _on_verl_engine(settings: dict[str, Any], path: str, offline: bool) -> Iterator[Objection]:
    """A configuration of `hero train` for verl."""
    try:
        config = resolve(settings, {}, path, VerlTrainConfig)
    except ConfigError as error:
        yield from (Objection("error", "settings", line) for line in str(error).splitlines())
        return
    yield from objections(config)
    yield from _on_references(config)
    yield from transfer_objections(verl_settings(config), offline=offline)
    rollouts = flat(config.verl).get("actor_rollout_ref.rollout.n", 1)
    if isinstance(config.rule, Hero) and isinstance(rollouts, int) and rollouts > 1:
        yield from probe(advantages_of_rule(rollouts, config.rule), rollouts, Names("rule.scale", "set it to none"))
    yield from _on_server(config.reward_model, offline)


def _on_references(config: VerlTrainConfig) -> Iterator[Objection]:
    """References in a local file that the verifier cannot read; nothing is fetched from the Hub for it."""
    if config.data is None or not isinstance(config.data.train, str) or not Path(config.data.train).is_file():
        return
    try:
        dataset = load_prompts(config.data, "train", config.verifier, config.rule, config.auditor)
    except DataError as error:
        yield Objection("error", "data.train", str(error))
        return
    yield from reference_objections(config, dataset[config.data.reference_column])


def _on_server(block: AnyRewardModel | None, offline: bool) -> Iterator[Objection]:
    """A server that squeezes its scores, has other labels or does not answer."""
    if not offline:
        try:
            check_servers(block)
        except ConfigError as error:
            yield Objection("error", "reward_model", str(error).removeprefix("reward_model: "))


def _on_trl(settings: dict[str, Any], path: str, offline: bool) -> Iterator[Objection]:
    rollouts = settings.get("num_generations", _TRL_ROLLOUTS)
    yield from _probed(
        lambda: trl_advantages(settings, rollouts), rollouts, Hero(), Names("scale_rewards", 'set it to "none"')
    )


def _on_verl(settings: dict[str, Any], path: str, offline: bool) -> Iterator[Objection]:
    block = settings.get("hero")
    rule, reward_model = Hero(), None
    if block is not None:  # without one, what its own estimator makes of HERO's reward is still worth knowing
        try:
            ours = resolve(block, {}, "hero", HeroSettings)
        except ConfigError as error:
            yield from (Objection("error", "hero", line) for line in str(error).splitlines())
            return
        rule, reward_model = ours.rule, ours.reward_model
        yield from _on_server(reward_model, offline)
    algorithm = settings.get("algorithm") or {}
    estimator, divides = algorithm.get("adv_estimator", "gae"), algorithm.get("norm_adv_by_std_in_grpo", True)
    rollouts = ((settings.get("actor_rollout_ref") or {}).get("rollout") or {}).get("n", 1)
    yield from verl_objections(settings, rule=rule, own_reward_model=reward_model is not None)
    yield from transfer_objections(settings, offline=offline)
    if not isinstance(rule, Hero) or not isinstance(rollouts, int) or rollouts < 2:
        return
    if estimator == "hero":
        yield from probe(advantages_of_rule(rollouts, rule), rollouts, Names("hero.rule.scale", "set it to none"))
    else:
        names = Names("algorithm.norm_adv_by_std_in_grpo", "set it to false, or use the estimator hero")
        yield from _probed(lambda: verl_advantages(estimator, divides, rollouts), rollouts, rule, names)


def _probed(function: Callable[[], AdvantageFunction], rollouts: int, rule: Hero, names: Names) -> Iterator[Objection]:
    """Objections to HERO's reward given to a trainer as a reward, where its advantage function can be run."""
    try:
        yield from probe(advantages_of_rewards(function(), rollouts, rule), rollouts, names)
    except ConfigError as error:
        yield Objection("error", names.divide, str(error))
    except ModuleNotFoundError as error:
        yield Objection("warning", names.divide, f"not probed: {error}")
