"""The block `hero` of verl's configuration: `+hero.verifier.type=math +hero.rule.alpha=0.05 ...`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from hero_rl.auditing import FittingRule
from hero_rl.errors import ConfigError
from hero_rl.reward_models import AnyRewardModel
from hero_rl.rules import AuditableRule, GatedHero
from hero_rl.settings import Block, resolve
from hero_rl.verifiers import AnyVerifier, Processes

if TYPE_CHECKING:
    from omegaconf import DictConfig

__all__ = ["HeroSettings", "plain", "read_settings"]


class HeroSettings(Block, FittingRule):
    """What HERO needs to know beside verl's own settings; each block is that of `hero train`.

    Attributes:
        verifier: judges completions.
        verifier_processes: the processes that a rule verifier runs in, of each reward worker; without `workers` the
            cores of a machine are shared between its reward workers.
        reward_model: scores them; none where verl serves one (`reward.reward_model.enable`), or the rule needs none.
        rule: combines both signals.
        auditor: judges the few rollouts that the rule `audited_hero` draws; it is asked in the driver process.
        max_unscorable: stop when more than this share of the last 256 rollouts have no verdict, or no score where the
            rule needs one.
        stop_on_alarm: alarms that end the run: of hacking, ranking, range, unscorable, missing.
    """

    verifier: AnyVerifier
    verifier_processes: Processes = Processes()
    reward_model: AnyRewardModel | None = None
    rule: AuditableRule = GatedHero()
    auditor: AnyVerifier | None = None
    max_unscorable: Annotated[float, Field(ge=0, le=1)] = 0.5
    stop_on_alarm: tuple[Literal["hacking", "ranking", "range", "unscorable", "missing"], ...] = ()


def plain(config: DictConfig) -> dict[str, Any]:
    """Verl's configuration as nested dicts, interpolations resolved."""
    from omegaconf import OmegaConf

    whole: Any = OmegaConf.to_container(config, resolve=True)
    return whole


def read_settings(config: DictConfig) -> HeroSettings:
    """Check the block `hero` of a verl configuration.

    Raises:
        ConfigError: it is missing, or a setting is unknown, missing or wrong; names the setting.
    """
    from omegaconf import OmegaConf

    block: Any = config.get("hero")
    if block is None:
        raise ConfigError("verl's configuration has no block `hero`: give at least +hero.verifier.type=math")
    raw: Any = OmegaConf.to_container(block, resolve=True)
    if not isinstance(raw, dict):
        raise ConfigError(f"hero: a block of settings is expected, not {raw!r}")
    return resolve(raw, {}, "hero", HeroSettings)
