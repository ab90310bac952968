import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_benchmark_runs_and_all_ways_agree():
    pytest.importorskip("trl")
    command = [sys.executable, "benchmarks/reward_models.py", "--quick"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.count("| tiny |") == 3
