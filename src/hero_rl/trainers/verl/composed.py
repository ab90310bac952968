"""A run's overrides, composed by hydra and checked by verl and by HERO, as `verl.trainer.main_ppo` would; no GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import verl
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from verl.trainer.ppo.utils import need_critic, need_reference_policy
from verl.utils.config import validate_config

from hero_rl.errors import ConfigError
from hero_rl.trainers.verl.checks import check_settings
from hero_rl.trainers.verl.settings import read_settings

if TYPE_CHECKING:
    from omegaconf import DictConfig

__all__ = ["check_composed", "composed"]

_FOLDER = Path(str(verl.__file__)).parent / "trainer" / "config"


def composed(overrides: list[str], program: str = "ppo_trainer") -> DictConfig:
    """Verl's configuration under overrides.

    Args:
        overrides: in hydra's grammar.
        program: name of the configuration in verl's folder `trainer/config`.

    Raises:
        ConfigError: hydra refuses one; names it.
    """
    try:
        with initialize_config_dir(str(_FOLDER), version_base=None):
            return compose(program, overrides=overrides)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(f"verl: {error}") from error


def check_composed(overrides: list[str]) -> None:
    """Compose, and have verl and HERO check the result.

    Raises:
        ConfigError: hydra, verl or HERO refuses it.
    """
    config = composed(overrides)
    try:
        validate_config(config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))
    except (AssertionError, ValueError, TypeError, HydraException, OmegaConfBaseException) as error:
        raise ConfigError(f"verl: {error}") from error
    check_settings(config, read_settings(config))
