"""Whether a run's verifier can read the run's references, as an objection before it starts."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack

from hero_rl.preflight.verl import Objection
from hero_rl.training.configs.policy import RunConfig
from hero_rl.verifiers import check_references, held, in_processes

__all__ = ["reference_objections"]


def reference_objections(config: RunConfig, references: Iterable[object]) -> list[Objection]:
    """A warning where references cannot be read; an error where so many that the run would stop.

    The verifier runs as it will in the run, where a failure of its own is told from a reference that it cannot read.

    Args:
        config: the run's verifier, its processes and `max_unscorable`.
        references: those of its training prompts.
    """
    with ExitStack() as stack:
        verifier = held(in_processes(config.verifier, config.verifier_processes), stack)
        found = check_references((one for one in references if one is not None), verifier)
    if not found.share:
        return []
    level = "error" if found.share > config.max_unscorable else "warning"
    return [Objection(level, "data.reference_column" if found.works else "verifier", str(found))]
