"""From verdicts to numbers: pass@k, maj@k, agreement, intervals over problems and tests between two models.

    samples = [[1, 0, 1, None], [0, 0, 0, 0]]  # a row a problem: verdicts of its responses, None where unscored
    estimate(pass_at_k(samples, 1))

Pure functions of verdicts. P problems are what is drawn independently, so intervals and tests resample problems, never
responses: the responses to one problem go together. An unscored response is left out; it is never a wrong one. NaN is
the value of a problem that has none, and such problems are left out too.
"""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int

__all__ = [
    "RESAMPLES",
    "Agreement",
    "Estimate",
    "PairedTest",
    "Verdicts",
    "cohen_kappa",
    "estimate",
    "holm",
    "maj_at_k",
    "paired_test",
    "pass_at_k",
    "stratified_estimate",
    "stratified_paired_test",
]

RESAMPLES = 10_000
"""Draws of a bootstrap and of a sign-flip test; the least p-value is 1 in one more than this."""

Verdicts: TypeAlias = Sequence[Sequence[float | None]]
"""A row a problem, a value a response: 1, 0, a grade between, or None unscored. Rows may be of different lengths."""

_LEVEL = 0.95
_AT_A_TIME = 4_000_000  # numbers in memory


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval; None where there is nothing to take it of.

    Attributes:
        value: the mean.
        low: lower end; None with fewer than two problems in a stratum.
        high: upper end.
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True)
class PairedTest:
    """Two models on the same problems.

    Attributes:
        difference: the first one's mean less the second one's, with a bootstrap interval over problems.
        p_value: two-sided, of a sign-flip test; 1 where no problem tells them apart.
        problems: pairs of values.
        exact: whether all sign patterns were gone through, or `RESAMPLES` drawn.
    """

    difference: Estimate
    p_value: float
    problems: int
    exact: bool


@dataclass(frozen=True)
class Agreement:
    """How two graders agree on the responses that both scored; correct is a verdict of 1, all less is not.

    Attributes:
        kappa: Cohen's kappa with a bootstrap interval over problems; None where both say the same of everything, which
            leaves chance nothing to be compared with.
        share: share of responses with equal verdicts.
        both_right: responses that both call correct.
        both_wrong: responses that both call incorrect.
        only_first: responses that the first grader alone calls correct.
        only_second: responses that the second alone does.
    """

    kappa: Estimate
    share: float | None
    both_right: int
    both_wrong: int
    only_first: int
    only_second: int


def pass_at_k(samples: Verdicts, k: int) -> Float[np.ndarray, " P"]:
    """Chance that one of k responses to a problem is right, of its n scored ones: 1 - C(n - c, k) / C(n, k).

    The unbiased estimate of Chen et al., "Evaluating Large Language Models Trained on Code" (arXiv 2107.03374), Eq. 1.
    Right is a response of verdict 1; partial credit is not. With k = 1 it is the share of right ones.

    Returns:
        A value a problem; NaN with fewer than k scored responses.

    Raises:
        ValueError: k is below 1, or a verdict is neither in [0, 1] nor None.
    """
    if k < 1:
        raise ValueError(f"k is {k}; at least 1 is needed")
    scored = np.array([sum(verdict is not None for verdict in row) for row in samples], dtype=float)
    right = np.array([_right(row) for row in samples], dtype=float)
    # C(n - c, k) / C(n, k) as a product, so that no binomial overflows; a factor of 0 ends it where n - c < k.
    missed = np.ones(len(samples))
    for drawn in range(k):
        missed *= np.maximum(scored - right - drawn, 0) / np.maximum(scored - drawn, 1)
    return np.where(scored >= k, 1 - missed, np.nan)


def _right(row: Sequence[float | None]) -> int:
    for verdict in row:
        if verdict is not None and not 0 <= verdict <= 1:
            raise ValueError(f"a verdict lies in [0, 1] or is None, not {verdict!r}")
    return sum(verdict == 1 for verdict in row)


def maj_at_k(
    samples: Verdicts, answers: Sequence[Sequence[Hashable | None]], k: int | None = None
) -> Float[np.ndarray, " P"]:
    """Share of votes of k responses each that a right answer wins.

    Responses vote in their order: the first k, the next k, and so on, so that with k the samples of one seed there is a
    vote a seed, and a problem's value is the mean over them. One without an answer casts none; where nobody votes the
    vote is lost, a 0. An answer is as right as its scored responses are in the mean; of answers with equal votes the
    mean counts, which is what a drawing of lots gives on average. A vote is left out where its winners are unscored, or
    all of its responses.

    Args:
        samples: verdicts.
        answers: what each response voted for, aligned with them: keys that are equal where answers are.
        k: responses to a vote; None for all of a problem in one.

    Returns:
        A value a problem; NaN without a vote that counts.

    Raises:
        ValueError: the rows are not aligned, or k does not divide a row's length.
    """
    if k is not None and k < 1:
        raise ValueError(f"k is {k}; at least 1 is needed")
    return np.array([_problem_votes(row, keys, k) for row, keys in zip(samples, answers, strict=True)], dtype=float)


def _problem_votes(row: Sequence[float | None], keys: Sequence[Hashable | None], k: int | None) -> float:
    if len(row) != len(keys):
        raise ValueError(f"{len(row)} verdicts and {len(keys)} answers of one problem")
    size = k or len(row) or 1
    if len(row) % size:
        raise ValueError(f"{len(row)} responses make no votes of {size}")
    votes = [_vote(row[start : start + size], keys[start : start + size]) for start in range(0, len(row), size)]
    return _mean([vote for vote in votes if not math.isnan(vote)])


def _vote(row: Sequence[float | None], keys: Sequence[Hashable | None]) -> float:
    """How right the winner of one vote is."""
    ballots: defaultdict[Hashable, list[float | None]] = defaultdict(list)
    for verdict, key in zip(row, keys, strict=True):
        if key is not None:
            ballots[key].append(verdict)
    if not ballots:
        return 0.0 if any(verdict is not None for verdict in row) else math.nan
    most = max(map(len, ballots.values()))
    winners = [_mean([v for v in given if v is not None]) for given in ballots.values() if len(given) == most]
    return _mean([winner for winner in winners if not math.isnan(winner)])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def estimate(values: Float[np.ndarray, " P"], *, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Mean over problems with a 95% percentile interval (Efron, 1979), problems drawn with replacement.

    Args:
        values: a value a problem, in [0, 1]; NaN is left out.
        seed: of the draws.
        resamples: how many.
    """
    return stratified_estimate([values], seed=seed, resamples=resamples)


def stratified_estimate(
    strata: Sequence[Float[np.ndarray, " P"]], *, seed: int = 0, resamples: int = RESAMPLES
) -> Estimate:
    """Mean of the strata's means, each counting the same, with a 95% interval: problems are drawn within each stratum.

    The average over benchmarks: a large one weighs no more than a small one, and each keeps its size in every draw. A
    stratum that is all wrong or all right has nothing to draw; its exact binomial limits are taken.

    Args:
        strata: per benchmark, a value a problem, in [0, 1]; NaN is left out.
        seed: of the draws.
        resamples: how many.
    """
    found = _bootstrap(strata, seed, resamples)
    if found.value is None or found.low is None or found.high is None:
        return found
    limits = [_exact_limits(values) for values in map(_present, strata)]
    below, above = (sum(ends) / len(limits) for ends in zip(*limits, strict=True))
    return Estimate(found.value, found.low - below, found.high + above)


def _exact_limits(values: Float[np.ndarray, " P"]) -> tuple[float, float]:
    """How far the truth may lie below and above a stratum that is all wrong or all right, else 0 and 0.

    Draws from equal numbers are all the same, and would claim to be sure. The share of problems that are otherwise is
    binomial, and its limits (Clopper and Pearson, 1934) hold for a mean of values in [0, 1] too.
    """
    value = values[0]
    if value not in (0, 1) or not np.all(values == value):
        return 0.0, 0.0
    from scipy.stats import binomtest

    reach = float(binomtest(0, len(values)).proportion_ci(_LEVEL, method="exact").high)
    return (reach, 0.0) if value == 1 else (0.0, reach)


def _bootstrap(strata: Sequence[Float[np.ndarray, " P"]], seed: int, resamples: int) -> Estimate:
    present = [_present(values) for values in strata]
    if not present or any(len(values) == 0 for values in present):
        return Estimate(None)
    value = _mean([float(values.mean()) for values in present])
    if any(len(values) < 2 for values in present):
        return Estimate(value)
    from scipy.stats import bootstrap

    def mean_of_means(*drawn: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.mean([values.mean(axis) for values in drawn], axis=0)

    found = bootstrap(
        present,
        mean_of_means,
        vectorized=True,
        n_resamples=resamples,
        batch=_batch(sum(map(len, present))),
        confidence_level=_LEVEL,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    # In the draws a mean of equal numbers may miss them by a rounding error.
    return Estimate(value, min(float(found.low), value), max(float(found.high), value))


def _present(values: Sequence[float] | np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    return values[~np.isnan(values)]


def _batch(drawn: int) -> int:
    """Resamples at a time, of so many numbers each."""
    return max(1, _AT_A_TIME // max(drawn, 1))


def paired_test(
    first: Float[np.ndarray, " P"], second: Float[np.ndarray, " P"], *, seed: int = 0, resamples: int = RESAMPLES
) -> PairedTest:
    """Whether two models differ in the mean on the same problems: a two-sided sign-flip test.

    Where the models are alike, a problem's difference has either sign as often; the p-value is the share of sign
    patterns whose mean difference is as far from 0 as the one seen (Fisher, 1935; Good, 2005). All patterns are gone
    through where there are no more than `resamples`, else so many are drawn, and the one seen counts as one.

    Args:
        first: a value a problem; a pair with NaN in it is left out.
        second: the other model's, aligned.
        seed: of the draws.
        resamples: how many.
    """
    return stratified_paired_test([(first, second)], seed=seed, resamples=resamples)


def stratified_paired_test(
    strata: Sequence[tuple[Float[np.ndarray, " P"], Float[np.ndarray, " P"]]],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> PairedTest:
    """`paired_test` of the mean of the strata's means: differences between averages over benchmarks.

    Raises:
        ValueError: the values of a stratum are not aligned.
    """
    gaps = [_gaps(first, second) for first, second in strata]
    difference = _bootstrap(gaps, seed, resamples)
    problems = sum(map(len, gaps))
    if difference.value is None:
        return PairedTest(difference, 1.0, problems, exact=True)
    weighted = np.concatenate([gap / len(gap) for gap in gaps])
    p_value, exact = _sign_flip(weighted[weighted != 0], seed, resamples)
    return PairedTest(difference, p_value, problems, exact)


def _gaps(first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray) -> np.ndarray:
    ours, theirs = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if ours.shape != theirs.shape:
        raise ValueError(f"values of {len(ours)} problems against those of {len(theirs)}")
    return _present(ours - theirs)


def _sign_flip(gaps: Float[np.ndarray, " n"], seed: int, resamples: int) -> tuple[float, bool]:
    """The p-value of a sum of differences, none of them 0, and whether it is exact.

    scipy's `permutation_test` gives the same, in thirty times the time: it draws an order for each pair, this a bit.
    """
    seen = abs(gaps.sum())
    least = seen - 1e-12 * np.abs(gaps).sum()  # sums that are equal but for rounding are equal
    exact = len(gaps) <= math.log2(resamples)
    if exact:
        patterns = np.arange(2 ** len(gaps))[:, None] >> np.arange(len(gaps)) & 1
        return float(np.mean(np.abs(gaps.sum() - 2 * (patterns @ gaps)) >= least)), True
    generator, far, batch = np.random.default_rng(seed), 0, _batch(len(gaps))
    for start in range(0, resamples, batch):
        count = min(batch, resamples - start)
        octets = generator.integers(256, size=(count, -(-len(gaps) // 8)), dtype=np.uint8)
        patterns = np.unpackbits(octets, axis=1, count=len(gaps)).astype(float)
        far += int(np.sum(np.abs(gaps.sum() - 2 * (patterns @ gaps)) >= least))
    return (far + 1) / (resamples + 1), False


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for being several (Holm, 1979), in their order: below a level, all of them hold at that level.

    The family-wise error rate is kept under any dependence between the tests.
    """
    corrected, floor = [0.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        floor = max(floor, min(1.0, p_values[index] * (len(p_values) - place)))
        corrected[index] = floor
    return corrected


def cohen_kappa(first: Verdicts, second: Verdicts, *, seed: int = 0, resamples: int = RESAMPLES) -> Agreement:
    """How far two graders agree beyond chance: (p_o - p_e) / (1 - p_e) (Cohen, 1960), on what both scored.

    Args:
        first: one grader's verdicts, a row a problem.
        second: the other's, aligned response by response.
        seed: of the draws; problems are drawn with replacement, each with all its responses.
        resamples: how many.

    Raises:
        ValueError: the verdicts are not aligned.
    """
    tables = np.array([_table(ours, theirs) for ours, theirs in zip(first, second, strict=True)], dtype=np.int64)
    tables = tables.reshape(-1, 4)
    tables = tables[tables.sum(axis=1) > 0]
    total = tables.sum(axis=0)
    share = float((total[0] + total[1]) / total.sum()) if total.sum() else None
    value = float(_kappa(total))
    counts = [int(count) for count in total]
    return Agreement(_kappa_estimate(tables, value, seed, resamples), share, *counts)


def _table(first: Sequence[float | None], second: Sequence[float | None]) -> list[int]:
    """One problem's responses: both right, both wrong, the first grader alone, the second alone."""
    counts: dict[tuple[float, float], int] = dict.fromkeys([(1, 1), (0, 0), (1, 0), (0, 1)], 0)
    for ours, theirs in zip(first, second, strict=True):
        if ours is not None and theirs is not None:
            if not (0 <= ours <= 1 and 0 <= theirs <= 1):
                raise ValueError(f"a verdict lies in [0, 1] or is None, not {ours!r} and {theirs!r}")
            counts[ours == 1, theirs == 1] += 1
    return list(counts.values())


def _kappa(tables: Int[np.ndarray, "*S 4"]) -> Float[np.ndarray, "*S"]:
    """Kappa of counts; NaN where chance agreement is 1 or there is nothing."""
    right, wrong, only_first, only_second = np.moveaxis(np.asarray(tables, dtype=float), -1, 0)
    total = right + wrong + only_first + only_second
    yes, yes_too = right + only_first, right + only_second
    with np.errstate(invalid="ignore", divide="ignore"):
        by_chance = (yes * yes_too + (total - yes) * (total - yes_too)) / total**2
        return np.where(by_chance < 1, ((right + wrong) / total - by_chance) / (1 - by_chance), np.nan)


def _kappa_estimate(tables: Int[np.ndarray, "P 4"], value: float, seed: int, resamples: int) -> Estimate:
    if math.isnan(value):
        return Estimate(None)
    if len(tables) < 2:
        return Estimate(value)
    from scipy.stats import DegenerateDataWarning, bootstrap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # draws without a kappa are left out below
        drawn = bootstrap(
            (np.arange(len(tables)),),
            lambda problems, axis=-1: _kappa(tables[problems].sum(axis=axis - 1)),
            vectorized=True,
            n_resamples=resamples,
            batch=_batch(4 * len(tables)),
            method="percentile",
            rng=np.random.default_rng(seed),
        ).bootstrap_distribution
    low, high = np.quantile(_present(drawn), [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Estimate(value, float(low), float(high))
