"""Draw docs/guides/diagnose.png, the top of the report on examples/smollm2_rollouts.jsonl. Needs Chromium.

python docs/make_screenshot.py
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from hero_rl.cli import main

DOCS = Path(__file__).parent
WIDTH, HEIGHT = 1000, 1190


def draw(target: Path) -> None:
    """Write the report, photograph its top and keep it in few colours."""
    with tempfile.TemporaryDirectory() as folder:
        report, photograph = Path(folder, "report.html"), Path(folder, "report.png")
        if main(["diagnose", "examples/smollm2_rollouts.jsonl", "-o", str(report), "--json"]):
            raise SystemExit(1)
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        options += [f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={photograph}"]
        subprocess.run(["chromium", *options, report.as_uri()], check=True, capture_output=True)
        Image.open(photograph).convert("RGB").quantize(64).save(target, optimize=True)


if __name__ == "__main__":
    draw(DOCS / "guides" / "diagnose.png")
