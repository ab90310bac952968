import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from parts import completions_at

from hero_rl.rules import Hero, HeroState
from hero_rl.signals import Signals


@pytest.mark.slow
def test_groups_that_span_two_processes(policy, tmp_path):
    """Both ranks get their slice of what the core makes of the whole batch, and remember the same state."""
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": str(here), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    done = subprocess.run(
        [*command, here / "two_ranks.py", policy, tmp_path],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ranks = [json.loads((tmp_path / f"rank{r}.json").read_text()) for r in (0, 1)]
    assert [r["world"] for r in ranks] == [2, 2]
    assert ranks[0]["state"] == ranks[1]["state"] and ranks[0]["monitor"] == ranks[1]["monitor"]
    state, spanned = HeroState(), False
    for step in (1, 2):
        table = completions_at(tmp_path, step)
        assert len(table) == 12 and table["prompt"].nunique() == 3
        verdict, score = (torch.tensor(table[c].to_numpy(), dtype=torch.float32) for c in ("verifier", "reward_model"))
        shaped, state = Hero().update(Signals(verdict, score, torch.arange(12) // 4), state)
        seen = ranks[0]["advantages"][step - 1] + ranks[1]["advantages"][step - 1]
        np.testing.assert_allclose(seen, shaped.advantage, rtol=1e-5)
        np.testing.assert_allclose(table["advantage"], shaped.advantage, rtol=1e-5)
        np.testing.assert_allclose(table["reward"], shaped.reward, rtol=1e-5)
        spanned |= bool((shaped.advantage[4:8] != 0).all())  # the group in the middle lies on both ranks
        log = ranks[0]["log"][step - 1]
        assert log["verifier/abstained"] == table["verifier"].isna().sum()
        assert log["reward_model/missing"] == table["reward_model"].isna().sum()
    assert spanned and state.sigma_bar == ranks[0]["state"]["sigma_bar"]
