import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "rows"), [("reward_models", 3), ("shared_prompts", 3)])
def test_the_benchmark_runs_and_all_ways_agree(name, rows):
    pytest.importorskip("trl")
    command = [sys.executable, f"benchmarks/{name}.py", "--quick"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert len(said.strip().splitlines()) == 2 + rows
