"""Problems of Reasoning Gym in a file, with a card.

made = make_gym(GymConfig(output_dir="data/gym", generators="chain_sum,leg_counting", size=500))
"""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version
from pathlib import Path

from hero_rl.data.card import Made, files_of, table, take_folder, withdraw_card, write_card
from hero_rl.data.settings import GymConfig
from hero_rl.files.stages import Bars, no_bars
from hero_rl.files.whole import write_jsonl
from hero_rl.problems import generated_rows

__all__ = ["make_gym"]


def make_gym(config: GymConfig, restart: bool = False, bars: Bars = no_bars) -> Made:
    """Write `problems.jsonl`: `prompt`, `answer` (a whole reference), `domain` (the generator's name) and `id`.

    Raises:
        ModuleNotFoundError: `reasoning-gym` is not installed.
        ConfigError: as `generated_rows`, or the folder holds data of something else.
    """
    folder = Path(config.output_dir)
    with take_folder(folder, "gym", restart), bars("make", None):
        rows = list(generated_rows(config))
        withdraw_card(folder)
        write_jsonl(folder / "problems.jsonl", rows)
        counts = Counter(row["domain"] for row in rows)
        repeated = len(rows) - len({row["prompt"] for row in rows})
        account = {
            "format": 1,
            "kind": "gym",
            "counts": {"problems": len(rows), **counts, "with another's text": repeated},
            "reasoning-gym": version("reasoning-gym"),
            "settings": config.model_dump(mode="json"),
            "notes": [],
            "files": files_of(folder, ["problems.jsonl"]),
        }
        sections = [
            ("Source", f"reasoning-gym {account['reasoning-gym']}, seed {config.seed}."),
            ("Counts", table(account["counts"], ("", "number"))),
            ("Files", table({name: told["sha256"] for name, told in account["files"].items()}, ("file", "SHA-256"))),
        ]
        write_card(folder, "Problems of Reasoning Gym", account, sections)
        return Made(folder, account, [])
