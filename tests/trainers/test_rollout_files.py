"""Rollouts on disk: how long they stay."""

import pytest

from hero_rl.trainers.rollout_files import RolloutFiles


@pytest.mark.parametrize("kept", [None, 2])
def test_only_the_newest_steps_are_kept_where_a_number_is_given(tmp_path, kept):
    (tmp_path / "notes.parquet").write_bytes(b"not ours")
    files = RolloutFiles(tmp_path, kept)
    for step in (1, 1, 2, 3, 4):
        files.write([{"verdict": 1.0}], "train", step)
    files.write([{"verdict": 1.0}], "eval", 4)
    there = sorted(path.name for path in tmp_path.iterdir())
    if kept is None:
        assert len(there) == 7 and "train_000001_001.parquet" in there
    else:
        assert there == [
            "eval_000004_000.parquet",
            "notes.parquet",
            "train_000003_000.parquet",
            "train_000004_000.parquet",
        ]
