"""What-if: the logged rollouts under other settings of HERO."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
import yaml
from jaxtyping import Bool, Float
from pydantic import ValidationError
from torch import Tensor

from hero_rl.diagnosis.bands import saturated
from hero_rl.diagnosis.log import RolloutLog
from hero_rl.diagnosis.numbers import SweepRow
from hero_rl.diagnosis.replay import Replay, mass_shares, replay, uniform_share
from hero_rl.diagnosis.table import GroupTable
from hero_rl.diagnosis.trends import spearman
from hero_rl.errors import ConfigError
from hero_rl.rules import Groups, Hero

__all__ = ["parse_sweep", "sweep"]

_MOST = 200  # settings of one sweep


def parse_sweep(axes: Sequence[str], base: Hero) -> list[tuple[dict[str, Any], Hero]]:
    """The grid behind `alpha=0.02,0.05 scale=none,group`: what differs from the base rule, and the rule.

    Raises:
        ConfigError: an axis is no setting of HERO or has no values, a rule is invalid, or there are over 200.
    """
    values: dict[str, list[Any]] = {}
    for axis in axes:
        name, _, listed = axis.partition("=")
        if name not in Hero.model_fields or name == "type" or name in values:
            known = ", ".join(field for field in Hero.model_fields if field != "type")
            raise ConfigError(f"--sweep {axis}: a setting of HERO with its values is expected, once each: {known}")
        values[name] = [_value(text, axis) for text in listed.split(",")]
    grid = [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())] if values else []
    if len(grid) > _MOST:
        raise ConfigError(f"--sweep: {len(grid)} settings are more than {_MOST}")
    return [(point, _rule(point, base)) for point in grid]


def _value(text: str, axis: str) -> Any:
    try:
        value = yaml.safe_load(text)
        return float(value) if isinstance(value, str) and value[:1].isdigit() else value  # 1e-6 is text to YAML 1.1
    except (yaml.YAMLError, ValueError):
        raise ConfigError(f"--sweep {axis}: {text!r} is no value") from None


def _rule(point: dict[str, Any], base: Hero) -> Hero:
    try:
        return Hero.model_validate(base.model_dump() | point)
    except ValidationError as error:
        said = ", ".join(f"{name}={value}" for name, value in point.items())
        mistake = error.errors()[0]
        where = ".".join(map(str, mistake["loc"]))
        message = mistake["msg"].removeprefix("Value error, ")
        raise ConfigError(f"--sweep: {said}: {where}{': ' if where else ''}{message}") from None


def sweep(
    log: RolloutLog,
    table: GroupTable,
    grid: Sequence[tuple[dict[str, Any], Hero]],
    base: Replay,
    progress: Callable[[], object] = lambda: None,
) -> list[SweepRow]:
    """Replay the log under every rule of a grid; `base` is what the advantages are ranked against."""
    rows = []
    for point, rule in grid:
        played = replay(log, rule)
        shares = mass_shares(played.advantage, table)
        agreement, starved = sign_agreement(played.advantage, log.label, table)
        rows.append(
            SweepRow(
                settings=point,
                uniform=uniform_share(shares),
                all_correct=shares["all_correct"],
                all_incorrect=shares["all_incorrect"],
                agreement=agreement,
                agreement_starved=starved,
                rank_correlation=spearman(played.advantage, base.advantage),
                saturated=saturated(played, table, rule),
            )
        )
        progress()
    return rows


def sign_agreement(
    advantage: Float[Tensor, " B"], label: Float[Tensor, " B"], table: GroupTable
) -> tuple[float, float]:
    """Share of the advantages whose sign is that of the label, where a group's labels differ.

    In a group whose labels are all the same no sign is right or wrong. Returns the share over all such groups, and over
    those of them that the verifier calls uniform; NaN where there is none.
    """
    groups: Groups = table.groups
    label_mixed = groups.spread((groups.count(label == 1) > 0) & (groups.count(label == 0) > 0))
    counted = label_mixed & ~label.isnan() & (advantage != 0)
    agrees = (advantage > 0) == (label == 1)
    return _share(agrees, counted), _share(agrees, counted & groups.spread(table.kinds.uniform))


def _share(part: Bool[Tensor, " B"], whole: Bool[Tensor, " B"]) -> float:
    return (part & whole).sum().item() / whole.sum().item() if bool(torch.any(whole)) else float("nan")
