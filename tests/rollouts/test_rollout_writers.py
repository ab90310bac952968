import datetime
import json
import math

import numpy
import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hero_rl.errors import ConfigError, DataError
from hero_rl.rollouts import Rollout, read_rollouts, write_rollouts

SUFFIXES = ["jsonl", "jsonl.gz", "parquet"]

numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
anything = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant"]), "content": st.none() | st.text()},
        optional={"name": st.text(), "tool_calls": st.none() | st.lists(st.dictionaries(st.text(), plain, max_size=2))},
    ),
    max_size=3,
)
texts = st.text() | messages


@st.composite
def rollouts(draw):
    """Rollouts of one file: all have the same other columns, some of one kind of value and some of any."""
    others = draw(st.lists(st.sampled_from(["weight", "tags", "a b"]), unique=True))
    kinds = {name: draw(st.sampled_from([plain, anything, numbers, st.text(), messages])) for name in others}
    made = st.builds(
        Rollout,
        prompt=texts,
        completion=draw(st.sampled_from([texts, st.text(), messages])),
        id=st.none() | st.text(),
        reference=st.none() | st.text(),
        group=draw(st.sampled_from([st.text(), st.integers(-(2**63), 2**63 - 1), st.text() | st.integers()])),
        verdict=st.sampled_from([None, 0.0, 1.0]),
        score=st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False),
        reward=numbers,
        advantage=numbers,
        step=st.none() | st.integers(0, 2**53),
        extra=st.fixed_dictionaries(kinds),
    )
    return draw(st.lists(made, min_size=1, max_size=6))


def bits(rollout):
    """The numbers to the bit, so that -0.0 is not 0.0."""
    return [None if v is None else float(v).hex() for v in (rollout.score, rollout.reward, rollout.advantage)]


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(written=rollouts())
def test_what_is_read_is_what_was_written(tmp_path, suffix, written):
    path = tmp_path / f"a.{suffix}"
    assert write_rollouts(path, iter(written)) == len(written)
    read = list(read_rollouts(path))
    assert read == written
    assert [bits(r) for r in read] == [bits(r) for r in written]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nan_is_null_and_other_libraries_numbers_are_numbers(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    extra = {"x": math.nan, "list": [1.0, math.nan], "np": numpy.float32(0.5), "when": datetime.date(2020, 1, 2)}
    write_rollouts(path, [Rollout("p", "c", group=1, score=math.nan, verdict=math.nan, extra=extra)])
    (read,) = read_rollouts(path)
    assert (read.score, read.verdict) == (None, None)
    assert read.extra == {"x": None, "list": [1.0, None], "np": 0.5, "when": "2020-01-02"}
    if suffix == "jsonl":
        assert "NaN" not in path.read_text()


def test_parquet_is_typed_for_others_to_read(tmp_path):
    write_rollouts(tmp_path / "a.parquet", [Rollout([{"role": "user", "content": "p"}], "c", score=1.0, step=3)] * 3)
    table = pandas.read_parquet(tmp_path / "a.parquet")
    assert table.prompt[0][0]["content"] == "p" and table.step.dtype == "int64" and table.score.tolist() == [1.0] * 3


def test_a_half_surrogate_survives(tmp_path):
    for suffix in SUFFIXES:
        write_rollouts(tmp_path / f"a.{suffix}", [Rollout("p", "half \ud800 of a pair", group="g")])
        assert next(read_rollouts(tmp_path / f"a.{suffix}")).completion == "half \ud800 of a pair"


def test_equal_rollouts_make_equal_files_and_each_line_is_json(tmp_path):
    for name in ("a.jsonl.gz", "b.jsonl.gz", "c.jsonl"):
        write_rollouts(tmp_path / name, [Rollout("é", "c", score=0.1)] * 5)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
    first = (tmp_path / "c.jsonl").read_text().splitlines()[0]
    assert list(json.loads(first)) == [
        *("id", "step", "group", "prompt", "completion", "reference", "verdict", "score", "reward", "advantage")
    ]
    assert "é" in first


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_is_half_written(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    write_rollouts(path, [Rollout("old", "c")])
    before = path.read_bytes()

    def broken():
        yield Rollout("new", "c")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_rollouts(path, broken())
    with pytest.raises(
        DataError, match=r"x: 'score' cannot be written: Out of range float|x: 'score' cannot be written"
    ):
        write_rollouts(path, [Rollout("new", "c", id="x", score=math.inf)])
    with pytest.raises(DataError, match=r"x: 'raw' cannot be written: JSON has no set"):
        write_rollouts(path, [Rollout("new", "c", id="x", extra={"raw": set()})])
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_wrong_use(tmp_path):
    with pytest.raises(ConfigError, match=r"must end in one of .jsonl, .jsonl.gz, .parquet"):
        write_rollouts(tmp_path / "a.csv", [])
    with pytest.raises(ValueError, match="extra has 'score', which is a field of its own"):
        Rollout("p", "c", extra={"score": 1})


def test_no_rollouts_make_an_empty_file(tmp_path):
    for suffix in SUFFIXES:
        assert write_rollouts(tmp_path / f"a.{suffix}", []) == 0
        with pytest.raises(DataError, match="no rows"):
            read_rollouts(tmp_path / f"a.{suffix}")
