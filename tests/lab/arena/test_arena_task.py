"""The task: prompts, splits and sampling."""

import math
import random
from collections import Counter
from itertools import islice

import pytest
from arena_strategies import problems, rngs
from hypothesis import given

from hero_lab.arena.task import EASY_TYPES, HARD_TYPES, PROMPT_TOKENS, Exercise, sample_problems, types_of


@given(problems())
def test_a_prompt_reads_back_as_its_problem(problem):
    assert Exercise.parse(problem.prompt) == problem
    assert Exercise.parse(f"  {problem.prompt}\n") == problem
    assert len(problem.prompt.split(" ")) == PROMPT_TOKENS


@given(problems())
def test_the_numbers_suit_the_type(problem):
    assert problem.v >= 2
    assert problem.u != problem.v
    if problem.type == "r":
        assert math.gcd(problem.u, problem.v) == 1
    if problem.type == "/":
        assert math.gcd(problem.u, problem.v) > 1


@pytest.mark.parametrize(
    "prompt", ["", "M 3 *4 +5 6 *7 -8", "X 3 *4 +5 6 *7 -8 ?", "M 1 *4 +5 6 *7 -8 ?", "M 3 *4 +5 2 *2 -9 ?", "M 3"]
)
def test_other_texts_are_refused(prompt):
    with pytest.raises(ValueError):
        Exercise.parse(prompt)


@pytest.mark.parametrize("numbers", [(1, 4, 5, 6, 7, 8), (3, 4, 0, 6, 7, 8), (3, 4, 5, 6, 7, 10), (2, 2, 1, 2, 4, 3)])
def test_numbers_outside_the_task_are_refused(numbers):
    with pytest.raises(ValueError):
        Exercise("M", *numbers)


@given(problems(), rngs)
def test_a_split_belongs_to_the_numbers_whatever_the_type(problem, rng):
    twin = Exercise("M", *problem.numbers)
    assert twin.split == problem.split
    assert {next(sample_problems(rng, (problem.type,), split)).split for split in ("train", "report")} == {
        "train",
        "report",
    }


def test_splits_have_their_shares_and_stay_as_they_are():
    rng = random.Random(0)
    numbers = (tuple(rng.randint(2, 9) for _ in range(6)) for _ in range(20_000))
    shares = Counter(Exercise("M", *n).split for n in numbers if _is_a_problem(n))
    total = shares.total()
    assert shares["test"] / total == pytest.approx(0.10, abs=0.01)
    assert shares["development"] / total == pytest.approx(0.05, abs=0.01)
    assert shares["report"] / total == pytest.approx(0.10, abs=0.01)
    # A change here makes held-out prompts of old runs training prompts of new ones.
    splits = [Exercise("M", 3, 4, 5, 6, 7, f).split for f in range(1, 10)]
    assert [splits.index("report"), splits.index("test"), splits.count("train")] == [3, 7, 7]


def _is_a_problem(numbers) -> bool:
    a, b, c, d, e, f = numbers
    return d * e - f >= 2 and a * b + c != d * e - f


def test_sampling_is_fixed_by_the_seed_and_covers_the_types():
    def draw(seed):
        return list(islice(sample_problems(random.Random(seed), types_of("mixed"), "train"), 200))

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    assert {problem.type for problem in draw(1)} == {*EASY_TYPES, *HARD_TYPES}


def test_regimes():
    assert types_of("easy") == EASY_TYPES
    assert types_of("hard") == HARD_TYPES
    assert types_of("mixed") == EASY_TYPES + HARD_TYPES
