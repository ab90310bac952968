"""What is checked before verl takes a GPU: settings, the plugin in Ray's workers, the reward model's endpoint."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray

from hero_rl.errors import ConfigError
from hero_rl.preflight import transfer_objections, verl_objections
from hero_rl.trainers.verl.settings import HeroSettings, plain

if TYPE_CHECKING:
    from omegaconf import DictConfig

__all__ = ["check_nodes", "check_settings"]

_SECONDS_TO_ANSWER = 300.0  # a worker's start and its import of verl, on a slow file system

_logger = logging.getLogger(__name__)


def check_settings(config: DictConfig, settings: HeroSettings) -> None:
    """Warn of settings without effect.

    Raises:
        ConfigError: there are settings under which HERO does nothing or cannot work, or verl hangs; names them all.
    """
    whole, own = plain(config), settings.reward_model is not None
    objections = [*verl_objections(whole, rule=settings.rule, own_reward_model=own), *transfer_objections(whole)]
    for objection in objections:
        if objection.level == "warning":
            _logger.warning("%s: %s", objection.setting, objection.text)
    errors = [f"{objection.setting}: {objection.text}" for objection in objections if objection.level == "error"]
    errors += _beside_trl()
    if errors:
        raise ConfigError("\n".join(["verl's settings and HERO do not fit:", *errors]))


def check_nodes() -> None:
    """Ask a worker on every node whether HERO is active there.

    Raises:
        ConfigError: it is not, on the nodes that the message names.
    """
    answers = {node["NodeManagerAddress"]: _asked(node["NodeID"]) for node in ray.nodes() if node["Alive"]}
    said = {address: _outcome(answer) for address, answer in answers.items()}
    wrong = [f"node {address}: {problem}" for address, problem in said.items() if problem]
    if wrong:
        raise ConfigError("\n".join(["hero-rl is not active in Ray's workers:", *wrong]))


def plugin_problem() -> str:
    """What keeps HERO from being active in this process, empty if it is."""
    import verl  # noqa: F401, it loads its plugins
    from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY

    if "hero" in ADV_ESTIMATOR_REGISTRY:
        return ""
    try:
        for plugin in entry_points(group="verl.plugins", name="hero"):
            plugin.load()
    except Exception as error:
        return f"{type(error).__name__}: {error} (is `hero-rl[verl]` installed there?)"
    return (
        "verl did not load the plugin `hero`: VERL_USE_EXTERNAL_PLUGINS leaves it out, or hero-rl was put on the path "
        "without being installed"
    )


def _beside_trl() -> Iterator[str]:
    """What is wrong with a TRL in the same environment, of which verl's actor wants a class that TRL has given up."""
    found = find_spec("trl")
    if found is not None and found.origin and not (Path(found.origin).parent / "experimental" / "ppo").is_dir():
        yield (
            "TRL is installed beside verl, whose actor then imports AutoModelForCausalLMWithValueHead from it, and "
            "this TRL no longer has it: give verl an environment without TRL, or with TRL 1.12"
        )


def _asked(node: str) -> Any:
    # By the node's id, so that each one answers for itself; no CPU is asked for, as all may be spoken for.
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node_id=node, soft=False)
    asked: Any = ray.remote(plugin_problem)
    return asked.options(num_cpus=0, scheduling_strategy=strategy).remote()


def _outcome(answer: Any) -> str:
    try:
        return ray.get(answer, timeout=_SECONDS_TO_ANSWER)
    except ray.exceptions.RayError as error:  # the worker cannot even unpickle the question
        return f"{type(error).__name__}: {error}"
