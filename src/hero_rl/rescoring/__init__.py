"""Rollouts of a file judged, scored and shaped anew, as a training run would have shaped them."""

from hero_rl.rescoring.batches import batches
from hero_rl.rescoring.run import Rescored, Rescoring, rescore

__all__ = ["Rescored", "Rescoring", "batches", "rescore"]
