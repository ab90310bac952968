"""Rollouts of a file judged, scored and shaped anew, as a training run would have shaped them."""

from hero_rl.rescoring.batches import batches
from hero_rl.rescoring.collecting import collect, labelled_reader
from hero_rl.rescoring.judging import Judged
from hero_rl.rescoring.run import Rescored, rescore
from hero_rl.rescoring.settings import Rescoring
from hero_rl.rescoring.sources import JudgedBatches, scores_from, verdicts_from

__all__ = [
    "Judged",
    "JudgedBatches",
    "Rescored",
    "Rescoring",
    "batches",
    "collect",
    "labelled_reader",
    "rescore",
    "scores_from",
    "verdicts_from",
]
