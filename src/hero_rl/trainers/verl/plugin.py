"""What verl loads through the entry point `verl.plugins`, in every process that imports it: the trainer `hero_sync`.

verl says nothing of a plugin that fails to load (it logs that at DEBUG), so that this one says it itself.
"""

import logging

__all__: list[str] = []

try:
    import hero_rl.trainers.verl.trainer  # noqa: F401, it registers trainer and estimator
except Exception as error:
    logging.getLogger(__name__).warning(
        "hero-rl is not active in verl: %s: %s (is `hero-rl[verl]` installed?)", type(error).__name__, error
    )
    raise
