"""Overlaps with benchmarks, against a slow search over all pairs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hero_rl.problems import Problem, ProblemSource, read_problems
from hero_rl.problems.decontamination import LEAST_WORDS, BenchmarkIndex, same_text, words


def problem(question, name="p", source="bench"):
    return Problem(name, question, "1", source, question)


def slow_overlaps(train, benchmark, ngram):
    """(benchmark id, shared n-grams) by looking for every run of every benchmark problem in the training problem."""
    found = {}
    mine = words(train.question)
    for other in benchmark:
        theirs = words(other.question)
        length = min(ngram, len(theirs))
        if length < min(LEAST_WORDS, ngram):
            runs = set()
        else:
            runs = {tuple(theirs[i : i + length]) for i in range(len(theirs) - length + 1)}
        shared = sum(any(tuple(mine[i : i + length]) == run for i in range(len(mine))) for run in runs)
        exact = same_text(train.question) == same_text(other.question)
        if exact or shared:
            found[other.id] = ("exact" if exact else "ngram", shared, 1.0 if exact else shared / len(runs))
    return found


texts = st.lists(st.sampled_from(["a", "b", "c", "+", "A"]), max_size=14).map(" ".join)


@given(st.lists(texts, max_size=6), texts, st.integers(2, 12))
def test_the_index_finds_what_a_slow_search_finds(benchmark, question, ngram):
    problems = [problem(text, str(n)) for n, text in enumerate(benchmark)]
    hits = BenchmarkIndex(problems, ngram).overlaps(problem(question))
    found = {hit.benchmark_problem: (hit.kind, hit.shared, hit.share) for hit in hits}
    assert found == slow_overlaps(problem(question), problems, ngram)
    assert [hit.kind for hit in hits] == sorted(hit.kind for hit in hits)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (r"What is $\frac{1}{2} + 1$?", r"what is  $\dfrac{1}{2}+1$ ?", True),
        (r"Find \left(x+1\right)\,dx", "find (x+1) dx", True),
        ("ﬁnd x²", "Find x2", True),
        ("What is a + b?", "What is a - b?", False),
        ("What is 12?", "What is 1 2?", False),
        (r"x \leq 2", r"x \geq 2", False),
    ],
)
def test_what_counts_as_the_same_text(one, other, same):
    assert (same_text(one) == same_text(other)) == same


def test_chinese_is_cut_into_signs():
    assert words("求 x+1 的最小值") == ["求", "x", "1", "的", "最", "小", "值"]


def test_a_short_benchmark_problem_is_found_as_a_whole_alone():
    index = BenchmarkIndex([problem("What is two and two?", "short")], 13)
    assert [hit.kind for hit in index.overlaps(problem("what is two and two"))] == []
    assert [hit.kind for hit in index.overlaps(problem("what is TWO and two?"))] == ["exact"]
    assert index.overlaps(problem("Tell me, what is two and two? And three?")) == []


def test_a_benchmark_problem_shorter_than_an_ngram_is_found_within_a_longer_one():
    index = BenchmarkIndex([problem("How many ways are there to seat nine people?", "seats")], 13)
    (hit,) = index.overlaps(
        problem("Ann asks: how many ways are there to seat nine people at her long table by the door?")
    )
    assert (hit.kind, hit.shared, hit.share) == ("ngram", 1, 1.0)
    assert index.overlaps(problem("How many ways are there to seat eight people at a table?")) == []


def test_real_benchmarks_against_real_problems(shared):
    folder = shared / "data"
    source = ProblemSource(dataset="math500", path=str(folder / "benchmarks" / "math500.jsonl"))
    index = BenchmarkIndex(read_problems(source), 13)
    assert index.sizes == {"math500": 500}
    train = list(read_problems(ProblemSource(dataset=str(folder / "rollouts_math100.jsonl"))))
    hits = {one.id: index.overlaps(one) for one in train}
    kinds = [found[0].kind for found in hits.values() if found]
    assert (kinds.count("exact"), kinds.count("ngram")) == (5, 2)
    (near,) = hits["math100-97"]
    assert near.share > 0.7 and near.text.startswith("a number is selected at random from 1 through 100")
    every = [hit for one in read_problems(source) for hit in index.overlaps(one) if hit.benchmark_problem == one.id]
    assert [hit.kind for hit in every] == ["exact"] * 500
