"""The example of mixed data from end to end: three domains in one run, and curves of each."""

import json
import shutil
from collections import defaultdict
from pathlib import Path

import pandas
import pytest
from walk_path import walk

pytest.importorskip("reasoning_gym")
pytest.importorskip("if_verifiable")

ROOT = Path(__file__).parents[2]


def test_the_page_s_commands_train_three_domains_at_once(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "examples" / "mixed", tmp_path / "examples" / "mixed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [])
    page = (ROOT / "docs" / "guides" / "mixed_data.md").read_text()
    walk(page.replace("mixed/train.yaml", "mixed/train.yaml --trl.max_steps 8"))
    assert Path("runs/mixed/domains.html").is_file()

    curves = defaultdict(list)
    for row in map(json.loads, Path("runs/mixed/run/metrics.jsonl").read_text().splitlines()):
        for name, value in row.items():
            curves[name].append(value)
    for domain in ("sums", "format", "chat"):
        assert len(curves[f"hero/domains/{domain}/score"]) == 8
    assert any(verdict > 0 for verdict in curves["hero/domains/format/verdict"])
    assert set(curves["verifier/abstained"]) == {0.0}

    rollouts = pandas.concat(map(pandas.read_parquet, Path("runs/mixed/run/rollouts").glob("*.parquet")))
    chat, format_ = rollouts[rollouts["domain"] == "chat"], rollouts[rollouts["domain"] == "format"]
    assert set(rollouts["domain"]) == {"sums", "format", "chat"}
    assert set(chat["reason"]) == {"no_verifier"} and chat["verdict"].isna().all()
    assert (chat["advantage"] != 0).any() and chat["advantage"].abs().max() < format_["advantage"].abs().max()
    assert ((format_["verdict"] > 0) & (format_["verdict"] < 1)).any()  # one of two instructions
