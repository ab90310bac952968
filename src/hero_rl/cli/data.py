"""`hero data`: the regimes, the cold start, the textbook questions and generated problems, each to its card."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from hero_rl.cli.arguments import bar, interrupted, moving, parse
from hero_rl.errors import ConfigError

__all__ = ["run"]

_HELP = """usage: hero data <kind> [CONFIG] [--setting VALUE ...]

kinds:
{kinds}

`hero data <kind> --help` shows examples.
"""

_COMMON = """
CONFIG is a YAML file; each setting is also an argument by its dotted name, and values are YAML. An interrupted call
goes on where it was when it is given again. Every setting: docs/reference/configuration.md; what is made:
docs/guides/data.md
"""

_EPILOGS = {
    "regimes": """
Problems come from a file, the Hub or a preset (openmathreasoning, ...), solutions from a file of rollouts or from a
generator. Written: trl/ (for hero train), verl/ (Parquet), verified.jsonl, overlaps.jsonl, left_out.jsonl, card.md.

examples:
  hero data regimes --problems problems.jsonl --solutions rollouts.jsonl --output_dir data/regimes \\
    --benchmarks math500=math500.jsonl minerva=minerva_math.jsonl --sizes.easy 200 --sizes.hard 50 --sizes.mixed 50
  hero data regimes --problems openmathreasoning --output_dir data/regimes \\
    --benchmarks math500 amc minerva olympiadbench hardverify-math \\
    --generator.type openai --generator.url http://localhost:8000 --sampling.temperature 1.0
""",
    "cold-start": """
Solutions come from a file of rollouts; its verdicts are kept, or made anew by --verifier.type. Written: trl/ (for hero
sft), verl/ (Parquet), left_out.jsonl, card.md.

examples:
  hero data cold-start --solutions data/regimes/verified.jsonl --output_dir data/cold_start
  hero data cold-start --solutions rollouts.jsonl --output_dir data/cold_start --size 500 --max_characters 8000
""",
    "textbook": """
Questions pass rules on their text, a rule verifier (what it can verify is left out) and the word of a language model.
Written: textbook.jsonl (for hero eval), decisions.jsonl, card.md.

examples:
  hero data textbook --output_dir data/textbook --checker.url http://localhost:8000
  hero data textbook --problems textbookreasoning=questions.parquet --output_dir data/textbook --size 200
""",
    "gym": """
Each generator of Reasoning Gym makes as many problems as asked for; the whole entry is the reference, for the verifier
`reasoning_gym`. Written: problems.jsonl (for hero train), card.md.

examples:
  hero data gym --generators chain_sum,leg_counting --size 500 --output_dir data/gym
  hero data gym --generators '{chain_sum: {max_terms: 3}}' --seed 1 --output_dir data/held_out
""",
}


@dataclass
class _Arguments:
    """What every kind takes."""

    config: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[CONFIG]")] = None
    """The configuration file."""

    restart: bool = False
    """Begin anew, whatever earlier calls left."""

    json: bool = False
    """Print the result as one JSON object and show no progress."""


@dataclass
class _Regimes(_Arguments):
    """Split problems into easy and hard to verify, and draw the paper's three regimes."""

    benchmarks: tuple[str, ...] = ()
    """Problem sets that no problem may share text with: presets, files, or PRESET=FILE."""


@dataclass
class _ColdStart(_Arguments):
    """Filter a model's solutions for its first fine-tuning."""


@dataclass
class _Textbook(_Arguments):
    """Filter textbook questions for a judge."""


@dataclass
class _Gym(_Arguments):
    """Make problems with Reasoning Gym's generators."""


_ARGUMENTS: dict[str, type[_Arguments]] = {
    "regimes": _Regimes,
    "cold-start": _ColdStart,
    "textbook": _Textbook,
    "gym": _Gym,
}


def run(argv: list[str]) -> int:
    """Parse the arguments, make the data, and print what came of it."""
    kind = argv[0] if argv else "--help"
    if kind in ("-h", "--help"):
        print(_HELP.format(kinds="\n".join(f"  {name:<12}{each.__doc__}" for name, each in _ARGUMENTS.items())))
        return 0
    if kind not in _ARGUMENTS:
        print(f"hero data: unknown kind {kind!r}; one of: {', '.join(_ARGUMENTS)}", file=sys.stderr)
        return 2
    arguments, rest = parse(_ARGUMENTS[kind], argv[1:], f"data {kind}", _COMMON + _EPILOGS[kind])
    try:
        made = _make(kind, arguments, rest)
    except KeyboardInterrupt:
        return interrupted("data", argv)
    if arguments.json:
        print(json.dumps(made.account | {"output_dir": str(made.folder), "kept": made.kept}))
    else:
        _print(made)
    return 0


def _make(kind: str, arguments: _Arguments, rest: list[str]) -> Any:
    from hero_rl import data
    from hero_rl.problems import block_of
    from hero_rl.settings import parse_overrides, read_yaml, resolve

    models = {
        "regimes": data.RegimesConfig,
        "cold-start": data.ColdStartConfig,
        "textbook": data.TextbookConfig,
        "gym": data.GymConfig,
    }
    makers: dict[str, Callable[..., Any]] = {
        "regimes": data.make_regimes,
        "cold-start": data.make_cold_start,
        "textbook": data.make_textbook,
        "gym": data.make_gym,
    }
    overrides = parse_overrides(rest)
    if isinstance(arguments, _Regimes) and arguments.benchmarks:
        overrides["benchmarks"] = ",".join(arguments.benchmarks)
    if isinstance(named := overrides.get("problems"), str):  # so that its settings can be given beside it
        del overrides["problems"]
        overrides |= {f"problems.{name}": value for name, value in block_of(named).items()}
    raw = read_yaml(arguments.config) if arguments.config else {}
    if isinstance(raw.get("problems"), str):
        raw["problems"] = block_of(raw["problems"])
    try:
        config = resolve(raw, overrides, arguments.config or "--", models[kind])
    except ConfigError as error:
        raise ConfigError(f"{error}\n(hero data {kind} --help)") from None
    return makers[kind](config, restart=arguments.restart, bars=_bars(not arguments.json))


def _bars(shown: bool) -> Callable[..., Any]:
    """Bars on a terminal, from one second on."""

    @contextmanager
    def bars(what: str, total: int | None) -> Iterator[Callable[[float], object]]:
        # Short numbers for bytes; small counts stay whole.
        scaled = total is None or total >= 100_000
        with bar(shown, total=total, desc=what, unit="", unit_scale=scaled) as one:
            yield moving(one)

    return bars


def _print(made: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "number", box=None, pad_edge=False, header_style="bold")
    table.columns[1].justify = "right"
    for name, count in {**made.account["counts"], **made.account.get("drawn", {})}.items():
        table.add_row(name.replace("_", " "), f"{count:,}")
    Console().print(table)
    for note in made.account["notes"]:
        print(f"note       {note}", file=sys.stderr)
    for name in made.kept:
        print(f"kept       {made.folder / name}, as an earlier call left it", file=sys.stderr)
    print(f"card       {made.folder / 'card.md'}", file=sys.stderr)
