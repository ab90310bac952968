"""`hero compare`: the paper's table from evaluation runs, and curves against the training step."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from hero_rl.cli.arguments import parse
from hero_rl.errors import ConfigError

if TYPE_CHECKING:
    from hero_rl.evaluation.comparison import MethodComparison, Run

__all__ = ["run"]

_EPILOG = """
RUN is the folder of a `hero eval`, or a folder of such folders; NAME=RUN says what its method is called. Rows come in
the order given, and the others are tested against the first, problem by problem. Of a method with several steps the
table has the last.

examples:
  hero compare runs/eval-hero runs/eval-verifier runs/eval-sft
  hero compare HERO=runs/a "verifier only=runs/b" SFT=runs/c --latex table.tex --markdown table.md
  hero compare runs/a runs/b --metric maj@8 --against "verifier only"
  hero compare runs/a runs/b --paper qwen3-4b/easy
  hero compare runs/hero-evals runs/verifier-evals SFT=runs/c --curves curves.svg

What the numbers are: docs/guides/evaluation.md
"""


@dataclass
class _Arguments:
    """Compare evaluation runs: a table with intervals and significance, and curves against the step."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folders of evaluations, the first against the rest."""

    metric: str = "pass@1"
    """pass@K or maj@K."""

    against: str | None = None
    """Name of the row that the others are tested against; the first unless told otherwise."""

    common: bool = False
    """Where runs are on different problems of a benchmark, compare on those that all have."""

    paper: str | None = None
    """Set the paper's rows below: {qwen3-4b,octothinker-8b}/{easy,hard,mixed}."""

    markdown: Path | None = None
    """File to write the table into, as Markdown."""

    latex: Path | None = None
    """File to write the table into, as LaTeX with booktabs."""

    curves: Path | None = None
    """Drawing of the averages against the step, .svg, .png or .pdf; a second one, -dark, is for dark pages."""

    seed: int = 0
    """Of resampling."""

    json: bool = False
    """Print the table as one JSON object."""


def run(argv: list[str]) -> int:
    """Parse the arguments, compare, print the table and where the files lie."""
    arguments, rest = parse(_Arguments, argv, "compare", _EPILOG)
    if rest:
        raise ConfigError(f"unexpected argument {rest[0]!r}; see hero compare --help")
    if not arguments.runs:
        raise ConfigError("no runs; give the folder of at least one hero eval")
    from rich.console import Console

    from hero_rl.evaluation.comparison import compare, read_runs
    from hero_rl.evaluation.comparison.terminal import print_comparison

    runs = read_runs(arguments.runs)
    same = {"metric": arguments.metric, "common": arguments.common, "seed": arguments.seed}
    with Console(stderr=True).status("resampling"):
        comparison = compare(runs, against=arguments.against, paper=arguments.paper, **same)
        written = _write(arguments, comparison, runs)
    if arguments.json:
        print(json.dumps(comparison.to_dict() | {"files": [str(path) for path in written]}))
        return 0
    print_comparison(comparison, Console())
    if written:
        print()
        print("\n".join(str(path) for path in written))
    return 0


def _write(arguments: _Arguments, comparison: MethodComparison, runs: list[Run]) -> list[Path]:
    from hero_rl.evaluation.comparison import as_latex, as_markdown, curves_of
    from hero_rl.evaluation.comparison.curves import write_curves
    from hero_rl.files.whole import write_whole

    # What may be refused comes before anything is written.
    same = {"metric": arguments.metric, "common": arguments.common, "seed": arguments.seed}
    panels = curves_of(runs, **same) if arguments.curves is not None else {}
    written = []
    for path, words in ((arguments.markdown, as_markdown), (arguments.latex, as_latex)):
        if path is not None:
            write_whole(path, words(comparison))
            written.append(path)
    if arguments.curves is not None:
        written += write_curves(panels, arguments.curves, arguments.metric)
    return written
