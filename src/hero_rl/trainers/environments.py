"""TRL's environments with a reward of their own: the reward is asked for, and handed on as a column of each row.

Works with what `environment_factory` makes of one class, or of several by name.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Sequence
from typing import Any

from hero_rl.errors import ConfigError
from hero_rl.verifiers import BatchVerifier, ByDomain, Verifier

__all__ = ["check_environments", "environment_rewards"]

_log = logging.getLogger(__name__)


def check_environments(rewarding: Sequence[str], verifier: Verifier | BatchVerifier) -> None:
    """Make sure that a reward of an environment's own has somebody who reads it, and the other way round.

    Args:
        rewarding: names of the environments' classes that define `get_reward`.
        verifier: the run's. Its attribute `reads_environment`, or that of a verifier of a domain, says that it does.

    Raises:
        ConfigError: nobody reads it, or there is nothing to read.
    """
    parts = verifier.parts if isinstance(verifier, ByDomain) else [verifier]
    reads = any(getattr(part, "reads_environment", False) for part in parts)
    if rewarding and not reads:
        raise ConfigError(
            f"the environment {rewarding[0]} has a get_reward, and the verifier does not read it: no rule combines a "
            "reward beside the verdict. verifier=EnvironmentVerifier() makes it the verdict; else leave get_reward out"
        )
    if reads and not rewarding:
        raise ConfigError(
            "the verifier reads the reward of an environment: environment_factory makes none that has one"
        )


def environment_rewards(environments: Sequence[Any], loop: asyncio.AbstractEventLoop | None) -> list[float | None]:
    """What each rollout's environment says of it; None where it fails, which is logged.

    Args:
        environments: one a rollout, after its last turn; all of them define `get_reward`.
        loop: runs in another thread; there those that are coroutines are waited for, all at once.
    """
    given = [_asked(environment) for environment in environments]
    waiting = {number: each for number, each in enumerate(given) if inspect.isawaitable(each)}
    if waiting:
        assert loop is not None, "TRL starts a loop where a get_reward is a coroutine"
        given_later = asyncio.run_coroutine_threadsafe(_all(list(waiting.values())), loop).result()
        given = [*given]
        for number, reward in zip(waiting, given_later, strict=True):
            given[number] = reward
    for each in given:
        if isinstance(each, BaseException):
            _log.error("an environment's get_reward raised; the rollout abstains", exc_info=each)
    return [None if each is None or isinstance(each, BaseException) else float(each) for each in given]


def _asked(environment: Any) -> Any:
    try:
        return environment.get_reward()
    except Exception as error:
        return error


async def _all(waiting: Sequence[Any]) -> list[Any]:
    return await asyncio.gather(*waiting, return_exceptions=True)
