"""The study: rules x regimes x reward models x seeds, each cell a whole pipeline of its own."""

from hero_lab.study.plan import PARTS, RULES, Cell, cells_of
from hero_lab.study.run import StudySettings, gather, run_study

__all__ = ["PARTS", "RULES", "Cell", "StudySettings", "cells_of", "gather", "run_study"]
