"""The table of docs/guides/scaling.md is what its code prints, and the benchmark behind it runs."""

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guides" / "scaling.md").read_text()


def test_the_table_is_what_the_code_prints():
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "docs/guides/scaling.md", "exec"), {})
    first, *rows = said.getvalue().splitlines()
    rate = first.removeprefix("reward model: ").removesuffix(" tokens/s a GPU")
    assert f"At {rate} tokens a second and GPU" in PAGE
    assert len(rows) == 3
    for row in rows:
        assert row in PAGE, row


def test_the_driver_benchmark_runs():
    done = subprocess.run([sys.executable, "benchmarks/driver.py", "--quick"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "| 4,096 x 16 | 65,536 |" in done.stdout
