"""The paper's table from evaluation runs: rows are methods, columns benchmarks and their averages.

runs = read_runs(["HERO=runs/hero-eval", "SFT=runs/sft-eval"])
comparison = compare(runs)
print(as_markdown(comparison))
"""

from hero_rl.evaluation.comparison.curves import Curve, curves_of, draw_curves
from hero_rl.evaluation.comparison.latex import as_latex
from hero_rl.evaluation.comparison.markdown import as_markdown
from hero_rl.evaluation.comparison.paper import PAPER_TABLES, paper_rows
from hero_rl.evaluation.comparison.runs import BenchmarkRun, Run, read_runs
from hero_rl.evaluation.comparison.table import Entry, MethodComparison, Row, compare
from hero_rl.evaluation.comparison.values import Column

__all__ = [
    "PAPER_TABLES",
    "BenchmarkRun",
    "Column",
    "Curve",
    "Entry",
    "MethodComparison",
    "Row",
    "Run",
    "as_latex",
    "as_markdown",
    "compare",
    "curves_of",
    "draw_curves",
    "paper_rows",
    "read_runs",
]
