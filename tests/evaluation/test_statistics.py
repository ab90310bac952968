"""Numbers from verdicts: golden values, slow references, and what no input may break."""

import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import cohen_kappa_score

from hero_rl.evaluation.statistics import (
    cohen_kappa,
    estimate,
    holm,
    maj_at_k,
    paired_test,
    pass_at_k,
    stratified_estimate,
    stratified_paired_test,
)

verdict = st.sampled_from([0, 1, None])
rows = st.lists(verdict, max_size=10)
shares = st.integers(0, 8).map(lambda eighths: eighths / 8)


# pass@k


def slow_pass_at_k(row, k):
    """The share of all draws of k scored responses that have a right one among them."""
    scored = [value for value in row if value is not None]
    draws = list(itertools.combinations(scored, k))
    return float(Fraction(sum(any(draw) for draw in draws), len(draws))) if draws else math.nan


@given(st.lists(rows, max_size=5), st.integers(1, 6))
def test_pass_at_k_is_the_share_of_draws_with_a_right_response(samples, k):
    expected = [slow_pass_at_k(row, k) for row in samples]
    assert pass_at_k(samples, k) == pytest.approx(expected, nan_ok=True)


def test_pass_at_k_on_hundreds_of_responses_does_not_overflow():
    # 1 - C(190, 100) / C(200, 100) by exact fractions.
    exact = 1 - Fraction(math.comb(190, 100), math.comb(200, 100))
    assert pass_at_k([[1] * 10 + [0] * 190], 100)[0] == pytest.approx(float(exact), rel=1e-12)


def test_an_unscored_response_is_no_wrong_one():
    assert pass_at_k([[1, None], [1, 0], [None, None]], 1) == pytest.approx([1, 0.5, math.nan], nan_ok=True)


def test_partial_credit_is_no_pass():
    assert pass_at_k([[1, 0.9, 0.5, 0]], 1)[0] == 0.25
    agreement = cohen_kappa([[1, 0.9, 0]], [[1, 0, 0.5]])
    assert (agreement.both_right, agreement.both_wrong) == (1, 2)


def test_pass_at_k_refuses_other_verdicts_and_no_draws():
    with pytest.raises(ValueError, match=r"not 1\.5"):
        pass_at_k([[1.5]], 1)
    with pytest.raises(ValueError, match="k is 0"):
        pass_at_k([[1]], 0)


# maj@k


@pytest.mark.parametrize(
    ("verdicts", "answers", "k", "expected"),
    [
        ([1, 1, 0], ["2", "2", "3"], None, 1),
        ([1, 0, 0], ["2", "3", "3"], None, 0),
        ([1, 0], ["2", "3"], None, 0.5),  # lots are drawn
        ([1, 0, 0], ["2", None, None], None, 1),  # no answer, no vote
        ([0, 0], [None, None], None, 0),
        ([None, None], [None, None], None, math.nan),
        ([None, 1], ["2", "2"], None, 1),  # an unscored response votes; its like says what it is worth
        ([None, None, 0], ["2", "2", "3"], None, math.nan),
        ([None, 0], ["2", "3"], None, 0),
        ([1, 1, 0, 0], ["2", "2", "3", "3"], 2, 0.5),  # two votes, one won
        ([], [], None, math.nan),
    ],
)
def test_majority(verdicts, answers, k, expected):
    assert maj_at_k([verdicts], [answers], k) == pytest.approx([expected], nan_ok=True)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=9), st.sets(st.sampled_from("abc")))
def test_majority_is_the_share_of_right_answers_among_the_most_frequent(keys, right):
    most = max(Counter(keys).values())
    winners = [key for key, count in Counter(keys).items() if count == most]
    found = maj_at_k([[int(key in right) for key in keys]], [keys])
    assert found == pytest.approx([sum(key in right for key in winners) / len(winners)])


def test_votes_must_divide_the_responses():
    with pytest.raises(ValueError, match="3 responses make no votes of 2"):
        maj_at_k([[1, 0, 1]], [["a", "b", "a"]], 2)
    with pytest.raises(ValueError, match="2 verdicts and 1 answers"):
        maj_at_k([[1, 0]], [["a"]])


# Intervals


def test_an_interval_covers_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(0)
    found = [estimate(generator.binomial(8, 0.3, 100) / 8, seed=n, resamples=500) for n in range(400)]
    covered = sum(one.low <= 0.3 <= one.high for one in found)
    assert 0.92 <= covered / len(found) <= 0.98


def test_an_interval_is_that_of_the_normal_law_on_many_problems():
    values = np.random.default_rng(1).random(2000)
    found, half = estimate(values), 1.96 * values.std() / 2000**0.5
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=half / 20)


@given(st.lists(arrays(float, st.integers(2, 6), elements=shares), min_size=1, max_size=3), st.integers(0, 9))
def test_an_average_counts_benchmarks_alike_and_lies_in_its_interval(strata, seed):
    found = stratified_estimate(strata, seed=seed, resamples=50)
    assert found.value == pytest.approx(np.mean([values.mean() for values in strata]))
    assert found.low <= found.value <= found.high
    assert found == stratified_estimate(strata, seed=seed, resamples=50)


def test_problems_are_drawn_within_their_benchmark():
    # All the spread lies between the benchmarks, none within: nothing to be unsure of.
    found = stratified_estimate([np.full(50, 0.25), np.full(5, 0.75)])
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


def test_all_wrong_and_all_right_are_not_certain():
    # Clopper and Pearson: 1 - 0.025 ** (1 / n).
    wrong, right = estimate(np.zeros(40)), estimate(np.ones(40))
    reach = 1 - 0.025 ** (1 / 40)
    assert (wrong.value, wrong.low, wrong.high) == pytest.approx((0, 0, reach))
    assert (right.value, right.low, right.high) == pytest.approx((1, 1 - reach, 1))
    both = stratified_estimate([np.zeros(40), np.zeros(10)])
    assert both.high == pytest.approx((reach + 1 - 0.025 ** (1 / 10)) / 2)
    assert paired_test(np.ones(40), np.ones(40)).difference.high == 0


def test_no_interval_of_one_problem_and_no_value_of_none():
    assert estimate(np.array([1.0, np.nan])).to_dict() == {"value": 1.0, "low": None, "high": None}
    assert estimate(np.array([np.nan])).value is None
    assert stratified_estimate([np.ones(3), np.array([])]).value is None
    assert stratified_estimate([]).value is None


# Tests between two models


def slow_p_value(gaps):
    """All sign patterns, one at a time, in exact arithmetic."""
    exact = [Fraction(gap).limit_denominator(10**6) for gap in gaps]
    sums = [abs(sum(sign * gap for sign, gap in zip(signs, exact, strict=True))) for signs in signs_of(len(exact))]
    return sum(one >= abs(sum(exact)) for one in sums) / len(sums)


def signs_of(count):
    return itertools.product((1, -1), repeat=count)


@given(st.lists(st.tuples(shares, shares), min_size=2, max_size=7))
def test_a_small_test_is_exact(pairs):
    first, second = np.array(pairs).T
    found = paired_test(first, second)
    assert found.exact
    assert found.p_value == pytest.approx(slow_p_value(first - second))
    assert found.difference.value == pytest.approx((first - second).mean())


def test_a_large_test_is_scipys():
    from scipy.stats import permutation_test

    generator = np.random.default_rng(2)
    first, second = generator.integers(0, 9, (2, 150)) / 8
    theirs = permutation_test(
        (first, second + 0.05),
        lambda x, y, axis: (x - y).mean(axis),
        permutation_type="samples",
        n_resamples=10_000,
        vectorized=True,
        rng=generator,
    )
    found = paired_test(first, second + 0.05)
    assert not found.exact
    assert found.p_value == pytest.approx(theirs.pvalue, abs=0.015)


def test_equal_models_are_found_different_as_rarely_as_the_level_says():
    generator = np.random.default_rng(3)
    tests = [paired_test(*generator.binomial(4, 0.4, (2, 40)) / 4, seed=n, resamples=400) for n in range(500)]
    assert 0.02 <= np.mean([test.p_value < 0.05 for test in tests]) <= 0.08


@given(st.lists(st.tuples(shares, shares), min_size=2, max_size=30), st.integers(0, 5))
def test_a_test_knows_no_first_and_second(pairs, seed):
    first, second = np.array(pairs).T
    there, back = (paired_test(*both, seed=seed, resamples=200) for both in ((first, second), (second, first)))
    assert there.p_value == back.p_value
    assert there.difference.value == pytest.approx(-back.difference.value)


def test_equal_values_say_nothing():
    same = np.array([0.25, 0.5, 1.0])
    assert paired_test(same, same).p_value == 1
    assert paired_test(np.array([]), np.array([])).p_value == 1


def test_pairs_with_a_gap_are_left_out():
    found = paired_test(np.array([1, np.nan, 1, 1]), np.array([0, 0, np.nan, 0]))
    assert (found.problems, found.difference.value) == (2, 1)
    with pytest.raises(ValueError, match="values of 2 problems against those of 3"):
        paired_test(np.ones(2), np.ones(3))


def test_a_test_over_benchmarks_counts_them_alike():
    # Ten problems are lost on one benchmark, and one is won on a benchmark of one: level in the average.
    lost, won = (np.zeros(10), np.ones(10)), (np.ones(1), np.zeros(1))
    found = stratified_paired_test([lost, won])
    assert found.difference.value == 0
    assert found.p_value == 1


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1, 1]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_rejects_step_by_step(p_values):
    """What Holm's procedure rejects at a level is what the corrected values put below it."""
    level, order = 0.05, np.argsort(p_values, kind="stable")
    rejected = set()
    for place, index in enumerate(order):
        if p_values[index] * (len(p_values) - place) > level:
            break
        rejected.add(int(index))
    assert {n for n, p in enumerate(holm(p_values)) if p <= level} == rejected


# Agreement


graded = st.lists(st.lists(st.tuples(verdict, verdict), max_size=5), max_size=6)


@given(graded)
def test_kappa_is_scikit_learns(problems):
    first, second = ([[pair[side] for pair in row] for row in problems] for side in (0, 1))
    found = cohen_kappa(first, second, resamples=20)
    pairs = [pair for row in problems for pair in row if None not in pair]
    if not pairs or (len(set(pairs)) == 1 and pairs[0][0] == pairs[0][1]):
        assert found.kappa.value is None
    else:
        ours, theirs = zip(*pairs, strict=True)
        assert found.kappa.value == pytest.approx(cohen_kappa_score(ours, theirs))
        assert found.share == pytest.approx(np.mean(np.equal(ours, theirs)))
    counted = [found.both_right, found.both_wrong, found.only_first, found.only_second]
    assert counted == [pairs.count(pair) for pair in ((1, 1), (0, 0), (1, 0), (0, 1))]


def test_kappa_by_hand():
    # Fifty responses: 20 + 15 agree, 5 + 10 do not; p_o 0.7, p_e 0.5.
    pairs = [(1, 1)] * 20 + [(0, 0)] * 15 + [(1, 0)] * 5 + [(0, 1)] * 10
    found = cohen_kappa([[one] for one, _ in pairs], [[other] for _, other in pairs])
    assert (found.kappa.value, found.share) == pytest.approx((0.4, 0.7))
    assert found.kappa.low < 0.4 < found.kappa.high


def test_responses_to_one_problem_go_together():
    """Copies of every response make no one surer."""
    first, second = np.random.default_rng(4).integers(0, 2, (2, 60))
    once = cohen_kappa([[v] for v in first], [[v] for v in second])
    copied = cohen_kappa([[v] * 8 for v in first], [[v] * 8 for v in second])
    assert copied.kappa == once.kappa


def test_kappa_refuses_other_verdicts():
    with pytest.raises(ValueError, match=r"a verdict lies in \[0, 1\] or is None"):
        cohen_kappa([[2]], [[1]])
