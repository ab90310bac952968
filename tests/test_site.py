"""The documents as a site: it builds without a warning, and its page of metrics has every name that is logged."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch

from hero_rl.auditing import Auditor
from hero_rl.monitoring import batch_metrics
from hero_rl.monitoring.watch import Watch
from hero_rl.reward_models import CachedRewardModelConfig, LocalRewardModelConfig, RemoteRewardModelConfig
from hero_rl.rules import AuditableRule, AuditedHero
from hero_rl.scoring import Scorer
from hero_rl.signals import Signals
from hero_rl.trainers.state import state_metrics
from hero_rl.verifiers import Cascade, ExactVerifier, JudgeVerifier, MathVerifier, Supervised

ROOT = Path(__file__).parents[1]
RULES = [rule() for rule in get_args(get_args(AuditableRule)[0])]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    from tiny_models import write

    return write(tmp_path_factory.mktemp("tiny"))


@pytest.mark.slow
def test_the_site_builds(tmp_path):
    """Strictly: a link or an anchor that leads nowhere, a page left out, a name without its object are errors."""
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    api = (tmp_path / "site" / "reference" / "api.html").read_text()
    assert "HeroGRPOTrainer" in api and "max_unscorable" in api


def test_the_paper_index_leads_to_code():
    page = (ROOT / "docs" / "science" / "paper.md").read_text()
    rows = [row.split("|") for row in re.findall(r"^\| (.+) \|$", page, re.M)]
    named = {path for row in rows if len(row) == 4 for path in re.findall(r"`([a-z_]+/[a-z_/.]*)`", row[2])}
    assert len(named) > 15
    assert not [path for path in named if not (ROOT / "src" / "hero_rl" / path).exists()]


def on_the_page():
    """The names in the first column of the page's tables."""
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    return re.findall(r"^\| `([^`]+)` \|", page, re.M)


def logged_by_the_core():
    signals = Signals(
        verdict=torch.tensor([1.0, 0.0]),
        score=torch.tensor([2.0, 1.0]),
        group=torch.zeros(2, dtype=torch.long),
        domain=("DOMAIN", "DOMAIN"),
    )
    names = set()
    for rule in RULES:
        before = rule.init()
        shaped, after = rule.update(signals, before)
        names |= batch_metrics(signals, shaped).keys() | state_metrics(before, after).keys()
    auditor = Auditor(AuditedHero(), ExactVerifier())
    names |= auditor.metrics(signals.verdict == 1, signals.verdict).keys()
    watch = Watch()
    watch.batch(replace(signals, domain=("another", "another")), 0.5)
    alarms = watch.batch(signals, 0.5)[0].keys()
    return names | {name for name in alarms if "/another/" not in name}


def logged_by_the_scorer(tiny, tmp_path):
    _, path = tiny
    local = LocalRewardModelConfig(path=str(path))
    remote = RemoteRewardModelConfig(urls=["http://127.0.0.1:9"], tokenizer=str(path))
    judge = JudgeVerifier(url="http://127.0.0.1:9")
    names = set()
    for verifier, model in [
        (Supervised(MathVerifier(), workers=1), local),
        (Cascade(MathVerifier(), judge), remote),
        (judge, CachedRewardModelConfig(path=str(tmp_path / "scores.sqlite"), inner=local)),
    ]:
        scorer = Scorer(verifier, model.load())
        names |= scorer.score([], [], []).counters.keys()
    return names


@pytest.mark.slow
def test_every_name_that_is_logged_is_on_the_page_of_metrics_once(tiny, tmp_path):
    listed = on_the_page()
    logged = logged_by_the_core() | logged_by_the_scorer(tiny, tmp_path)
    assert sorted(listed) == sorted(set(listed))
    assert logged - set(listed) == set(), "docs/reference/metrics.md says every name; it lacks these"
    ours = {name for name in listed if name.startswith(("hero/", "verifier/", "reward_model/"))}
    assert ours - logged == set(), "docs/reference/metrics.md names what nothing logs"


@pytest.mark.slow
def test_a_run_logs_no_other_name(tiny, tmp_path):
    policy, path = tiny
    places = ["--model.path", policy, "--reward_model.path", path, "--output_dir", tmp_path / "run"]
    command = [sys.executable, "-m", "hero_rl", "train", "examples/smoke.yaml", *map(str, places)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=600)
    names = {name for row in read_metrics(tmp_path / "run") for name in row}
    ours = {name for name in names if re.match(r"hero/|verifier/|reward_model/|rewards/|reward|frac_reward", name)}
    assert {"hero/trust", "reward", "rewards/verifier/std"} <= ours
    assert ours <= set(on_the_page())


def read_metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
