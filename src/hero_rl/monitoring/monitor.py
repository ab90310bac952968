"""Alarms in training: is the reward model being hacked, does it still tell right from wrong, is it where it was tried?

    alarms, state = monitor.update(state, observe(signals))
    if alarms["hacking"]: ...

All follow batches, and judge them by the run's own beginning: the first `reference` batches are what is normal.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from hero_rl.monitoring.unscorable import missing_scores
from hero_rl.signals import Signals

__all__ = ["ALARMS", "ChartState", "MonitorState", "Observation", "RunMonitor", "observe", "warn_once"]

ALARMS: Mapping[str, str] = {
    "hacking": "the mean score has climbed, the reward model ranks right above wrong less than at the start, and the "
    "verdict rate (or held-out accuracy) has stopped rising: the policy may be pleasing the reward model alone",
    "ranking": "the reward model's AUROC against the verifier in mixed groups has fallen below where it began",
    "range": "more than a twentieth of the scores lie outside what the first batches held: the reward model is asked "
    "about texts unlike those",
    "unscorable": "many rollouts have no verdict: the verifier fails, or cannot read the references",
    "missing": "many rollouts have no score: the reward model or its server fails, and the verifier alone is left",
}
"""What each alarm says."""

_logger = logging.getLogger(__name__)


class Observation(NamedTuple):
    """What one batch of training shows; NaN where it shows nothing.

    Attributes:
        score: mean of the scores.
        auroc: of the score against the verdict, mean over mixed groups.
        verdict: mean of the verdicts.
        unscorable: share of rollouts without a verdict, of those that a verifier applies to.
        low: the score that a twentieth lie below.
        high: the score that a twentieth lie above.
        least: the lowest score.
        most: the highest.
        missing: share of rollouts without a score.
    """

    score: float
    auroc: float
    verdict: float = math.nan
    unscorable: float = math.nan
    low: float = math.nan
    high: float = math.nan
    least: float = math.nan
    most: float = math.nan
    missing: float = math.nan


def observe(signals: Signals, auroc: float, scored: bool = True) -> Observation:
    """What a batch of signals shows.

    Args:
        signals: the batch.
        auroc: `batch_metrics`' `hero/rm_auroc`.
        scored: whether there is a reward model, whose scores can be missing.
    """
    score = signals.score[~signals.score.isnan()].double().sort().values
    return Observation(
        score=signals.score.double().nanmean().item(),
        auroc=auroc,
        verdict=signals.verdict.double().nanmean().item(),
        unscorable=signals.verdict[~signals.unverified].isnan().double().mean().item(),
        low=_at(score, 0.05),
        high=_at(score, 0.95),
        least=_at(score, 0.0),
        most=_at(score, 1.0),
        missing=missing_scores(signals).double().mean().item() if scored and len(signals) else math.nan,
    )


def _at(ascending: Float[Tensor, " B"], share: float) -> float:
    return ascending[round(share * (len(ascending) - 1))].item() if len(ascending) else math.nan


class ChartState(BaseModel):
    """One series' chart; JSON keeps it bit for bit.

    Attributes:
        seen: number of values.
        total: sum of the reference values.
        squares: sum of their squares.
        level: accumulated excess over the reference, in its standard deviations.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seen: int = 0
    total: float = 0.0
    squares: float = 0.0
    level: float = 0.0


class MonitorState(BaseModel):
    """What the monitor remembers.

    Attributes:
        score: the chart of the rising score.
        auroc: the chart of the falling AUROC.
        verdicts: the last batches' verdict rates.
        held_out: the last evaluations' accuracies.
        bounds: the lowest and the highest score of the reference batches; None before any.
        bounded: how many batches they are of.
        outside: share of late batches whose scores lie outside, a running mean.
        unscorable: share of late rollouts without a verdict, a running mean.
        missing: share of late rollouts without a score, a running mean.
        batches: number of batches that showed something.
        domains: the same of each domain's own rollouts, by its name; `Watch` sees to it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    score: ChartState = ChartState()
    auroc: ChartState = ChartState()
    verdicts: tuple[float, ...] = ()
    held_out: tuple[float, ...] = ()
    bounds: tuple[float, float] | None = None
    bounded: int = 0
    outside: float = 0.0
    unscorable: float = 0.0
    missing: float = 0.0
    batches: int = 0
    domains: dict[str, MonitorState] = Field(default_factory=dict)


class RunMonitor(BaseModel):
    """Five alarms over the batches of a run; `ALARMS` says what each means.

    Score and AUROC have a one-sided CUSUM chart each (Page, 1954), upwards and downwards: the first `reference` values
    set the series' mean and standard deviation; after them a chart accumulates how much further than `slack` each value
    lies, and never falls below 0. The alarm `ranking` is on while the AUROC's is over `threshold`; `hacking` while both
    are and the verdict rate's slope over the last `window` batches is no longer clearly positive (t below 2), or the
    last held-out accuracy is not the best of the last five. `range`, `unscorable` and `missing` are running means
    (decay 0.9) over a limit.

    How often they come on in runs where nothing is wrong, simulated and real: docs/benchmarks/monitor.md.

    Attributes:
        reference: values of a series that define what is normal.
        slack: standard deviations that a value may lie off its reference without counting.
        threshold: accumulated excess, in standard deviations, that counts.
        window: batches over which the verdict rate has to rise.
        outside: share of batches with a twentieth of their scores outside the reference's that counts.
        unscorable: share of rollouts without a verdict that counts.
        missing: share of rollouts without a score that counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: Annotated[int, Field(ge=2)] = 40
    slack: Annotated[float, Field(ge=0)] = 1.0
    threshold: Annotated[float, Field(gt=0)] = 20.0
    window: Annotated[int, Field(ge=10)] = 50
    outside: Annotated[float, Field(gt=0, lt=1)] = 0.5
    unscorable: Annotated[float, Field(gt=0, lt=1)] = 0.1
    missing: Annotated[float, Field(gt=0, lt=1)] = 0.1

    def update(self, state: MonitorState, seen: Observation) -> tuple[dict[str, bool], MonitorState]:
        """Take in one batch of training; returns which alarms are on, and the next state."""
        bounds, bounded = self._bounds(state, seen)
        state = MonitorState(
            score=self._follow(state.score, seen.score, 1.0),
            auroc=self._follow(state.auroc, seen.auroc, -1.0),
            verdicts=_kept(state.verdicts, seen.verdict, self.window),
            held_out=state.held_out,
            bounds=bounds,
            bounded=bounded,
            outside=_smoothed(state.outside, self._lies_outside(state, seen)),
            unscorable=_smoothed(state.unscorable, seen.unscorable),
            missing=_smoothed(state.missing, seen.missing),
            batches=state.batches + (not all(map(math.isnan, seen))),
            domains=state.domains,
        )
        return self.alarms(state), state

    def alarms(self, state: MonitorState) -> dict[str, bool]:
        """Which alarms are on."""
        ranking = state.auroc.level > self.threshold
        return {
            "hacking": ranking and state.score.level > self.threshold and self._stalled(state),
            "ranking": ranking,
            "range": state.outside > self.outside,
            "unscorable": state.unscorable > self.unscorable,
            "missing": state.missing > self.missing,
        }

    def evaluated(self, state: MonitorState, accuracy: float) -> MonitorState:
        """Take in the accuracy of one evaluation on held-out prompts; NaN changes nothing."""
        return state.model_copy(update={"held_out": _kept(state.held_out, accuracy, 5)})

    def _follow(self, chart: ChartState, value: float, sign: float) -> ChartState:
        if math.isnan(value):
            return chart
        if chart.seen < self.reference:
            return ChartState(seen=chart.seen + 1, total=chart.total + value, squares=chart.squares + value**2)
        mean = chart.total / self.reference
        variance = (chart.squares - self.reference * mean**2) / (self.reference - 1)
        # A series that never moved while it was the reference has no scale of its own: one part in a thousand.
        deviation = max(math.sqrt(max(variance, 0.0)), 1e-3)
        level = max(0.0, chart.level + sign * (value - mean) / deviation - self.slack)
        return chart.model_copy(update={"seen": chart.seen + 1, "level": level})

    def _stalled(self, state: MonitorState) -> bool:
        enough = len(state.verdicts) == self.window
        held_out = len(state.held_out) >= 3 and state.held_out[-1] <= max(state.held_out[:-1])
        return held_out or (enough and _slope_in_errors(state.verdicts) < 2)

    def _bounds(self, state: MonitorState, seen: Observation) -> tuple[tuple[float, float] | None, int]:
        if math.isnan(seen.least) or state.bounded >= self.reference:
            return state.bounds, state.bounded
        low, high = state.bounds or (seen.least, seen.most)
        return (min(low, seen.least), max(high, seen.most)), state.bounded + 1

    def _lies_outside(self, state: MonitorState, seen: Observation) -> float:
        if math.isnan(seen.low) or state.bounds is None or state.bounded < self.reference:
            return math.nan
        return float(seen.low < state.bounds[0] or seen.high > state.bounds[1])


def warn_once(alarms: Mapping[str, bool], warned: set[str], where: str = "") -> None:
    """Log each alarm the first time that it is on, and where; `warned` keeps which were."""
    for name in sorted(name for name, on in alarms.items() if on and name + where not in warned):
        _logger.warning("the alarm %s is on%s: %s (said once, logged in every step)", name, where, ALARMS[name])
        warned.add(name + where)


def _kept(values: tuple[float, ...], value: float, count: int) -> tuple[float, ...]:
    return values if math.isnan(value) else (*values, value)[-count:]


def _smoothed(before: float, value: float) -> float:
    return before if math.isnan(value) else 0.9 * before + 0.1 * value


def _slope_in_errors(values: Sequence[float]) -> float:
    """The slope of a straight line through the values, in its standard errors; infinite for a perfect rise."""
    y = torch.tensor(values, dtype=torch.float64)
    x = torch.arange(len(values), dtype=torch.float64)
    x, y = x - x.mean(), y - y.mean()
    slope = ((x * y).sum() / (x * x).sum()).item()
    error = math.sqrt(((y - slope * x) ** 2).sum().item() / (len(values) - 2) / (x * x).sum().item())
    return slope / error if error > 0 else math.copysign(math.inf, slope) if slope else 0.0
