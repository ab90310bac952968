"""`hero demo --policy`: the demo with a real language model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hero_rl.errors import ConfigError
from hero_rl.extras import require

if TYPE_CHECKING:
    from hero_lab.words.demo import WordsResult

__all__ = ["run_words_demo"]

_BLOCKS = ("rule", "trl", "arm", "cold_start", "reward_model", "problems")


def run_words_demo(arguments: Any, rest: list[str]) -> int:
    """Run what is missing, or with `--gather` nothing, and show what is there.

    Args:
        arguments: of `hero demo`.
        rest: settings by dotted name.
    """
    from rich.console import Console

    from hero_lab.words.demo import gather, run_words

    settings = _settings(arguments, rest)
    require("trl", "matplotlib", "pandas", "pyarrow")  # needed once the models are made
    folder = arguments.out or Path("runs/words-quick" if arguments.quick else "runs/words")
    if arguments.gather:
        return _show(gather(settings, folder), folder, arguments.json)
    if arguments.quick and not arguments.json:
        print(
            "--quick shows that every stage works; so few steps and problems say nothing of the rules", file=sys.stderr
        )
    console = None if arguments.json else Console(stderr=True)
    try:
        result = run_words(settings, folder, workers=arguments.workers, console=console)
    except KeyboardInterrupt:
        print(f"\nwhat is done is kept in {folder}; the same command goes on", file=sys.stderr)
        raise
    return _show(result, folder, arguments.json)


def _show(result: WordsResult, folder: Path, as_json: bool) -> int:
    """As in the arena, and a table for `hero study words` beside the page."""
    from hero_lab.cli.demo import show
    from hero_lab.words.table import write_words_table

    table = folder / "words.parquet"
    write_words_table(result, table)
    return show(result, folder, as_json, {"table": table})


def _settings(arguments: Any, rest: list[str]) -> Any:
    from pydantic import ValidationError

    from hero_lab.words.settings import WordsSettings, quick_settings
    from hero_rl.problems.hub import is_file
    from hero_rl.settings import lay_over, parse_overrides

    for name in ("tiny", "fresh", "cache"):
        if getattr(arguments, name):
            raise ConfigError(f"--{name} is for the arena, not for --policy")
    if arguments.workers < 1:
        raise ConfigError(f"--workers: {arguments.workers}, and 1 is needed at least")
    usual = quick_settings() if arguments.quick else WordsSettings()
    given = lay_over({}, parse_overrides(rest))
    for block in given:
        if block not in _BLOCKS or not isinstance(given[block], dict):
            raise ConfigError(f"--{block}: unknown argument; see hero demo --help")
    for name, stands_for_it in {"regime": "regime", "steps": "steps", "trl": "trl", "split": "report"}.items():
        if name in given.get("arm", {}):
            raise ConfigError(f"--arm.{name}: say --{stands_for_it}, which stands for it")
    arm = given.pop("arm", {}) | {"regime": arguments.regime, "trl": given.pop("trl", {})}
    arm["split"] = "report" if arguments.report else "development"
    if arguments.steps is not None:
        arm["steps"] = arguments.steps
    given["arm"] = arm
    source = arguments.problems or usual.problems
    if "problems" in given and (source == usual.problems or is_file(source)):
        raise ConfigError("--problems.name and --problems.split are for a dataset of the Hub")
    given |= {f"problems_{name}": value for name, value in given.pop("problems", {}).items()}
    given |= {"model": arguments.policy, "seeds": arguments.seeds}
    if arguments.first_seed is not None:
        given["first_seed"] = arguments.first_seed
    if arguments.problems:
        given["problems"] = arguments.problems
    if arguments.arms:
        given["arms"] = list(dict.fromkeys(arguments.arms))
    try:
        return WordsSettings.model_validate(_over(usual.model_dump(), given))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])).replace("problems_", "problems.")
        raise ConfigError(f"--{place}: {first['msg']}") from None


def _over(usual: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The usual settings with those given in their places; of a block only the named ones change."""
    blocks = {name: usual[name] | value for name, value in given.items() if isinstance(value, dict)}
    return usual | given | blocks
