"""The command `hero` with the verbs of the lab beside those of hero_rl."""

from __future__ import annotations

from hero_rl.cli import main as with_verbs

__all__ = ["main"]

_VERBS = {
    "demo": ("train a miniature with HERO and its rivals, and show who wins", "hero_lab.cli.demo"),
    "study": ("rules x regimes x reward models x seeds in the miniature, and their tables", "hero_lab.cli.study"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    return with_verbs(arguments, _VERBS)
