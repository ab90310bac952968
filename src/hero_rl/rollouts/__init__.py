"""Rollouts on disk: the record, readers of what trainers write, writers that leave nothing half-written."""

from hero_rl.files.rows import Place
from hero_rl.rollouts.layouts import Columns, Format
from hero_rl.rollouts.readers import RolloutReader, read_rollouts
from hero_rl.rollouts.record import Rollout
from hero_rl.rollouts.writers import write_rollouts

__all__ = [
    "Columns",
    "Format",
    "Place",
    "Rollout",
    "RolloutReader",
    "read_rollouts",
    "write_rollouts",
]
