"""How good a model is on benchmarks: responses, verdicts, numbers with their intervals, and tests between two models.

result = evaluate(EvalConfig(benchmarks={"math500": {}}, generator=...), Path("runs/eval"))
print(result["benchmarks"]["math500"]["pass@1"])
"""

from hero_rl.evaluation.folder import RunFolder, read_config
from hero_rl.evaluation.run import Progress, evaluate, read_benchmarks, refuse_failures
from hero_rl.evaluation.settings import Benchmark, EvalConfig, GradedBy, preset_name

__all__ = [
    "Benchmark",
    "EvalConfig",
    "GradedBy",
    "Progress",
    "RunFolder",
    "evaluate",
    "preset_name",
    "read_benchmarks",
    "read_config",
    "refuse_failures",
]
