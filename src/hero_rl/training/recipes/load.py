"""Which run a configuration describes: a file or a recipe, of one engine or the other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hero_rl.errors import ConfigError
from hero_rl.settings import lay_over, nested, none_of, read_yaml, resolve
from hero_rl.training.configs.policy import TrainConfig
from hero_rl.training.configs.sft import SftConfig, VerlSftConfig
from hero_rl.training.configs.verl import VerlTrainConfig, flat
from hero_rl.training.recipes import compose, is_recipe, like

__all__ = ["load_run", "missing_needs"]

_KINDS: dict[str, dict[str, type[BaseModel]]] = {
    "train": {"trl": TrainConfig, "verl": VerlTrainConfig},
    "sft": {"trl": SftConfig, "verl": VerlSftConfig},
}


def load_run(source: str, overrides: dict[str, Any], verb: str) -> Any:
    """Read a YAML file, or the recipe of that name where there is no such file, lay overrides over it and check it.

    Args:
        source: path or name.
        overrides: values by dotted name, as from `parse_overrides`.
        verb: `train` or `sft`.

    Returns:
        A `TrainConfig` or `VerlTrainConfig`; an `SftConfig` or `VerlSftConfig`.

    Raises:
        ConfigError: there is neither, or a setting is unknown, missing or wrong; names source and setting.
    """
    if is_recipe(source) and not Path(source).is_file():
        recipe = compose(source)
        if recipe.verb != verb:
            raise ConfigError(f"{source} is a recipe for `hero {recipe.verb}`, not for `hero {verb}`")
        missing = missing_needs(recipe.needs, overrides)
        if missing:
            lines = [f"{source}: {name}: missing; give --{name}: {what}" for name, what in missing.items()]
            raise ConfigError("\n".join(lines))
        raw = recipe.settings
    elif not Path(source).exists():
        raise ConfigError(f"{source}: no such file, and no recipe of that name{like(source)}")
    elif (Path(source) / "config.yaml").is_file():
        raise ConfigError(f"{source} is a folder; did you mean {Path(source) / 'config.yaml'}?")
    else:
        raw = read_yaml(source)
    if isinstance(raw.get("verl"), Mapping):
        raw = raw | {"verl": nested(raw["verl"])}
    kinds = _KINDS[verb]
    engine = overrides.get("engine", raw.get("engine", "trl"))
    if engine not in kinds:
        raise ConfigError(f"{source}: engine: {none_of(engine, kinds)}")
    return resolve(raw, overrides, source, kinds[engine])


def missing_needs(needs: Mapping[str, str], overrides: Mapping[str, Any]) -> dict[str, str]:
    """Settings that a recipe needs and nobody has given."""
    given = flat(lay_over({}, dict(overrides)))
    return {name: what for name, what in needs.items() if given.get(name) is None}
