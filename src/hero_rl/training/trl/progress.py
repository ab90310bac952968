"""Live progress of a training run in the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column
from transformers import TrainerCallback

__all__ = ["ProgressLine", "columns"]

_SHOWN: Mapping[str, str] = {
    "reward": "reward",
    "rewards/verifier/mean": "verdict",
    "hero/frac_groups_mixed": "mixed",
    "hero/frac_groups_rescued": "rescued",
}


_SECONDS_BETWEEN_LINES = 15.0  # where the output is no terminal
_SPEED_OVER = 3600.0  # seconds: a step may take minutes, and the time left is told from two at least


def columns(label: str) -> tuple[ProgressColumn, ...]:
    """Columns of a run's line: label, steps, time left, and the task's `signals`, which are cut first."""
    return (
        TextColumn(label),
        MofNCompleteColumn(),
        BarColumn(bar_width=12),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[signals]}", table_column=Column(no_wrap=True, overflow="crop", ratio=1)),
    )


class ProgressLine(TrainerCallback):
    """Step, reward, verdict rate, mixed and rescued share and time left: one live line, or a line now and then.

    Where the output is no terminal, a plain line is printed now and then. `shown` names other signals: the logged
    name and the line's; a log without the first of them is passed over.
    """

    def __init__(self, shown: Mapping[str, str] = _SHOWN) -> None:
        # Where colours are forced onto a log (FORCE_COLOR), a live line would leave a copy at every refresh.
        self.console = Console(stderr=True, force_terminal=sys.stderr.isatty())
        self.shown = shown
        self._progress: Progress | None = None
        self._printed = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Show the bar at the step that the run starts from."""
        if not state.is_world_process_zero:
            return
        self._progress = Progress(
            *columns("[bold]step"),
            console=self.console,
            speed_estimate_period=_SPEED_OVER,
            expand=True,
            disable=not self.console.is_terminal,
        )
        self._task = self._progress.add_task("", total=state.max_steps, completed=state.global_step, signals="")
        self._progress.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the bar."""
        if self._progress is not None:
            self._progress.update(self._task, completed=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Show the newest signals."""
        if self._progress is None or not logs or next(iter(self.shown)) not in logs:
            return
        signals = "  ".join(f"{name} {logs[key]:.3f}" for key, name in self.shown.items() if logs.get(key) is not None)
        self._progress.update(self._task, signals=signals)
        now = time.monotonic()
        if not self.console.is_terminal and (
            now - self._printed > _SECONDS_BETWEEN_LINES or state.global_step == state.max_steps
        ):
            self._printed = now
            self.console.print(f"step {state.global_step}/{state.max_steps}  {signals}", highlight=False)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Leave the last line standing."""
        self.close()

    def close(self) -> None:
        """Give the terminal back, also after an error."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
