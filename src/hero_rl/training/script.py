"""The trainer's arguments that a Python script makes, for `hero preflight`: `my_script:args`."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import reduce
from pathlib import Path
from typing import Any

from hero_rl.errors import ConfigError

__all__ = ["is_script_object", "script_arguments"]

_OBJECT = re.compile(r"([^\W\d][\w.]*):([^\W\d][\w.]*)")


def is_script_object(name: str) -> bool:
    """Whether this is the name of an object in a module, and of no file."""
    return _OBJECT.fullmatch(name) is not None and not Path(name).exists()


def script_arguments(name: str) -> dict[str, Any]:
    """The arguments of TRL that an object holds: a `GRPOConfig`, or a mapping of its arguments.

    The module is imported, also from this folder, which runs the script but for what stands under
    `if __name__ == "__main__":`.

    Args:
        name: `module:object`.

    Raises:
        ConfigError: it cannot be imported, has no such object, or that is of another kind.
    """
    module, _, path = name.partition(":")
    with _as_a_script(module):
        try:
            imported = importlib.import_module(module)
        except (Exception, SystemExit) as error:
            said = " ".join(str(error).split()) or "no more is known"
            raise ConfigError(f"{name}: importing {module} ends in {type(error).__name__}: {said}") from error
    try:
        found = reduce(getattr, path.split("."), imported)
    except AttributeError:
        raise ConfigError(
            f'{name}: {module} has no {path}; make it outside of functions and of `if __name__ == "__main__":`'
        ) from None
    return _arguments(name, found)


def _arguments(name: str, found: Any) -> dict[str, Any]:
    from trl import GRPOConfig

    from hero_rl.trainers.trl import HeroGRPOConfig, HeroRLOOConfig

    if isinstance(found, (HeroGRPOConfig, HeroRLOOConfig)):
        raise ConfigError(
            f"{name}: it belongs to a trainer of HERO's, which takes the advantages of its rule, and no setting of "
            "TRL divides them; it checks itself, the data and the reward model when it is made"
        )
    if isinstance(found, Mapping):
        return dict(found)
    if not isinstance(found, GRPOConfig):
        raise ConfigError(
            f"{name}: a GRPOConfig is expected, or a mapping of its arguments, not {type(found).__name__}"
        )
    return {each.name: getattr(found, each.name) for each in fields(found) if each.init}


@contextmanager
def _as_a_script(module: str) -> Iterator[None]:
    """This folder can be imported from, and the arguments are none."""
    path, argv = list(sys.path), list(sys.argv)
    sys.path.insert(0, str(Path.cwd()))
    sys.argv[:] = [module]
    try:
        yield
    finally:
        sys.path[:], sys.argv[:] = path, argv
