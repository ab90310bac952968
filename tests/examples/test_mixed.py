"""The example of mixed data from end to end: three domains in one run, and curves of each."""

import importlib.util
import json
from collections import defaultdict
from pathlib import Path

import pandas
import pytest

from hero_rl.cli import main

pytest.importorskip("reasoning_gym")
pytest.importorskip("if_verifiable")

EXAMPLE = Path(__file__).parents[2] / "examples" / "mixed"


def test_three_domains_are_trained_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("make", EXAMPLE / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    make.main(tmp_path / "runs" / "mixed")
    assert main(["sft", str(EXAMPLE / "sft.yaml")]) == 0
    assert main(["train", str(EXAMPLE / "train.yaml"), "--trl.max_steps", "8"]) == 0
    assert main(["diagnose", "runs/mixed/run/rollouts", "-o", "runs/mixed/domains.html"]) == 0

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
