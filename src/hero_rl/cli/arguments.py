"""How every verb reads its arguments: a dataclass for its own, and the rest left over for dotted overrides."""

from __future__ import annotations

from typing import TypeVar

import tyro

__all__ = ["parse"]

Arguments = TypeVar("Arguments")


def parse(kind: type[Arguments], argv: list[str], verb: str, epilog: str) -> tuple[Arguments, list[str]]:
    """Read a verb's arguments; its dataclass's docstring opens the help, the epilog with the examples follows.

    Returns:
        The arguments, and what the dataclass does not know, in order.
    """
    return tyro.cli(
        kind,
        args=argv,
        prog=f"hero {verb}",
        description=f"{kind.__doc__}\n{epilog}",
        return_unknown_args=True,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
