"""Every generation batch of a run in a file of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd

from hero_rl.files.whole import replacing

__all__ = ["RolloutFiles"]

_NAME = re.compile(r"(?:train|eval)_(\d{6,})_\d{3,}\.parquet")


class RolloutFiles:
    """Writes batches into a folder as `<mode>_<step>_<batch>.parquet`; the batches of one step are numbered.

    A run that is resumed from a checkpoint writes over the files of the steps that it does again.

    Attributes:
        folder: made when the first batch is written.
        kept: steps whose files stay, the newest; None for all.
    """

    def __init__(self, folder: str | Path, kept: int | None = None) -> None:
        self.folder = Path(folder)
        self.kept = kept
        self._last = ("", -1, -1)

    def write(self, rows: list[dict[str, Any]], mode: str, step: int) -> None:
        """Write one batch whole, or not at all.

        Args:
            rows: one dict a rollout; `mode` and `step` are added as columns.
            mode: `train` or `eval`.
            step: the optimiser step that the batch is for.
        """
        number = self._last[2] + 1 if self._last[:2] == (mode, step) else 0
        self._last = mode, step, number
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{mode}_{step:06d}_{number:03d}.parquet"
        with replacing(path) as file:
            pd.DataFrame(rows).assign(step=step, mode=mode).to_parquet(file)
        self._forget(step)

    def _forget(self, step: int) -> None:
        if self.kept is None:
            return
        for old in self.folder.iterdir():
            name = _NAME.fullmatch(old.name)
            if name and int(name[1]) <= step - self.kept:
                old.unlink(missing_ok=True)
