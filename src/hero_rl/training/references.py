"""Whether a run's verifier can read the run's references, as an objection before it starts."""

from __future__ import annotations

from collections.abc import Iterable

from hero_rl.preflight.verl import Objection
from hero_rl.training.configs.policy import RunConfig
from hero_rl.verifiers import check_references

__all__ = ["reference_objections"]


def reference_objections(config: RunConfig, references: Iterable[object]) -> list[Objection]:
    """A warning where references cannot be read; an error where so many that the run would stop.

    Args:
        config: the run's verifier and `max_unscorable`.
        references: those of its training prompts.
    """
    found = check_references((one for one in references if one is not None), config.verifier)
    if not found.unreadable:
        return []
    return [
        Objection("error" if found.share > config.max_unscorable else "warning", "data.reference_column", str(found))
    ]
