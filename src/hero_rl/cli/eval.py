"""`hero eval`: a model on benchmarks, graded by a verifier, a judge or both."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from hero_rl.cli.arguments import bar, interrupted, parse
from hero_rl.errors import ConfigError

if TYPE_CHECKING:
    from hero_rl.evaluation import EvalConfig

__all__ = ["run"]

_EPILOG = """
A benchmark is the name of a preset (math500, amc, minerva, olympiadbench, hardverify-math, textbookreasoning),
NAME=PATH for a preset's rows in a local file or for a file of your own, or a file alone: .jsonl or .parquet with a
question and its answer. Any setting is given by its dotted name; the usual sampling is the paper's (temperature 0.6,
top-p 0.95, 8 samples; one for hardverify-math and textbookreasoning).

OUT keeps every response. The same command goes on after an interruption, and adds what is missing: more samples, more
seeds, more benchmarks. With another verifier or another judge it grades the responses that are there anew.

examples:
  hero eval runs/eval --benchmarks math500 amc --generator.type openai --generator.url http://localhost:8000
  hero eval runs/eval --benchmarks math500=math500.jsonl mine.jsonl --generator.type transformers \\
    --generator.path runs/hero/model --sampling.samples 4 --benchmarks.mine.instruction 'Answer in \\boxed{}.'
  hero eval runs/eval --benchmarks hardverify-math --judge.url http://localhost:8001
  hero eval runs/eval --rescore --graded_by both --judge.url http://localhost:8001
  hero eval runs/eval --config eval.yaml --seeds [0,1,2]

Settings, files and what the numbers mean: docs/guides/evaluation.md
"""


@dataclass(kw_only=True)
class _Arguments:
    """Evaluate a model on benchmarks."""

    output: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """Folder of the evaluation, new or of an earlier call."""

    benchmarks: list[str] = field(default_factory=list)
    """Problems: presets, NAME=PATH, or files."""

    config: str | None = None
    """YAML file of settings; else those that OUT holds are taken."""

    rescore: bool = False
    """Write no responses; grade those that are there."""

    restart: bool = False
    """Remove what an earlier call left in OUT, and begin anew."""

    json: bool = False
    """Print the result as one JSON object and show no progress."""


def run(argv: list[str]) -> int:
    """Parse the arguments, evaluate, and print the result."""
    arguments, rest = parse(_Arguments, argv, "eval", _EPILOG)
    from hero_rl.evaluation import refuse_failures

    if arguments.rescore and arguments.restart:
        raise ConfigError("--rescore keeps the responses and --restart removes them; give one of them")
    config = _config(arguments, rest)
    try:
        result = _evaluate(arguments, config)
    except KeyboardInterrupt:
        return interrupted("eval", argv)
    if arguments.json:
        print(json.dumps(result))
    else:
        _print(result)
    print(f"written    {arguments.output / 'result.json'}", file=sys.stderr)
    refuse_failures(result, config.max_missing)
    return 0


def _config(arguments: _Arguments, rest: list[str]) -> EvalConfig:
    from hero_rl.evaluation import preset_name, read_config
    from hero_rl.settings import parse_overrides

    overrides: dict[str, Any] = {}
    for entry in arguments.benchmarks:
        block = _benchmark(entry)
        if block.keys() & overrides.keys():
            raise ConfigError(f"--benchmarks {entry}: there is another of that name; give this one its own, NAME=PATH")
        overrides |= block
    for name, value in parse_overrides(rest).items():
        block, _, inside = name.partition(".")
        if block == "benchmarks" and "." in inside:
            which, _, setting = inside.partition(".")
            name = f"benchmarks.{preset_name(which)}.{setting}"
        overrides[name] = value
    return read_config(arguments.output, arguments.config, overrides, arguments.restart)


def _benchmark(entry: str) -> dict[str, str]:
    """The settings that an entry of `--benchmarks` stands for."""
    from hero_rl.evaluation import preset_name
    from hero_rl.problems import PRESETS

    name, equals, path = entry.partition("=")
    if not equals:
        path = "" if preset_name(name) in PRESETS else name
        name = Path(name).name.partition(".")[0]
    name = preset_name(name)
    if name in PRESETS:
        return {f"benchmarks.{name}.dataset": name} | ({f"benchmarks.{name}.path": path} if path else {})
    if not name or not path:
        raise ConfigError(f"--benchmarks {entry}: a preset ({', '.join(PRESETS)}), NAME=PATH or a file is expected")
    return {f"benchmarks.{name.replace('-', '_')}.dataset": path}


def _evaluate(arguments: _Arguments, config: EvalConfig) -> dict[str, Any]:
    from transformers.utils import logging as transformers_logging

    from hero_rl.evaluation import evaluate

    transformers_logging.disable_progress_bar()
    with _bars(shown=not arguments.json) as progress:
        return evaluate(
            config, arguments.output, rescore=arguments.rescore, restart=arguments.restart, progress=progress
        )


@contextmanager
def _bars(shown: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each step on a terminal, from one second on; hands out what is told of the progress."""
    bars: dict[str, Any] = {}

    def moved(what: str, done: int, total: int) -> None:
        if what not in bars:
            for one in bars.values():
                one.close()
            bars[what] = bar(shown, total=total, desc=what, initial=done - 1)
        bars[what].update(done - bars[what].n)

    try:
        yield moved
    finally:
        for one in bars.values():
            one.close()


def _print(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console, benchmarks = Console(), result["benchmarks"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("benchmark", overflow="fold")  # a long name gives way, and no number does
    for title in ("problems", "n", "pass@1", "95% interval", "pass@n", "maj@k", "unscored"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, numbers in benchmarks.items():
        table.add_row(name, *_cells(numbers))
    console.print(table)
    for name, numbers in benchmarks.items():
        console.print(f"\n[bold]{name}[/bold]  {numbers['averaged']}", highlight=False)
        for line in [*_lengths(numbers), *_agreement(numbers), *_judge(numbers)]:
            console.print(line, highlight=False, markup=False)


def _cells(numbers: dict[str, Any]) -> list[str]:
    first, votes = numbers["pass@1"], numbers["maj@k"]
    most = str(numbers["samples"])
    interval = "-" if first["low"] is None else f"{_percent(first['low'])} to {_percent(first['high'])}"
    return [
        f"{numbers['problems']:,}",
        most,
        _percent(first["value"]),
        interval,
        _percent(numbers["pass@k"][most]["value"]) if most in numbers["pass@k"] else "-",
        _percent(votes["value"]) if votes else "-",
        f"{numbers['unscored']:,}",
    ]


def _lengths(numbers: dict[str, Any]) -> list[str]:
    if numbers["mean_tokens"] is None:
        return []
    cut = numbers["cut_off"] / (numbers["problems"] * numbers["samples"])
    return [f"{numbers['mean_tokens']:,.0f} tokens in the mean, {cut:.1%} of the responses cut off at their limit"]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _agreement(numbers: dict[str, Any]) -> list[str]:
    found = numbers["agreement"]
    if found is None or found["share"] is None:
        return []
    kappa = found["kappa"]
    interval = "" if kappa["low"] is None else f" ({kappa['low']:.2f} to {kappa['high']:.2f})"
    said = "-" if kappa["value"] is None else f"{kappa['value']:.2f}{interval}"
    ones = {grader: _percent(value["value"]) for grader, value in found["pass@1"].items()}
    return [
        f"verifier {ones['verifier']}, judge {ones['judge']}; they agree on {found['share']:.1%}, kappa {said}; "
        f"correct for the verifier alone {found['only_verifier']:,}, for the judge alone {found['only_judge']:,}"
    ]


def _judge(numbers: dict[str, Any]) -> list[str]:
    counts = numbers["judge"]
    if not counts:
        return []
    models = ", ".join(counts["models"])
    said = [f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if name != "models" and count]
    return [f"judge{f' {models}' if models else ''}: {', '.join(said) or 'not asked'}"]
